//! S0.1, S0.3 to S0.5, S0.8, S0.9: tasks, futures, channels and select.

use crate::support::script;

#[test]
fn tasks_run_in_order_and_add_up() {
    script(
        r#"
        (define total 0)
        (define (task n) (lambda () (displayln n) (set! total (+ total n))))
        (for-each (lambda (n) (g_coroutine-run (task n))) '(1 2 3))
        (displayln "none has run" total)
        (g_coroutine-wait)
        (displayln "all have run" total)

        ;; Nested: what a task starts runs after what was there before it, and a task can wait for all others.
        (g_coroutine-run
          (lambda ()
            (displayln "outer begins")
            (g_coroutine-run (lambda () (displayln "inner") (g_coroutine-run (lambda () (displayln "innermost")))))
            (g_coroutine-wait)
            (displayln "outer ends")))
        (g_coroutine-run (lambda () (displayln "second")))
        (g_coroutine-wait)

        ;; Two tasks that both wait for everything else do not wait for each other.
        (g_coroutine-run (lambda () (g_coroutine-wait) (displayln "first waiter")))
        (g_coroutine-run (lambda () (g_coroutine-wait) (displayln "second waiter")))
        (g_coroutine-wait)
        (displayln "end")
        (g_coroutine-run (lambda () (displayln "left to the end of the script")))
        "#,
    )
    .prints(
        "none has run 0\n1\n2\n3\nall have run 6
         outer begins\nsecond\ninner\ninnermost\nouter ends
         first waiter\nsecond waiter\nend\nleft to the end of the script",
    );
}

#[test]
fn sleep_gives_way() {
    script(
        r#"
        (define order '())
        (define (note! what) (set! order (cons what order)))
        (go (lambda () (note! 'a) (sleep 0.2) (note! 'late)))
        (go (lambda () (note! 'b) (sleep 0.05) (note! 'early)))
        (go (lambda () (note! 'c) (yield) (note! 'd)))
        (g_coroutine-sleep 0)
        (displayln (reverse order))
        (g_coroutine-sleep 1/10)
        (displayln (reverse order))
        (g_coroutine-sleep 0.3)
        (displayln (reverse order))
        "#,
    )
    .prints("(a b c)\n(a b c d early)\n(a b c d early late)");
}

#[test]
fn futures_carry_values_and_errors() {
    script(
        r#"
        (define (caught thunk) (with-handler error-object-message (thunk)))
        (define answer (go (lambda () (sleep 0.01) 42)))
        (displayln (future-done? answer))
        (displayln (future-wait answer) (future-done? answer))
        (define promise (make-future))
        (go (lambda () (displayln "first got" (future-wait promise))))
        (go (lambda () (displayln "second got" (future-wait promise))))
        (go (lambda () (future-resolve! promise 'it)))
        (g_coroutine-wait)
        (displayln (caught (lambda () (future-resolve! promise 'twice))))
        ;; Who waits is told of the error; nothing else is.
        (displayln (caught (lambda () (future-wait (go (lambda () (error "in the task")))))))
        (define broken (make-future))
        (future-reject! broken "given up")
        (displayln (caught (lambda () (future-wait broken))))
        (displayln (caught (lambda () (future-wait (make-future)))))
        "#,
    )
    .prints(
        "#false\n42 #true\nfirst got it\nsecond got it\nfuture-resolve!: the future has its value already\nin the task\ngiven up
         future-wait: deadlock: no task, request or timer is left that could end this wait",
    );
}

#[test]
fn channels_hand_over_in_order() {
    script(
        r#"
        (define (caught thunk) (with-handler error-object-message (thunk)))
        (define (receive-all channel)
          (let loop ((all '()))
            (let ((value (channel-receive channel)))
              (if (eof-object? value) (reverse all) (loop (cons value all))))))
        ;; Without a buffer, with one, and with one that is drained after the end.
        (for-each
          (lambda (capacity)
            (define channel (make-channel capacity))
            (go (lambda () (for-each (lambda (n) (channel-send channel n)) (range 0 10)) (channel-close channel)))
            (displayln (receive-all channel)))
          '(0 1 3 100))
        ;; First come, first served.
        (define channel (make-channel))
        (for-each (lambda (n) (go (lambda () (let ((value (channel-receive channel))) (displayln n value))))) '(1 2 3))
        (sleep 0)
        (for-each (lambda (value) (channel-send channel value)) '(a b c))
        (g_coroutine-wait)
        ;; An end wakes those that wait, on both sides.
        (go (lambda () (displayln "received" (eof-object? (channel-receive channel)))))
        (sleep 0)
        (channel-close channel)
        (g_coroutine-wait)
        (displayln (channel-closed? channel) (caught (lambda () (channel-send channel 1))))
        (define other (make-channel))
        (go (lambda () (displayln (caught (lambda () (channel-send other 1))))))
        (sleep 0)
        (channel-close other)
        "#,
    )
    .prints(
        "(0 1 2 3 4 5 6 7 8 9)\n(0 1 2 3 4 5 6 7 8 9)\n(0 1 2 3 4 5 6 7 8 9)\n(0 1 2 3 4 5 6 7 8 9)
         1 a\n2 b\n3 c\nreceived #true\n#true channel-send: the channel is closed\nchannel-send: the channel is closed",
    );
}

#[test]
fn select_takes_one_and_loses_nothing() {
    script(
        r#"
        (define a (make-channel))
        (define b (make-channel))
        (define (next limit)
          (select (receive-case a (lambda (v) (list 'a v)))
                  (receive-case b (lambda (v) (list 'b v)))
                  (after-case limit (lambda () 'late))))
        (displayln (next 0.01))
        (go (lambda () (channel-send b 1)))
        (displayln (next 10))
        (displayln (select (receive-case a (lambda (v) v)) (else-case (lambda () 'nothing))))

        ;; Several selects over the same channels, many messages: each arrives once.
        (define results (make-channel 1000))
        (for-each
          (lambda (n)
            (go (lambda ()
                  (let loop ()
                    (let ((v (select (receive-case a (lambda (v) v)) (receive-case b (lambda (v) v)))))
                      (unless (eof-object? v) (channel-send results v) (when (= 0 (modulo v 7)) (yield)) (loop)))))))
          (range 0 5))
        (define (send-all from)
          (go (lambda ()
                (for-each
                  (lambda (n) (select (send-case a n (lambda () 'a)) (send-case b n (lambda () 'b))))
                  (range from (+ from 100))))))
        (for-each future-wait (map send-all '(0 100 200)))
        (channel-close a)
        (channel-close b)
        (g_coroutine-wait)
        (channel-close results)
        (define (sum total count)
          (let ((v (channel-receive results)))
            (if (eof-object? v) (list total count) (sum (+ total v) (+ count 1)))))
        (displayln (sum 0 0) (/ (* 299 300) 2))

        ;; Both arms of a select that are always ready get their turn.
        (define left (make-channel 100))
        (define right (make-channel 100))
        (for-each (lambda (n) (channel-send left 'l) (channel-send right 'r)) (range 0 50))
        (define picks (map (lambda (n) (select (receive-case left (lambda (v) v)) (receive-case right (lambda (v) v)))) (range 0 40)))
        (displayln (and (member 'l picks) (member 'r picks) #true))
        "#,
    )
    .prints("late\n(b 1)\nnothing\n(44850 300) 44850\n#true");
}

#[test]
fn waiting_disturbs_neither_handlers_nor_winds() {
    script(
        r#"
        ;; A wait inside of dynamic-wind does not run its exit, in whatever order tasks end.
        (define (winding name time)
          (lambda ()
            (dynamic-wind
              (lambda () (displayln name "in"))
              (lambda () (sleep time) (displayln name "body"))
              (lambda () (displayln name "out")))))
        (go (winding "slow" 0.2))
        (go (winding "fast" 0.02))
        ;; A continuation that escapes meanwhile runs nothing of the others'.
        (go (lambda () (displayln (call/cc (lambda (return) (sleep 0.05) (return "escaped") 'not)))))
        (g_coroutine-wait)
        (go (lambda ()
              (displayln (with-handler (lambda (err) (sleep 0.01) (list "handled" (error-object-message err)))
                           (sleep 0.01)
                           (map (lambda (n) (sleep 0) (if (= n 2) (error "at two") n)) '(1 2 3))))))
        (g_coroutine-wait)
        (define (in-native) (transduce '(1 2) (mapping (lambda (n) (sleep 0.01) n)) (into-list)))
        ;; Handlers belong to tasks, the main program's too, however their ends are interleaved.
        (go (lambda () (sleep 0.02) (displayln "task ends")))
        (yield)
        (displayln (with-handler (lambda (err) "main handled") (sleep 0.06) (error "main")))
        (define (handle name long short)
          (go (lambda ()
                (displayln (with-handler (lambda (err) (list name (error-object-message err)))
                             (sleep long)
                             (with-handler (lambda (err) (displayln name "inner")) (sleep short) (error "first"))
                             (error "second"))))))
        (handle "a" 0.01 0.1)
        (handle "b" 0.05 0.01)
        (g_coroutine-wait)
        ;; The main program needs no continuation to wait.
        (displayln (in-native))
        ;; Deep recursion keeps its frames across waits.
        (define (deep n) (if (= n 0) (begin (sleep 0) 0) (+ 1 (deep (- n 1)))))
        (displayln (future-wait (go (lambda () (deep 1000)))))
        "#,
    )
    .prints(
        "slow in\nfast in\nfast body\nfast out\nescaped\nslow body\nslow out\n(handled at two)\ntask ends\nmain handled\nb inner\n(b second)\na inner\n(a second)\n(1 2)\n1000",
    );
}

#[test]
fn an_error_ends_its_task_and_nothing_else() {
    let run = script(
        "(go (lambda () (sleep 0.01)\n  (car 5)))\n(go (lambda () (sleep 0.02) (displayln \"fine\")))\n(g_coroutine-wait)\n(displayln \"end\")",
    );
    assert_eq!(
        run.stdout.split_whitespace().collect::<Vec<_>>(),
        ["fine", "end"],
        "{run:#?}"
    );
    assert!(
        run.stderr.contains(".scm:2:4: error: car expected"),
        "{run:#?}"
    );
    assert!(
        run.stderr
            .contains("in a task of go; everything else goes on"),
        "{run:#?}"
    );
    assert_eq!(run.code, Some(1), "{run:#?}");
}

/// Steel unwinds everything at an error in a procedure that a native one calls. What is queued goes on even so.
#[test]
fn a_wait_in_a_native_procedure_is_an_error_and_stops_no_other_task() {
    let run = script(
        "(define (wait n) (sleep 0.01) n)\n\
         (go (lambda () (transduce '(1 2) (mapping wait) (into-list))))\n\
         (go (lambda () (yield) (yield) (displayln \"others go on\")))\n\
         (go (lambda () (transduce '(1 2) (mapping (lambda (n) (error \"in native\"))) (into-list))))",
    );
    assert_eq!(run.stdout.trim(), "others go on", "{run:#?}");
    assert!(
        run.stderr
            .contains(".scm:1:19: error: sleep: a task cannot wait here"),
        "{run:#?}"
    );
    assert!(run.stderr.contains("error: in native"), "{run:#?}");
    assert_eq!(run.code, Some(1), "{run:#?}");
}

#[test]
fn what_waits_is_no_garbage() {
    script(
        r#"
        (define (make-counter) (let ((n 0)) (lambda () (set! n (+ n 1)) n)))
        (define gate (make-future))
        (define (task name)
          (go (lambda ()
                (let ((sum 0) (count (make-counter)))
                  (for-each (lambda (n) (set! sum (+ sum n)) (count) (future-wait gate) (yield)) '(1 2 3))
                  (displayln name sum (count))))))
        (task 'a)
        (task 'b)
        (yield)
        (define junk (map (lambda (n) (make-counter)) (range 0 1000)))
        (set! junk '())
        (#%gc-collect)
        (future-resolve! gate 'open)
        (yield)
        (#%gc-collect)
        (g_coroutine-wait)
        "#,
    )
    .prints("a 6 4\nb 6 4");
}

#[test]
fn ten_thousand_tasks() {
    script(
        r#"
        (define total 0)
        (define gate (make-future))
        (define (spawn-all n)
          (when (> n 0)
            (go (lambda () (future-wait gate) (set! total (+ total 1))))
            (spawn-all (- n 1))))
        (spawn-all 10000)
        (yield)
        (displayln total)
        (future-resolve! gate 'open)
        (g_coroutine-wait)
        (displayln total)
        "#,
    )
    .prints("0\n10000");
}
