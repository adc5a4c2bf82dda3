;; Three tasks that add up. Nothing runs at once, so nothing needs a lock; yet who sleeps lets the others run.
(define total 0)

(define (add-slowly name amount times)
  (lambda ()
    (for-each
      (lambda (n)
        (set! total (+ total amount))
        (g_coroutine-sleep 0.01))
      (range 0 times))
    (displayln name "has added" (* amount times))))

(g_coroutine-run (add-slowly "ones" 1 3))
(g_coroutine-run (add-slowly "tens" 10 5))
(g_coroutine-run (add-slowly "hundreds" 100 7))
(g_coroutine-wait)
(displayln "total" total)
