//! S0.2, S0.6, S0.7: requests, many at once, and what callbacks get.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Request, Script, answer, command, run_alone, script, serve};

/// `/delay/MS` answers after so many milliseconds, others at once, with what was asked for.
fn respond(request: Request) -> Vec<u8> {
    if let Some(delay) = request.path.strip_prefix("/delay/") {
        corun::sleep(Duration::from_millis(delay.parse().unwrap()));
    }
    match request.path.as_str() {
        "/missing" => answer("404 Not Found", "X-Reason: none\r\n", "no such thing"),
        "/moved" => answer("302 Found", "Location: /there\r\n", ""),
        "/headers" => {
            let header = request.header("X-Ask").unwrap_or("none").to_owned();
            answer("200 OK", &format!("X-Answer: {header}\r\n"), "")
        }
        path => {
            let body = String::from_utf8_lossy(&request.body);
            answer("200 OK", "", &format!("{} {path} [{body}]", request.method))
        }
    }
}

#[test]
fn a_hundred_slow_requests_take_no_longer_than_one() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, high) = (Arc::clone(&now), Arc::clone(&most));
    let port = serve(move |request| {
        high.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let answer = respond(request);
        count.fetch_sub(1, Ordering::SeqCst);
        answer
    });
    let text = format!(
        r#"
        (define begin-time (current-inexact-milliseconds))
        (define good 0)
        (for-each
          (lambda (n)
            (g_http-async-get "http://127.0.0.1:{port}/delay/1000" '()
              (lambda (response) (when (= 200 (http-status response)) (set! good (+ good 1))))))
          (range 0 100))
        (displayln "asked")
        (g_http-wait-all)
        (define took (- (current-inexact-milliseconds) begin-time))
        (displayln good (and (>= took 1000) (< took 2000) #true) (if (< took 2000) "" took))
        "#
    );
    // One worker is enough: what carries them is not a pool of threads.
    let script = Script::new(&text);
    run_alone(&mut command(&[
        "--workers",
        "1",
        script.path.to_str().unwrap(),
    ]))
    .prints("asked\n100 #true");
    assert_eq!(
        most.load(Ordering::SeqCst),
        100,
        "all were in flight together"
    );
}

#[test]
fn callbacks_run_in_the_order_of_completion() {
    let port = serve(respond);
    script(&format!(
        r#"
        (define called '())
        (define (ask milliseconds)
          (g_http-async-get (string-append "http://127.0.0.1:{port}/delay/" (int->string milliseconds)) '()
            (lambda (response) (set! called (cons milliseconds called)))))
        (for-each ask '(1200 600 300))
        (displayln (g_http-poll) called)
        (displayln (g_http-wait-all 0.01))
        ;; A sleep gives way to callbacks.
        (g_coroutine-sleep 0.5)
        (displayln (member 300 called))
        (displayln (g_http-wait-all) called)
        (displayln (g_http-poll))
        ;; A task waits for the future of a request while others run, and asks for the next from there.
        (go (lambda ()
              (let ((response (future-wait (g_http-async-get "http://127.0.0.1:{port}/delay/100" '() (lambda (r) (displayln "callback"))))))
                (displayln (http-status response)))))
        (go (lambda () (displayln "meanwhile")))
        (g_coroutine-wait)
        ;; From callback to callback.
        (g_http-async-get "http://127.0.0.1:{port}/delay/1" '()
          (lambda (r) (g_http-async-get "http://127.0.0.1:{port}/delay/2" '() (lambda (r) (displayln "chained")))))
        "#
    ))
    .prints("0 ()\n#false\n(300)\n#true (1200 600 300)\n0\nmeanwhile\ncallback\n200\nchained");
}

#[test]
fn methods_headers_and_bodies() {
    let port = serve(respond);
    script(&format!(
        r#"
        (define (url path) (string-append "http://127.0.0.1:{port}" path))
        (define (body response) (displayln (http-body response)))
        (define (one request) (g_http-wait-all))
        (one (g_http-async-get (url "/a?b=c") '() body))
        (one (g_http-async-post (url "/form") '() "x=1" body))
        (one (g_http-async-post (url "/raw") (hash "Content-Type" "image/png") (bytes 65 66) body))
        (one (g_http-async-head (url "/a") '() (lambda (r) (displayln (http-status r) (equal? "" (http-body r))))))
        (one (g_http-async-get (url "/headers") '(("X-Ask" . "pair")) (lambda (r) (displayln (http-header r "x-answer")))))
        (one (g_http-async-get (url "/headers") '(("X-Ask" "list")) (lambda (r) (displayln (http-header r "x-none")))))
        ;; A status is no error: the callback sees it.
        (one (g_http-async-get (url "/missing") '() (lambda (r) (displayln (http-status r) (http-header r "X-Reason") (http-error? r)))))
        (one (g_http-async-get (url "/moved") '() body))
        (one (g_http-async-get (url "/a") '() (lambda (r) (displayln (http-response? r) (bytes? (http-body-bytes r))))))
        "#
    ))
    .prints(
        "GET /a?b=c []\nPOST /form [x=1]\nPOST /raw [AB]\n200 #true\npair\n#false\n404 none #false\nGET /there []\n#true #true",
    );
}

#[test]
fn failures_reach_their_callbacks() {
    let port = serve(respond);
    // Bound and closed again, so that nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let rude = serve(|_| b"this is not HTTP\r\n\r\n".to_vec());
    let short = serve(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nshort".to_vec()
    });
    script(&format!(
        r#"
        (define (ask url)
          (g_http-async-get url '() (lambda (r) (displayln (http-error? r) (string? (http-error-message r)))))
          (g_http-wait-all))
        (ask "http://127.0.0.1:{nobody}/")
        (ask "http://no-such-host.invalid/")
        (ask "http://127.0.0.1:{rude}/")
        (ask "https://127.0.0.1:{port}/")
        (http-timeout! 0.2)
        (ask "http://127.0.0.1:{short}/")
        (g_http-async-get "http://127.0.0.1:{port}/delay/5000" '() (lambda (r) (displayln (http-error-message r))))
        (g_http-wait-all)
        (http-timeout! #false)
        (g_http-async-get "http://127.0.0.1:{port}/delay/300" '() (lambda (r) (displayln (http-status r))))
        "#
    ))
    .prints("#true #true\n#true #true\n#true #true\n#true #true\n#true #true\ntimeout: global\n200");
}

#[test]
fn a_callback_that_raises_is_reported_with_its_place() {
    let port = serve(respond);
    let run = script(&format!(
        "(g_http-async-get \"http://127.0.0.1:{port}/a\" '()\n  (lambda (response)\n    (vector-ref response 0)))\n\
         (g_http-wait-all)\n\
         (g_http-async-get \"http://127.0.0.1:{port}/b\" '() (lambda (response) (displayln (http-body response))))"
    ));
    assert_eq!(run.stdout.trim_end(), "GET /b []", "{run:#?}");
    assert!(
        run.stderr.contains(".scm:3:6: error: vector-ref"),
        "{run:#?}"
    );
    assert!(
        run.stderr
            .contains("in the callback of g_http-async-get for http://127.0.0.1"),
        "{run:#?}"
    );
    assert_eq!(run.code, Some(1), "{run:#?}");
}

#[test]
fn wrong_arguments_name_procedure_and_argument() {
    script(
        r#"
        (define (caught thunk) (displayln (with-handler error-object-message (thunk))))
        (define (callback r) r)
        (caught (lambda () (g_http-async-get 5 '() callback)))
        (caught (lambda () (g_http-async-get "ht!tp://x y" '() callback)))
        (caught (lambda () (g_http-async-get "ftp://host/" '() callback)))
        (caught (lambda () (g_http-async-get "http://host/" "Accept: all" callback)))
        (caught (lambda () (g_http-async-get "http://host/" '(("bad name" . "x")) callback)))
        (caught (lambda () (g_http-async-get "http://host/" '(("X" . "a\nb")) callback)))
        (caught (lambda () (g_http-async-get "http://host/" '() 'callback)))
        (caught (lambda () (g_http-async-post "http://host/" '() 17 callback)))
        (caught (lambda () (g_coroutine-sleep "long")))
        (caught (lambda () (g_coroutine-sleep -1)))
        (caught (lambda () (make-channel 1.5)))
        (caught (lambda () (http-status "no response")))
        (caught (lambda () (tcp-connect "localhost" 65536)))
        (caught (lambda () (tcp-read 'stream 10)))
        (caught (lambda () (select 1)))
        (displayln "end")
        "#,
    )
    .prints(
        r#"g_http-async-get: argument 1 (URL) must be a string, not 5
           g_http-async-get: argument 1 (URL) must be a URL (invalid format), not "ht!tp://x y"
           g_http-async-get: argument 1 (URL) must be a URL that begins with http:// or https:// and a host, not "ftp://host/"
           g_http-async-get: argument 2 (HEADERS) must be a list of pairs of strings, like '(("Accept" . "text/plain")), or a hash, not "Accept: all"
           g_http-async-get: argument 2 (HEADERS) must have valid headers (see the name "bad name"), not (("bad name" . "x"))
           g_http-async-get: argument 2 (HEADERS) must have valid headers (see the value of "X"), not (("X" . "a\nb"))
           g_http-async-get: argument 3 (CALLBACK) must be a procedure with one argument, not callback
           g_http-async-post: argument 3 (BODY) must be a string or bytes, not 17
           g_coroutine-sleep: argument 1 (SECONDS) must be a number of seconds that is not negative, not "long"
           g_coroutine-sleep: argument 1 (SECONDS) must be a number of seconds that is not negative, not -1
           make-channel: argument 1 (CAPACITY) must be a whole number that is not negative, not 1.5
           http-status: argument 1 (RESPONSE) must be the response that a callback of g_http-async-get gets, not "no response"
           tcp-connect: argument 2 (PORT) must be a port (0 to 65535), not 65536
           tcp-read: argument 1 (STREAM) must be a stream of tcp-connect or tcp-accept, not stream
           select: argument 1 (CASE) must be a receive-case, send-case, after-case or else-case, not 1
           end"#,
    );
}
