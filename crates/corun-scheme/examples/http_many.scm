;; A hundred requests at once. The server is a script's as well: this one's, so that the example needs nothing else.
(define listener (tcp-listen "127.0.0.1" 0))

(define (skip-headers stream)
  (unless (equal? "" (tcp-read-line stream))
    (skip-headers stream)))

(define (serve stream)
  (let ((request (tcp-read-line stream)))
    (skip-headers stream)
    (sleep 0.2)
    (tcp-write stream "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    (tcp-close stream)))

(go (lambda ()
      (with-handler
        (lambda (err) (displayln "the server has been closed"))
        (let loop ()
          (let ((stream (tcp-accept listener)))
            (go (lambda () (serve stream)))
            (loop))))))

(define url (string-append "http://127.0.0.1:" (int->string (tcp-port listener)) "/"))
(define answers 0)
(for-each
  (lambda (n)
    (g_http-async-get url '(("Accept" . "text/plain"))
      (lambda (response)
        (if (http-error? response)
            (displayln (http-error-message response))
            (when (equal? "hello" (http-body response))
              (set! answers (+ answers 1)))))))
  (range 0 100))
(g_http-wait-all)
(displayln answers "answers")
(tcp-close listener)
