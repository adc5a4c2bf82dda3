//! What is measured, on whom, and what corun is to reach.

mod channels;
mod clients;
mod guests;
mod promises;

/// A workload at one or several sizes, measured on corun and its peers.
pub struct Family {
    pub id: &'static str,
    pub title: &'static str,
    /// What the workload does, for the reader of the report.
    pub about: &'static str,
    pub kind: Kind,
    pub points: Vec<Point>,
    pub metrics: Vec<Metric>,
    pub contestants: Vec<Contestant>,
}

/// How a family is run.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// A process that measures itself.
    Process,
    /// A server under load.
    Echo,
    /// A proxy between the two ends of the load generator.
    Proxy,
}

/// One size of a workload.
pub struct Point {
    pub label: &'static str,
    /// What stands for `{point}` in the contestants' command lines; for servers the number of connections.
    pub argument: &'static str,
    pub cpus: &'static [usize],
    pub quick: bool,
}

pub struct Metric {
    pub key: &'static str,
    pub title: &'static str,
    pub higher_is_better: bool,
    /// By point; the last one holds for the points after it.
    pub goals: Vec<Goal>,
    /// A share, not a quantity.
    pub percent: bool,
}

/// What corun's median is compared with. A factor above 1 leaves that much room where lower is better.
#[derive(Clone, Copy)]
pub enum Goal {
    /// Shown, and not judged.
    None,
    Value(f64),
    /// A multiple of the median of this peer in the same run.
    Of(&'static str, f64),
    /// A multiple of the best peer's median in the same run.
    OfBest(f64),
}

pub struct Contestant {
    pub name: &'static str,
    /// Program and arguments; `{point}` is the point's argument.
    pub command: String,
}

impl Metric {
    pub fn goal(&self, point: usize) -> Goal {
        self.goals
            .get(point)
            .or(self.goals.last())
            .copied()
            .unwrap_or(Goal::None)
    }
}

/// Shown as percentages, and not judged.
fn share(key: &'static str, title: &'static str) -> Metric {
    Metric {
        key,
        title,
        higher_is_better: false,
        goals: vec![Goal::None],
        percent: true,
    }
}

fn lower(key: &'static str, title: &'static str, goals: &[Goal]) -> Metric {
    Metric {
        key,
        title,
        higher_is_better: false,
        goals: goals.to_vec(),
        percent: false,
    }
}

fn higher(key: &'static str, title: &'static str, goals: &[Goal]) -> Metric {
    Metric {
        key,
        title,
        higher_is_better: true,
        goals: goals.to_vec(),
        percent: false,
    }
}

const CORE_0: &[usize] = &[0];

fn only(argument: &'static str) -> Vec<Point> {
    vec![Point {
        label: "",
        argument,
        cpus: CORE_0,
        quick: true,
    }]
}

/// The runtimes on one worker, each running `workload`; may with one of its own where it needs one, or not at all.
fn runtimes(workload: &str, may: Option<&str>) -> Vec<Contestant> {
    let commands = [
        ("corun", "corun 1 "),
        ("tokio", "tokio ct "),
        ("tokio mt", "tokio mt 1 "),
        ("smol", "smol 1 "),
        ("may", "may 1 "),
        ("Go", "gopeer 1 "),
    ];
    let mut all = Vec::new();
    for (name, start) in commands {
        let end = match (name, may) {
            ("may", None) => continue,
            ("may", Some(other)) => other,
            _ => workload,
        };
        all.push(Contestant {
            name,
            command: format!("{start}{end}"),
        });
    }
    all
}

pub fn families() -> Vec<Family> {
    let mut all = tasks();
    all.extend(guests::families());
    all.extend(channels::families());
    all.push(promises::family());
    all.extend(clients::families());
    all.extend(sockets());
    all
}

fn tasks() -> Vec<Family> {
    let contestant = |name, command: &str| Contestant {
        name,
        command: command.to_owned(),
    };
    let yield_point = |label, argument, quick| Point {
        label,
        argument,
        cpus: CORE_0,
        quick,
    };
    vec![
        Family {
            id: "switch",
            title: "Raw switch",
            about: "A main context and a coroutine alternate with no scheduler, passing a number both ways; both sides \
                    inlined.",
            kind: Kind::Process,
            points: only("20000000"),
            metrics: vec![lower("ns", "ns per switch", &[Goal::Of("corosensei", 1.0)])],
            contestants: vec![
                contestant("corun", "switches corun {point}"),
                contestant("corosensei", "switches corosensei {point}"),
                contestant("generator", "switches generator {point}"),
                contestant("boost.context", "boost_switch {point}"),
            ],
        },
        Family {
            id: "yield",
            title: "Yield",
            about: "All coroutines (or tasks) yield in turn on one worker: from when all have started to the end of the last one.",
            kind: Kind::Process,
            points: vec![
                yield_point("1,000", "1000 2000", true),
                yield_point("10,000", "10000 200", true),
                yield_point("100,000", "100000 30", true),
            ],
            metrics: vec![lower(
                "ns",
                "ns per yield",
                &[Goal::Value(9.6), Goal::OfBest(1.0)],
            )],
            contestants: runtimes("yield {point}", Some("yield {point}")),
        },
        Family {
            id: "spawn",
            title: "Spawn and finish",
            about: "One coroutine spawns batches of 1,000 that count up and finish, and waits for each batch. One \
                    worker, handles dropped (may: joined, since waiting by yields would keep its new coroutines from \
                    starting).",
            kind: Kind::Process,
            points: only("2000000"),
            metrics: vec![lower("ns", "ns each", &[Goal::Value(50.0)])],
            contestants: runtimes("spawn {point}", Some("spawn 100000")),
        },
        Family {
            id: "parked",
            title: "1,000,000 parked",
            about: "1,000,000 are spawned and park; then all are woken, one by one, and finish. Bytes count resident \
                    memory and page tables. Default stack sizes. Stackless tasks park in a future that holds nothing but \
                    a flag. may: 25,000, since 100,000 fail with ENOMEM.",
            kind: Kind::Process,
            points: only("1000000"),
            metrics: vec![
                lower("bytes", "bytes each", &[Goal::Value(4700.0)]),
                lower(
                    "create_ns",
                    "ns to create and park each",
                    &[Goal::Value(10_000.0)],
                ),
                lower(
                    "wake_ns",
                    "ns to wake and finish each",
                    &[Goal::Value(200.0)],
                ),
            ],
            contestants: runtimes("parked {point}", Some("parked 25000")),
        },
        Family {
            id: "skynet",
            title: "Skynet, 1,000,000 leaves",
            about: "A tree in which each node spawns ten children and adds up what they return, through join handles \
                    (Go: a channel). may is not asked: it dies.",
            kind: Kind::Process,
            points: vec![
                Point {
                    label: "1 worker",
                    argument: "1",
                    cpus: CORE_0,
                    quick: true,
                },
                Point {
                    label: "2 workers",
                    argument: "2",
                    cpus: &[0, 1],
                    quick: true,
                },
            ],
            metrics: vec![lower("ms", "ms", &[Goal::OfBest(0.5)])],
            contestants: vec![
                contestant("corun", "corun {point} skynet 1000000"),
                contestant("tokio mt", "tokio mt {point} skynet 1000000"),
                contestant("smol", "smol {point} skynet 1000000"),
                contestant("Go", "gopeer {point} skynet 1000000"),
            ],
        },
        Family {
            id: "timers",
            title: "100,000 timers over 1 s",
            about: "100,000 are spawned at once and sleep for as many different times between 0 and 1 s, in shuffled \
                    order. One worker; CPU time of all, creation included. may: 25,000.",
            kind: Kind::Process,
            points: only("100000"),
            metrics: vec![
                lower("cpu_s", "CPU s", &[Goal::Value(0.16)]),
                lower("late_us", "median lateness, us", &[Goal::Value(100.0)]),
                lower("late_p99_us", "p99 lateness, us", &[Goal::None]),
            ],
            contestants: runtimes("timers {point}", Some("timers 25000")),
        },
    ]
}

fn sockets() -> Vec<Family> {
    let point = |label, argument, quick| Point {
        label,
        argument,
        cpus: CORE_0,
        quick,
    };
    let counts = vec![
        point("2", "2", true),
        point("4", "4", false),
        point("8", "8", false),
        point("16", "16", true),
        point("32", "32", false),
        point("64", "64", false),
        point("128", "128", true),
        point("256", "256", false),
        point("512", "512", false),
        point("1,024", "1024", true),
        point("2,048", "2048", false),
        point("4,096", "4096", false),
        point("8,192", "8192", true),
    ];
    let metrics = || {
        let within = [Goal::Of("raw epoll", 1.03)];
        vec![
            higher(
                "krps",
                "thousand requests per second",
                &[Goal::Of("raw epoll", 0.97)],
            ),
            lower("cpu_us", "server CPU us per request", &within),
            lower("p99_ms", "p99 latency, ms", &within),
            share("server_busy", "How busy the server kept its core"),
            share("load_busy", "How busy the load generator kept its core"),
        ]
    };
    let servers = |kind: &str| {
        let mut all = runtimes(kind, Some(kind));
        all.push(Contestant {
            name: "raw epoll",
            command: format!("raw_epoll {kind}"),
        });
        all
    };
    let proxy_counts = counts
        .iter()
        .take(10)
        .map(|p| point(p.label, p.argument, p.quick))
        .collect();
    vec![
        Family {
            id: "echo",
            title: "TCP echo, 8 bytes",
            about: "Each connection has one message on its way at any time. The server runs on core 0 with one worker, \
                    the load generator on core 1.",
            kind: Kind::Echo,
            points: counts,
            metrics: metrics(),
            contestants: servers("echo"),
        },
        Family {
            id: "proxy",
            title: "TCP echo proxy, 8 bytes",
            about: "The survey's table: as above, with a proxy between client and echo server: the proxy on core 0 \
                    with one worker, client and echo server in one loop on core 1. Each proxy copies each direction \
                    in a coroutine (or task) of its own.",
            kind: Kind::Proxy,
            points: proxy_counts,
            metrics: metrics(),
            contestants: servers("proxy {upstream}"),
        },
    ]
}
