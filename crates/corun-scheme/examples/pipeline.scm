;; Stages joined by channels. A channel without room makes its sender wait, so that no stage runs ahead.
(define (stage in out f)
  (go (lambda ()
        (let loop ()
          (let ((value (channel-receive in)))
            (if (eof-object? value)
                (channel-close out)
                (begin (channel-send out (f value)) (loop))))))))

(define numbers (make-channel))
(define squares (make-channel 2))
(define texts (make-channel))

(go (lambda ()
      (for-each (lambda (n) (channel-send numbers n)) (range 1 6))
      (channel-close numbers)))
(stage numbers squares (lambda (n) (* n n)))
(stage squares texts (lambda (n) (string-append "<" (int->string n) ">")))

(let loop ()
  (let ((text (channel-receive texts)))
    (unless (eof-object? text)
      (displayln text)
      (loop))))
