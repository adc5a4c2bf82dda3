;; The scheduler of the Scheme side: tasks, futures, channels, select, and the procedures that scripts call.
;;
;; Invariants
;; - All of this runs on the main thread, inside of the interpreter's loop. Tasks are continuations that this file switches between; the
;;   Rust side never calls Scheme, and never waits while Scheme code is on its stack other than the loop in `%step`.
;; - `%ready` holds what can run, first come, first served. A task leaves by `%leave!` only, into the loop that switched to it last;
;;   it never returns into the frames of the loop that first started it, which are older than the present.
;; - Whoever waits has registered one procedure, `resume`, with exactly one list (or with several and a `%Waiter` that says that one
;;   of them has come first). `resume` only makes its task ready; it runs nothing.
;; - The continuations are those of the primitive, which leave `dynamic-wind` alone: a wait inside of one neither runs its exit nor its
;;   entry. What steel keeps in cells of the thread, the list of winders and the handlers of `with-handler`, belongs to a task and changes
;;   with it.
;;
;; Names with `%` are private to this file.

;; ---- Queues: two lists, so that both ends are cheap.

(struct %Queue (front back) #:mutable)
(define (%make-queue) (%Queue '() '()))
(define (%queue-push! queue item)
  (set-%Queue-back! queue (cons item (%Queue-back queue))))
(define (%queue-empty? queue)
  (and (null? (%Queue-front queue)) (null? (%Queue-back queue))))
(define (%queue-pop! queue)
  (when (null? (%Queue-front queue))
    (set-%Queue-front! queue (reverse (%Queue-back queue)))
    (set-%Queue-back! queue '()))
  (let ((item (car (%Queue-front queue))))
    (set-%Queue-front! queue (cdr (%Queue-front queue)))
    item))
(define (%queue-length queue)
  (+ (length (%Queue-front queue)) (length (%Queue-back queue))))
(define (%queue-keep! queue keep?)
  (set-%Queue-front! queue (filter keep? (%Queue-front queue)))
  (set-%Queue-back! queue (filter keep? (%Queue-back queue))))

;; ---- The loop.

(define %ready (%make-queue))
(define %pending (hash)) ; What to call with the outcome of which work of the Rust side.
(define %idle-waiters '())
(define %in-task #false)
(define %exit #false) ; The continuation of the loop, while a task runs.
(define %task-depth 0)

(define (%ready! thunk)
  (%queue-push! %ready thunk))

;; How deep the interpreter itself stands on the machine's stack. Read at this one place, so that equal numbers mean the same loop of the
;; interpreter: a native procedure that calls back into Scheme runs another, whose continuations must not be taken.
(define (%depth)
  (+ 0 (%native-depth)))

;; `%cells` is a list of the cells; new tasks begin with what was in them before the script.
(define (%cell-values)
  (map get-tls %cells))
(define (%set-cells! values)
  (let loop ((cells %cells) (values values))
    (unless (null? cells)
      (set-tls! (car cells) (car values))
      (loop (cdr cells) (cdr values)))))
(define %fresh-cells (%cell-values))

(define (%switch-to thunk)
  (let ((cells (%cell-values)))
    (#%prim.call/cc
     (lambda (exit)
       (set! %exit exit)
       (set! %in-task #true)
       (set! %task-depth (%depth))
       (%set-cells! %fresh-cells)
       (thunk)
       (%leave!)))
    (set! %in-task #false)
    (%set-cells! cells)))

(define (%leave!)
  (%exit #false))

(define (%on-event! id resume)
  (set! %pending (hash-insert %pending id resume)))

(define (%deliver! event)
  (let* ((id (car event)) (resume (hash-try-get %pending id)))
    (when resume
      (set! %pending (hash-remove %pending id))
      (resume (cadr event)))))

(define (%collect!)
  (let ((event (%next-event #false)))
    (when event
      (%deliver! event)
      (%collect!))))

;; Runs one thing. With `block`, waits for one if there is none. Answers whether something has happened.
(define (%step block)
  (%collect!)
  (cond
    ((not (%queue-empty? %ready)) (%switch-to (%queue-pop! %ready)) #true)
    ((not block) #false)
    (else
     (let ((event (%next-event #true)))
       (cond
         (event (%deliver! event) #true)
         ((null? %idle-waiters) #false)
         (else
          (let ((waiters (reverse %idle-waiters)))
            (set! %idle-waiters '())
            (for-each (lambda (resume) (resume #false)) waiters)
            #true)))))))

;; As many steps as there is ready now: what these make ready waits for its turn.
(define (%round)
  (%collect!)
  (let loop ((left (%queue-length %ready)))
    (when (> left 0)
      (%step #false)
      (loop (- left 1)))))

;; What a prompt does while nobody types: what is ready, and what that makes ready, but not for ever.
(define (%run-ready)
  (let loop ((rounds 100))
    (%round)
    (when (and (> rounds 1) (not (%queue-empty? %ready)))
      (loop (- rounds 1)))))

;; Waits until the procedure that `register` is given has been called, and answers with its argument.
(define (%suspend who register)
  (cond
    ((not %in-task)
     (let ((done #false) (value #false))
       ;; By way of the queue as for everybody, so that what was ready before comes before.
       (register (lambda (outcome) (%ready! (lambda () (set! value outcome) (set! done #true)))))
       (let loop ()
         (cond
           (done value)
           ((%step #true) (loop))
           (else (error (string-append who ": deadlock: no task, request or timer is left that could end this wait")))))))
    ((not (= (%depth) %task-depth))
     (error (string-append who ": a task cannot wait here, inside of a native procedure that calls back (transduce, a hash or sort procedure ...): use map, for-each or a loop")))
    (else
     (let ((cells (%cell-values)))
       (let ((value (#%prim.call/cc
                     (lambda (continue)
                       (register (lambda (outcome) (%ready! (lambda () (continue outcome)))))
                       (%leave!)))))
         (%set-cells! cells)
         value)))))

(define (%await who id)
  (let ((outcome (%suspend who (lambda (resume) (%on-event! id resume)))))
    (if (http-error? outcome)
        (error (string-append who ": " (http-error-message outcome)))
        outcome)))

;; ---- Futures.

(struct %Future (state value waiters) #:mutable)
(define (make-future) (%Future 'pending #false '()))
(define (future? value) (%Future? value))
(define (%check-future who future)
  (unless (%Future? future) (%wrong-argument who 1 "FUTURE" "a future" future)))

(define (%future-complete! who future state value)
  (unless (eq? (%Future-state future) 'pending)
    (error (string-append who ": the future has its value already")))
  (set-%Future-state! future state)
  (set-%Future-value! future value)
  (let ((waiters (reverse (%Future-waiters future))))
    (set-%Future-waiters! future '())
    (for-each (lambda (resume) (resume #false)) waiters)))

(define (future-resolve! future value)
  (%check-future "future-resolve!" future)
  (%future-complete! "future-resolve!" future 'value value))
(define (future-reject! future message)
  (%check-future "future-reject!" future)
  (unless (string? message) (%wrong-argument "future-reject!" 2 "MESSAGE" "a string" message))
  (with-handler (lambda (err) (%future-complete! "future-reject!" future 'error err)) (error message)))
(define (future-done? future)
  (%check-future "future-done?" future)
  (not (eq? (%Future-state future) 'pending)))
(define (future-wait future)
  (%check-future "future-wait" future)
  (when (eq? (%Future-state future) 'pending)
    (%suspend "future-wait" (lambda (resume) (set-%Future-waiters! future (cons resume (%Future-waiters future))))))
  (if (eq? (%Future-state future) 'value)
      (%Future-value future)
      (raise-error (%Future-value future))))

;; ---- Tasks.

(define (%go who thunk)
  (unless (function? thunk) (%wrong-argument who 1 "THUNK" "a procedure without arguments" thunk))
  (let ((future (make-future)))
    (%ready!
     (lambda ()
       (with-handler
        (lambda (err)
          ;; Whoever waits is told; if nobody does, the terminal is.
          (when (null? (%Future-waiters future)) (%report-error (string-append "in a task of " who) err))
          (%future-complete! who future 'error err))
        (let ((value (thunk))) (%future-complete! who future 'value value)))))
    future))

(define (go thunk) (%go "go" thunk))
(define (g_coroutine-run thunk) (%go "g_coroutine-run" thunk))

(define (g_coroutine-wait)
  (if %in-task
      (%suspend "g_coroutine-wait" (lambda (resume) (set! %idle-waiters (cons resume %idle-waiters))))
      (let loop () (when (%step #true) (loop))))
  void)

;; What is left at the end of the script. Begins anew where an error has ended the interpreter's loop with a task in it, as an error in a
;; procedure that a native procedure calls back does: steel unwinds everything then, and no handler sees it.
(define (%finish)
  (set! %in-task #false)
  (%set-cells! %fresh-cells)
  (g_coroutine-wait))

(define (%sleep who seconds)
  (let ((id (%timer who seconds)))
    (%suspend who (lambda (resume) (%on-event! id resume)))
    void))
(define (g_coroutine-sleep seconds) (%sleep "g_coroutine-sleep" seconds))
(define (sleep seconds) (%sleep "sleep" seconds))

(define (yield)
  (if %in-task
      (%suspend "yield" (lambda (resume) (resume #false)))
      (%round))
  void)

;; ---- HTTP.

(define %http-in-flight 0)
(define %http-called 0)
(define %http-waiters '())

(define (%http who method url headers body callback position)
  (unless (function? callback) (%wrong-argument who position "CALLBACK" "a procedure with one argument" callback))
  (let ((id (%http-start who method url headers (if (bytes? body) (bytes->list body) body)))
        (future (make-future)))
    (set! %http-in-flight (+ %http-in-flight 1))
    (%on-event!
     id
     (lambda (response)
       (%ready!
        (lambda ()
          (set! %http-in-flight (- %http-in-flight 1))
          (set! %http-called (+ %http-called 1))
          (%future-complete! who future 'value response)
          (when (= %http-in-flight 0)
            (let ((waiters %http-waiters))
              (set! %http-waiters '())
              (for-each (lambda (resume) (resume #true)) waiters)))
          (with-handler
           (lambda (err) (%report-error (string-append "in the callback of " who " for " url) err))
           (callback response))))))
    future))

(define (g_http-async-get url headers callback)
  (%http "g_http-async-get" "GET" url headers #false callback 3))
(define (g_http-async-head url headers callback)
  (%http "g_http-async-head" "HEAD" url headers #false callback 3))
(define (g_http-async-post url headers body callback)
  (%http "g_http-async-post" "POST" url headers (if body body "") callback 4))

(define (g_http-poll)
  (let ((before %http-called))
    (yield)
    (- %http-called before)))

(define (g_http-wait-all . limit)
  (cond
    ((= %http-in-flight 0) #true)
    ((null? limit)
     (%suspend "g_http-wait-all" (lambda (resume) (set! %http-waiters (cons resume %http-waiters)))))
    (else
     (let ((waiter (%make-waiter #false '())) (timer (%timer "g_http-wait-all" (car limit))))
       (let ((all-came
              (%suspend
               "g_http-wait-all"
               (lambda (resume)
                 (define (come value)
                   (unless (%Waiter-done waiter)
                     (set-%Waiter-done! waiter #true)
                     (resume value)))
                 (set! %http-waiters (cons come %http-waiters))
                 (%on-event! timer (lambda (ignored) (come #false)))))))
         (%forget! timer)
         all-came)))))

(define (%forget! timer)
  (set! %pending (hash-remove %pending timer))
  (%cancel-timer timer))

;; ---- Channels.

;; One case of a select.
(struct %Case (kind channel value then))
;; A wait, perhaps on several things at once, of which the first to come makes it done. Its `arms` are the cases of its select. The number
;; tells it from others: `eq?` of steel does not know a struct again.
(struct %Waiter (number done resume arms) #:mutable)
(define %last-waiter 0)
(define (%make-waiter resume arms)
  (set! %last-waiter (+ %last-waiter 1))
  (%Waiter %last-waiter #false resume arms))
;; A place in a channel's list: whose it is, which arm of its select, and for senders what is offered.
(struct %Offer (waiter arm value))
(struct %Channel (capacity buffer senders receivers closed) #:mutable)

(define (make-channel . capacity)
  (let ((capacity (if (null? capacity) 0 (car capacity))))
    (unless (and (int? capacity) (>= capacity 0))
      (%wrong-argument "make-channel" 1 "CAPACITY" "a whole number that is not negative" capacity))
    (%Channel capacity (%make-queue) (%make-queue) (%make-queue) #false)))
(define (channel? value) (%Channel? value))
(define (%check-channel who channel)
  (unless (%Channel? channel) (%wrong-argument who 1 "CHANNEL" "a channel" channel)))

(define (%complete! offer outcome)
  (let ((waiter (%Offer-waiter offer)))
    (%waiter-done! waiter)
    ((%Waiter-resume waiter) (cons (%Offer-arm offer) outcome))))

;; Its other places go at once: a message must not be handed to who has left.
(define (%waiter-done! waiter)
  (define (stays? offer) (not (= (%Waiter-number (%Offer-waiter offer)) (%Waiter-number waiter))))
  (set-%Waiter-done! waiter #true)
  (for-each
   (lambda (arm)
     (%queue-keep! (%Channel-receivers (%Case-channel arm)) stays?)
     (%queue-keep! (%Channel-senders (%Case-channel arm)) stays?))
   (%Waiter-arms waiter)))

;; The outcome of an operation that need not wait is in a box, to tell it from `#false`, which is "would wait".
(define (%try-receive! channel)
  (let ((buffer (%Channel-buffer channel)) (senders (%Channel-senders channel)))
    (cond
      ((not (%queue-empty? buffer))
       (let ((value (%queue-pop! buffer)))
         (unless (%queue-empty? senders)
           (let ((offer (%queue-pop! senders)))
             (%queue-push! buffer (%Offer-value offer))
             (%complete! offer 'sent)))
         (list value)))
      ((not (%queue-empty? senders))
       (let ((offer (%queue-pop! senders)))
         (%complete! offer 'sent)
         (list (%Offer-value offer))))
      ((%Channel-closed channel) (list (eof-object)))
      (else #false))))

(define (%try-send! channel value)
  (cond
    ((%Channel-closed channel) (list 'closed))
    ((not (%queue-empty? (%Channel-receivers channel)))
     (%complete! (%queue-pop! (%Channel-receivers channel)) value)
     (list 'sent))
    ((< (%queue-length (%Channel-buffer channel)) (%Channel-capacity channel))
     (%queue-push! (%Channel-buffer channel) value)
     (list 'sent))
    (else #false)))

(define (%sent who outcome)
  (when (eq? outcome 'closed) (error (string-append who ": the channel is closed")))
  void)

(define (channel-send channel value)
  (%check-channel "channel-send" channel)
  (let ((done (%try-send! channel value)))
    (%sent
     "channel-send"
     (if done
         (car done)
         (cdr (%suspend
               "channel-send"
               (lambda (resume)
                 (%queue-push! (%Channel-senders channel) (%Offer (%make-waiter resume '()) #false value)))))))))

(define (channel-receive channel)
  (%check-channel "channel-receive" channel)
  (let ((done (%try-receive! channel)))
    (if done
        (car done)
        (cdr (%suspend
              "channel-receive"
              (lambda (resume)
                (%queue-push! (%Channel-receivers channel) (%Offer (%make-waiter resume '()) #false #false))))))))

(define (channel-close channel)
  (%check-channel "channel-close" channel)
  (set-%Channel-closed! channel #true)
  (%complete-all! (%Channel-receivers channel) (eof-object))
  (%complete-all! (%Channel-senders channel) 'closed)
  void)
(define (%complete-all! queue outcome)
  (unless (%queue-empty? queue)
    (%complete! (%queue-pop! queue) outcome)
    (%complete-all! queue outcome)))

(define (channel-closed? channel)
  (%check-channel "channel-closed?" channel)
  (%Channel-closed channel))

;; ---- Select.

(define (receive-case channel then)
  (%check-channel "receive-case" channel)
  (unless (function? then) (%wrong-argument "receive-case" 2 "PROCEDURE" "a procedure with one argument" then))
  (%Case 'receive channel #false then))
(define (send-case channel value then)
  (%check-channel "send-case" channel)
  (unless (function? then) (%wrong-argument "send-case" 3 "THUNK" "a procedure without arguments" then))
  (%Case 'send channel value then))
(define (after-case seconds then)
  (unless (function? then) (%wrong-argument "after-case" 2 "THUNK" "a procedure without arguments" then))
  (%check-seconds "after-case" seconds)
  (%Case 'after #false seconds then))
(define (else-case then)
  (unless (function? then) (%wrong-argument "else-case" 1 "THUNK" "a procedure without arguments" then))
  (%Case 'else #false #false then))

(define (%kind? kind) (lambda (arm) (eq? (%Case-kind arm) kind)))

(define (%run-case arm outcome)
  (case (%Case-kind arm)
    ((receive) ((%Case-then arm) outcome))
    ((send) (%sent "select" outcome) ((%Case-then arm)))
    (else ((%Case-then arm)))))

;; Tries the arms from a random one onwards, each once. Answers with a pair of arm and outcome, or `#false`.
(define (%select-ready arms)
  (let ((count (length arms)))
    (let loop ((left count) (index (if (> count 0) (%random count) 0)))
      (if (= left 0)
          #false
          (let* ((arm (list-ref arms index))
                 (done (if (eq? (%Case-kind arm) 'receive)
                           (%try-receive! (%Case-channel arm))
                           (%try-send! (%Case-channel arm) (%Case-value arm)))))
            (if done
                (cons arm (car done))
                (loop (- left 1) (if (= (+ index 1) count) 0 (+ index 1)))))))))

(define (%select-wait arms delays)
  (let ((waiter (%make-waiter #false arms)) (timers '()))
    (let ((chosen
           (%suspend
            "select"
            (lambda (resume)
              (set-%Waiter-resume! waiter resume)
              (for-each
               (lambda (arm)
                 (let ((channel (%Case-channel arm)))
                   (%queue-push!
                    (if (eq? (%Case-kind arm) 'receive) (%Channel-receivers channel) (%Channel-senders channel))
                    (%Offer waiter arm (%Case-value arm)))))
               arms)
              (for-each
               (lambda (arm)
                 (let ((timer (%timer "after-case" (%Case-value arm))))
                   (set! timers (cons timer timers))
                   (%on-event!
                    timer
                    (lambda (ignored)
                      (unless (%Waiter-done waiter)
                        (%waiter-done! waiter)
                        (resume (cons arm #false)))))))
               delays)))))
      (for-each %forget! timers)
      chosen)))

(define (select . cases)
  (for-each
   (lambda (arm)
     (unless (%Case? arm) (%wrong-argument "select" 1 "CASE" "a receive-case, send-case, after-case or else-case" arm)))
   cases)
  (let* ((delays (filter (%kind? 'after) cases))
         (others (filter (%kind? 'else) cases))
         (arms (filter (lambda (arm) (%Case-channel arm)) cases))
         (ready (%select-ready arms)))
    (cond
      (ready (%run-case (car ready) (cdr ready)))
      ((not (null? others)) (%run-case (car others) #false))
      (else
       (let ((chosen (%select-wait arms delays)))
         (%run-case (car chosen) (cdr chosen)))))))

;; ---- TCP.

(define (tcp-connect host port)
  (%await "tcp-connect" (%tcp-connect "tcp-connect" host port)))
(define (tcp-listen host port)
  (%await "tcp-listen" (%tcp-listen "tcp-listen" host port)))
(define (tcp-accept listener)
  (%await "tcp-accept" (%tcp-accept "tcp-accept" listener)))
(define (tcp-read stream limit)
  (%await "tcp-read" (%tcp-read "tcp-read" stream limit)))
(define (tcp-read-line stream)
  (%await "tcp-read-line" (%tcp-read-line "tcp-read-line" stream)))
(define (tcp-write stream data)
  (%await "tcp-write" (%tcp-write "tcp-write" stream (if (bytes? data) (bytes->list data) data))))
