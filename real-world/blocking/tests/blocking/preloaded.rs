//! Programs that were not written for corun, with `libcorun_hook.so` preloaded: their threads are coroutines on two workers.
//!
//! The programs are those of `c/`, with a thread for each request, and Debian's tinyproxy, an HTTP proxy with a thread for each connection.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use blocking_world::{SlowServer, WORKERS, alone, body_for, threads};
use real_world::{Folder, MariaDb, Postgres, Redis, free_port, installed, run};

use crate::c_libraries::{can_compile, sources};
use crate::{CROWD, LIMIT};

/// More than the workers, the thread that runs `main`, the one that watches and those for names; far fewer than one for each request.
const FEW: usize = 40;

/// Has the program's threads become coroutines.
fn preload(command: &mut Command) {
    let tests = std::env::current_exe().expect("/proc is mounted");
    // Cargo builds it beside the tests.
    let library = tests.with_file_name("libcorun_hook.so");
    assert!(library.exists(), "{}", library.display());
    command
        .env("LD_PRELOAD", library)
        .env("CORUN_HOOK_THREADS", "1")
        .env("CORUN_WORKERS", WORKERS.to_string());
}

/// How many threads a process has; 0 if it has ended.
fn threads_of(process: &Child) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.id()));
    tasks.map_or(0, Iterator::count)
}

/// What a program prints, how long it took, and how many threads it has had at once.
fn measure(mut command: Command) -> (String, Duration, usize) {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut all = String::new();
        output.read_to_string(&mut all).expect("text");
        all
    });
    let mut most = 0;
    let status = loop {
        most = most.max(threads_of(&child));
        if let Some(status) = child.try_wait().expect("it is a child") {
            break status;
        }
        assert!(began.elapsed() < 6 * LIMIT, "no end");
        std::thread::sleep(Duration::from_millis(1));
    };
    let took = began.elapsed();
    assert!(status.success(), "{status}");
    (reader.join().expect("no panic"), took, most)
}

/// Runs a program of `c/` with threads, and with coroutines in their place.
fn compare(name: &str, options: &[&str], port: u16, count: usize, good: fn(usize) -> String) {
    let folder = Folder::new();
    let program = folder.file(name);
    let source = |name: &str| sources().join(name).to_str().expect("UTF-8").to_owned();
    let (first, second) = (source("crowd.c"), source(&format!("{name}.c")));
    let arguments = [
        "-O2",
        "-D_FORTIFY_SOURCE=2",
        "-Wall",
        "-pthread",
        "-o",
        &program,
        &first,
        &second,
    ];
    run("cc", &[&arguments, options].concat());
    let command = || {
        let mut command = Command::new(&program);
        command.args(["127.0.0.1", &port.to_string(), &count.to_string()]);
        command
    };
    let (on_threads, took, most) = measure(command());
    let mut preloaded = command();
    preload(&mut preloaded);
    let (in_coroutines, took_too, most_too) = measure(preloaded);
    let said = writeln!(
        std::io::stderr(),
        "{name}, a program: {count} on {most} threads in {took:.0?}, preloaded on {most_too} in {took_too:.0?}"
    );
    said.expect("standard error");
    let expected: String = (0..count)
        .map(|number| good(number).trim_end().to_owned() + "\n")
        .collect();
    let shown = |text: String| {
        text.lines()
            .filter(|line| !line.is_empty())
            .map(|line| line.to_owned() + "\n")
            .collect::<String>()
    };
    assert!(shown(on_threads) == expected, "{name} on threads");
    let in_coroutines = shown(in_coroutines);
    assert_eq!(in_coroutines.len(), expected.len(), "{name}");
    assert!(in_coroutines == expected, "{name} in coroutines");
    assert!(most_too < FEW, "{name} had {most_too} threads");
    assert!(took_too < LIMIT, "{name} took {took_too:?}");
}

#[test]
fn a_program_with_hiredis() {
    let _alone = alone();
    if !can_compile("hiredis/hiredis.h") {
        return;
    }
    let Some(server) = Redis::start() else { return };
    compare("hiredis", &["-lhiredis"], server.port(), CROWD, |number| {
        format!("waited 1, got value:{number}, removed 1")
    });
}

#[test]
fn a_program_with_libpq() {
    let _alone = alone();
    if !can_compile("postgresql/libpq-fe.h") {
        return;
    }
    let Some(server) = Postgres::start() else {
        return;
    };
    let options = ["-I/usr/include/postgresql", "-lpq"];
    compare(
        "libpq",
        &options,
        server.port(),
        Postgres::CONNECTIONS,
        |number| format!("PGRES_TUPLES_OK, {} and 100000, 42P01", 2 * number),
    );
}

#[test]
fn a_program_with_the_client_of_mariadb() {
    let _alone = alone();
    if !can_compile("mariadb/mysql.h") {
        return;
    }
    let Some(server) = MariaDb::start() else {
        return;
    };
    let options = ["-I/usr/include/mariadb", "-lmariadb"];
    compare("mariadb", &options, server.port(), CROWD, |number| {
        format!("0, {}, 100000, error 1146", 2 * number)
    });
}

#[test]
fn a_program_with_libcurl() {
    let _alone = alone();
    if !can_compile("curl/curl.h") {
        return;
    }
    let server = SlowServer::start(1);
    let port = server.address().port();
    compare("curl", &["-lcurl"], port, CROWD, |number| {
        body_for(&format!("/{number}"))
    });
}

/// Debian's tinyproxy between hundreds of clients and a server that answers nobody before all have asked: so many of its threads wait at once.
#[test]
fn tinyproxy_carries_hundreds_of_connections_on_two_workers() {
    /// More at once than its queue of connections holds would only be late.
    const CLIENTS: usize = 300;
    let _alone = alone();
    if !installed(&["tinyproxy"]) {
        return;
    }
    let server = SlowServer::start(CLIENTS);
    let upstream = server.address();
    let folder = Folder::new();
    let mut few = 0;
    for preloaded in [false, true] {
        let port = free_port();
        let settings = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 2000\nLogLevel Connect\nLogFile \"{}\"\n",
            folder.file("log")
        );
        fs::write(folder.file("settings"), settings).expect("it is ours");
        let mut command = Command::new("tinyproxy");
        command
            .args(["-d", "-c", &folder.file("settings")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if preloaded {
            preload(&mut command);
        }
        let proxy = Ended(command.spawn().expect("it starts"));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < LIMIT, "it does not listen");
            std::thread::yield_now();
        }
        let crowd = threads(CLIENTS, move |number| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a proxy");
            let limit = Some(Duration::from_secs(60));
            stream.set_read_timeout(limit).expect("a socket");
            let head = format!(
                "GET http://{upstream}/meet/{number} HTTP/1.1\r\nHost: {upstream}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).expect("a proxy");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
            (
                head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"),
                body.to_owned(),
            )
        });
        let now = threads_of(&proxy.0);
        for (number, answer) in crowd.results.into_iter().enumerate() {
            assert_eq!(answer, (true, body_for(&format!("/meet/{number}"))));
        }
        assert_eq!(server.most_at_once(), CLIENTS);
        let said = writeln!(
            std::io::stderr(),
            "tinyproxy, preloaded: {preloaded}: {CLIENTS} in {:.0?}, with {now} threads in the end",
            crowd.took
        );
        said.expect("standard error");
        if preloaded {
            few = now;
        }
    }
    // Workers end only with the process, so that none was there before either.
    assert!((1..FEW).contains(&few), "{few} threads");
}

/// A program that is ended.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
