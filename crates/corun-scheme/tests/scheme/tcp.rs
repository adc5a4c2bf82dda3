//! Sockets from scripts.

use crate::support::script;

#[test]
fn a_server_and_its_clients_in_one_script() {
    script(
        r#"
        (define (caught thunk) (with-handler error-object-message (thunk)))
        (define listener (tcp-listen "127.0.0.1" 0))
        (define (serve stream)
          (let loop ()
            (let ((line (tcp-read-line stream)))
              (if (eof-object? line)
                  (tcp-close stream)
                  (begin (tcp-write stream (string-append line "!\r\n")) (loop))))))
        (define accepting
          (go (lambda ()
                (let loop ()
                  (let ((stream (tcp-accept listener)))
                    (go (lambda () (serve stream)))
                    (loop))))))
        (define (client name)
          (go (lambda ()
                (let ((stream (tcp-connect "127.0.0.1" (tcp-port listener))))
                  (let ((answers (map (lambda (n) (tcp-write stream (string-append name (int->string n) "\n")) (tcp-read-line stream)) '(1 2 3))))
                    (tcp-close stream)
                    answers)))))
        (for-each (lambda (f) (displayln (future-wait f))) (map client '("a" "b" "c")))
        (define all (map (lambda (n) (client "x")) (range 0 100)))
        (displayln (length (filter (lambda (f) (equal? (future-wait f) '("x1!" "x2!" "x3!"))) all)))

        ;; Bytes, in pieces of whatever size; and the end.
        (define raw (tcp-connect "localhost" (tcp-port listener)))
        (tcp-write raw (bytes 104 105 10))
        (displayln (bytes? (tcp-read raw 100)))
        (tcp-close raw)
        (displayln (eof-object? (tcp-read raw 100)))
        (displayln (string? (caught (lambda () (tcp-write raw "more")))))

        ;; Closing a listener ends the wait for the next connection.
        (tcp-close listener)
        (displayln (string? (caught (lambda () (future-wait accepting)))))
        (displayln (string? (caught (lambda () (tcp-connect "127.0.0.1" (tcp-port listener))))))
        "#,
    )
    .prints("(a1! a2! a3!)\n(b1! b2! b3!)\n(c1! c2! c3!)\n100\n#true\n#true\n#true\n#true\n#true");
}
