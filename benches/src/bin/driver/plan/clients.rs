//! The rows with a client that blocks. They are run by programs of `benches/blocking`.

use super::{Contestant, Family, Goal, Kind, Metric, Point, lower};

pub fn families() -> Vec<Family> {
    vec![
        family(
            "client",
            "Blocking client, std::net",
            "std",
            "written by hand on `std::net::TcpStream`",
        ),
        family("ureq", "Blocking client, ureq", "ureq", "the crate `ureq`"),
    ]
}

fn family(id: &'static str, title: &'static str, client: &str, what: &str) -> Family {
    let point = |label, argument, quick| Point {
        label,
        argument,
        cpus: &[0, 1],
        quick,
    };
    let contestant = |name, command: &str| Contestant {
        name,
        command: command.replace("CLIENT", client),
    };
    let about = format!(
        "So many clients, {what}, each with a connection that stays, ask a server that answers after 100 ms; \
         10 times each, at 10,000 3 times. All start at once. On corun each is a coroutine, with corun-hook, on two workers; with \
         `spawn_blocking` a task, whose pool has tokio's 512 threads or as many as there are clients. Both cores are shared with the server, a \
         process of its own. Memory is what the process has at most, less what it has before; the kernel's own part, 16 KiB of stack and \
         more for each thread, is not in it."
    );
    Family {
        id,
        title,
        about: about.leak(),
        kind: Kind::Process,
        points: vec![
            point("100", "100 10", true),
            point("1,000", "1000 10", true),
            point("10,000", "10000 3", true),
        ],
        metrics: metrics(),
        contestants: vec![
            contestant("corun", "blocking_corun CLIENT {point}"),
            contestant("OS threads", "blocking_threads CLIENT {point}"),
            contestant("spawn_blocking", "blocking_tokio CLIENT {point}"),
            contestant("spawn_blocking, all", "blocking_tokio CLIENT {point} all"),
        ],
    }
}

fn metrics() -> Vec<Metric> {
    let of_threads = |factor| [Goal::Of("OS threads", factor)];
    vec![
        lower("mib", "MiB", &of_threads(1.0)),
        lower("cpu_us", "CPU us per request", &of_threads(1.0)),
        lower("p50_ms", "median latency, ms", &of_threads(1.05)),
        lower("p99_ms", "p99 latency, ms", &of_threads(1.05)),
    ]
}
