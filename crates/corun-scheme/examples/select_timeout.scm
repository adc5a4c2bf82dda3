;; The first answer of several, a second question if the first is slow, and a limit on all of it.
(define (ask name delay)
  (let ((answers (make-channel 1)))
    (go (lambda () (sleep delay) (channel-send answers name)))
    answers))

(define (first-of a b limit)
  (select
    (receive-case a (lambda (name) name))
    (receive-case b (lambda (name) name))
    (after-case limit (lambda () "nobody"))))

(displayln (first-of (ask "slow" 1.5) (ask "fast" 0.01) 5))
(displayln (first-of (ask "slow" 1.5) (ask "slower" 2) 0.05))
(displayln
  (select
    (receive-case (make-channel) (lambda (value) value))
    (else-case (lambda () "nothing is ready, and there is no waiting for it"))))
(exit 0)
