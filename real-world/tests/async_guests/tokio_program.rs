//! The reverse: coroutines of corun in a program of tokio's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corun::channel::{bounded, unbounded};

use crate::runtime;

/// The program's own runtime.
fn tokio_program<F: Future>(main: F) -> F::Output {
    let program = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    program.expect("a runtime of tokio's").block_on(main)
}

#[test]
fn ten_thousand_coroutines_are_awaited() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let handle = runtime.handle().clone();
        let sum = tokio_program(async move {
            // A hundred tasks of tokio's, each with a hundred coroutines, which wait by blocking.
            let tasks: Vec<_> = (0..100u64)
                .map(|task| {
                    let handle = handle.clone();
                    tokio::spawn(async move {
                        let coroutines: Vec<_> = (0..100)
                            .map(|number| {
                                handle.spawn(move || {
                                    corun::sleep(Duration::from_millis(5));
                                    task * 100 + number
                                })
                            })
                            .collect();
                        let mut sum = 0;
                        for coroutine in coroutines {
                            sum += coroutine.await.expect("no coroutine panics");
                        }
                        sum
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.expect("no task panics");
            }
            sum
        });
        assert_eq!(sum, 49_995_000);
        runtime
            .shutdown(Duration::from_secs(10))
            .expect("all have ended");
    }
}

/// A task that is aborted, or gives up, lets go of the handle; its coroutine goes on by itself.
#[test]
fn to_stop_awaiting_leaves_the_coroutine_to_itself() {
    const MANY: usize = 1_000;
    let runtime = runtime(2);
    let handle = runtime.handle().clone();
    let ended = Arc::new(AtomicUsize::new(0));
    let (open, gate) = unbounded();
    let coroutine = {
        let ended = Arc::clone(&ended);
        move |gate: corun::channel::Receiver<()>| {
            let ended = Arc::clone(&ended);
            move || {
                gate.recv().expect("the gate is opened");
                ended.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    tokio_program(async {
        let mut aborted = Vec::new();
        for number in 0..MANY {
            let awaited = handle.spawn(coroutine(gate.clone()));
            if number % 2 == 0 {
                // Polled, and then dropped.
                let limit = tokio::time::timeout(Duration::from_micros(1), awaited);
                limit.await.expect_err("the gate is shut");
            } else {
                aborted.push(tokio::spawn(awaited));
            }
        }
        tokio::task::yield_now().await;
        for task in aborted {
            task.abort();
            let result = task.await;
            assert!(result.expect_err("it was aborted").is_cancelled());
        }
        assert_eq!(ended.load(Ordering::SeqCst), 0);
        for _ in 0..MANY {
            open.send_async(()).await.expect("somebody waits");
        }
    });
    runtime
        .shutdown(Duration::from_secs(10))
        .expect("all have ended");
    assert_eq!(ended.load(Ordering::SeqCst), MANY);
}

#[test]
fn a_panic_of_a_coroutine_reaches_the_task_that_awaits() {
    let runtime = runtime(1);
    tokio_program(async {
        let payload = runtime.spawn(|| panic!("as it should")).await;
        let payload = payload.map(|()| "nothing").expect_err("it panics");
        assert_eq!(payload.downcast_ref(), Some(&"as it should"));
    });
}

/// Sockets and channels of corun are for tokio's tasks too: no worker of corun's runs these.
#[test]
fn tasks_use_channels_and_sockets() {
    tokio_program(async {
        let listener = corun::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("bound");
        let (sender, receiver) = bounded(1);
        let server = tokio::spawn(async move {
            for _ in 0..100 {
                let (stream, _) = listener.accept_async().await.expect("accept");
                sender.send_async(stream).await.expect("somebody receives");
            }
        });
        let clients = tokio::spawn(async move {
            let mut buffer = [0; 8];
            for _ in 0..100 {
                let client = corun::net::TcpStream::connect_async(address).await;
                let client = client.expect("connect");
                client.write_async(b"question").await.expect("write");
                let count = client.read_async(&mut buffer).await.expect("read");
                assert_eq!(&buffer[..count], b"answer");
            }
        });
        for _ in 0..100 {
            let stream = receiver.recv_async().await.expect("the server sends");
            // A coroutine that blocks serves what a task has accepted.
            corun::spawn(move || {
                use std::io::{Read, Write};
                let mut question = [0; 8];
                (&stream).read_exact(&mut question).expect("read");
                (&stream).write_all(b"answer").expect("write");
            });
        }
        server.await.expect("no panic");
        clients.await.expect("no panic");
    });
}
