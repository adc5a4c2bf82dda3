;; Start now, wait when the value is needed. An error of the task is raised to who waits for it.
(define (slowly value)
  (go (lambda () (sleep 0.02) value)))

(define parts (map slowly '(1 2 3 4)))
(displayln "started" (length parts))
(displayln "sum" (apply + (map future-wait parts)))

(define broken (go (lambda () (sleep 0.01) (vector-ref (vector 1 2) 7))))
(displayln (with-handler (lambda (err) "it failed") (future-wait broken)))

;; A future that somebody else gives its value.
(define promise (make-future))
(go (lambda () (displayln "got" (future-wait promise))))
(future-resolve! promise 42)
