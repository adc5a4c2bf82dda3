;; A server for many clients, and some clients of it, in one script: each connection is a task of its own.
(define listener (tcp-listen "127.0.0.1" 0))
(define members '())

(define (tell-all text)
  (for-each (lambda (stream) (tcp-write stream (string-append text "\n"))) members))

(define (serve stream)
  (let loop ()
    (let ((line (tcp-read-line stream)))
      (unless (eof-object? line)
        (tell-all line)
        (loop))))
  (tcp-close stream))

(define (accept-all left)
  (when (> left 0)
    (let ((stream (tcp-accept listener)))
      (set! members (cons stream members))
      (go (lambda () (serve stream)))
      (accept-all (- left 1)))))
(define all-here (go (lambda () (accept-all 3))))

(define clients (map (lambda (n) (tcp-connect "127.0.0.1" (tcp-port listener))) '(1 2 3)))
(future-wait all-here)
(tcp-write (car clients) "hello to all\n")
(for-each (lambda (client) (displayln (tcp-read-line client))) clients)
(for-each tcp-close clients)
(tcp-close listener)
