//! The rows with channels, select and locks.

use super::{CORE_0, Contestant, Family, Goal, Kind, Metric, Point, higher, lower, only};

const BOTH_CORES: &[usize] = &[0, 1];

/// Those that take part in the rows with channels, and how their command lines begin. Threads are much slower where each message
/// is a switch of threads: they are given a share of the work.
const RUNTIMES: &[(&str, &str)] = &[
    ("corun", "corun {workers}"),
    ("kanal on tokio", "tokio_channels {workers} kanal"),
    ("flume on tokio", "tokio_channels {workers} flume"),
    (
        "async-channel on tokio",
        "tokio_channels {workers} async_channel",
    ),
    ("tokio", "tokio_channels {workers} tokio"),
    ("may", "may {workers}"),
    ("Go", "gopeer {workers}"),
];
const THREADS: &[(&str, &str)] = &[
    ("crossbeam on threads", "threads crossbeam"),
    ("std on threads", "threads std"),
];

/// `work` on the runtimes and `share` of it on threads, all but some contestants.
fn contestants(workers: &str, work: &str, share: Option<&str>, but: &[&str]) -> Vec<Contestant> {
    let runtimes = RUNTIMES
        .iter()
        .map(|(name, start)| (*name, *start, Some(work)));
    let threads = THREADS.iter().map(|(name, start)| (*name, *start, share));
    runtimes
        .chain(threads)
        .filter(|(name, ..)| !but.contains(name))
        .filter_map(|(name, start, work)| {
            let command = format!("{} {}", start.replace("{workers}", workers), work?);
            Some(Contestant { name, command })
        })
        .collect()
}

/// With corun's coroutines dealt out to both workers, behind corun itself. Nothing with one worker.
fn and_spread(mut all: Vec<Contestant>, command: &str) -> Vec<Contestant> {
    let spread = Contestant {
        name: "corun, spread",
        command: format!("corun {{point}} spread-{command}"),
    };
    all.insert(1, spread);
    all
}

/// One and two workers.
fn workers() -> Vec<Point> {
    let point = |label, argument, cpus| Point {
        label,
        argument,
        cpus,
        quick: true,
    };
    vec![
        point("1 worker", "1", CORE_0),
        point("2 workers", "2", BOTH_CORES),
    ]
}

fn point(label: &'static str, argument: &'static str) -> Point {
    Point {
        label,
        argument,
        cpus: CORE_0,
        quick: true,
    }
}

pub fn families() -> Vec<Family> {
    let row = |id, title, about, points, metric: Metric, contestants| Family {
        id,
        title,
        about,
        kind: Kind::Process,
        points,
        metrics: vec![metric],
        contestants,
    };
    let mut all = vec![
        row(
            "pingpong",
            "Rendezvous ping-pong",
            "Two tasks exchange numbers over two channels of capacity 0. tokio and async-channel have none: theirs have 1. \
             may's channels are unbounded. \"corun, spread\": the two are on different workers.",
            workers(),
            lower("ns", "ns per message", &[Goal::Value(50.0), Goal::None]),
            and_spread(
                contestants("{point}", "pingpong 2000000", Some("pingpong 100000"), &[]),
                "pingpong 100000",
            ),
        ),
        row(
            "buffered",
            "Buffered, 1 to 1",
            "One task sends numbers to another, over a channel of capacity 128 and over an unbounded one.",
            vec![point("128", "128"), point("unbounded", "unbounded")],
            higher("mps", "million messages per second", &[Goal::Value(80.0)]),
            contestants(
                "1",
                "buffered {point} 10000000",
                Some("buffered {point} 3000000"),
                &[],
            ),
        ),
        row(
            "crowd",
            "Buffered, 8 to 8",
            "Eight tasks send and eight receive over one channel of capacity 128 (may: unbounded). corun often leaves all of \
             them to one worker; \"corun, spread\" has half of each kind on either.",
            workers(),
            higher("mps", "million messages per second", &[Goal::Value(60.0)]),
            and_spread(
                contestants(
                    "{point}",
                    "crowd 8000000",
                    Some("crowd 2000000"),
                    &["tokio", "std on threads"],
                ),
                "crowd 2000000",
            ),
        ),
        row(
            "select",
            "Select of two",
            "One task receives by select from two channels of capacity 128, each with a sender. Left out are kanal and may, which lose \
             messages here: an arm that is not chosen may have taken one.",
            only("4000000"),
            lower("ns", "ns per message", &[Goal::Value(45.0)]),
            contestants(
                "1",
                "select {point}",
                Some("select 1000000"),
                &["kanal on tokio", "may", "std on threads"],
            ),
        ),
        row(
            "ring",
            "Ring of 503",
            "A token goes round among 503 tasks over channels of capacity 0 (1 where there is none; may: unbounded).",
            only("4000000"),
            lower("ns", "ns per hop", &[Goal::Value(35.0)]),
            contestants("1", "ring {point}", Some("ring 100000"), &[]),
        ),
        row(
            "sieve",
            "Sieve, 2,000 primes",
            "Each prime found becomes a task that lets through what it does not divide, over channels of capacity 0 (1 where there \
             is none): 2,042,625 messages. Left out is may, whose channels have no capacity at which a sender waits.",
            only(""),
            lower("ms", "ms", &[Goal::Value(120.0)]),
            contestants("1", "sieve", None, &["may"]),
        ),
        row(
            "mutex",
            "Mutex, 64 tasks",
            "64 tasks lock a mutex, count, and unlock it, again and again. \"corun, spread\": 32 of them on either worker.",
            workers(),
            lower(
                "ns",
                "ns per operation",
                &[Goal::Value(6.0), Goal::Value(25.0)],
            ),
            vec![
                ("corun", "corun {point} mutex 10000000"),
                ("corun, spread", "corun {point} spread-mutex 10000000"),
                ("tokio", "tokio_channels {point} tokio mutex 2000000"),
                ("may", "may {point} mutex 3000000"),
                ("Go", "gopeer {point} mutex 10000000"),
                ("std on threads", "threads std mutex 10000000"),
                (
                    "parking_lot on threads",
                    "threads parking_lot mutex 10000000",
                ),
            ]
            .into_iter()
            .map(|(name, command)| Contestant {
                name,
                command: command.to_owned(),
            })
            .collect(),
        ),
        row(
            "footprint",
            "Empty channels",
            "Bytes of heap that a channel of words takes before it is used, both its ends included. Counted is what is asked of the \
             allocator; for Go what its runtime reports. The goal for a channel without slots is 64 bytes and its lock and queues \
             (40 bytes).",
            vec![
                point("capacity 0", "0"),
                point("capacity 128", "128"),
                point("unbounded", "unbounded"),
            ],
            lower("bytes", "bytes", &[Goal::Value(104.0), Goal::None]),
            [
                ("corun", "corun"),
                ("kanal", "kanal"),
                ("flume", "flume"),
                ("async-channel", "async_channel"),
                ("tokio", "tokio"),
                ("may", "may"),
                ("crossbeam", "crossbeam"),
                ("std", "std"),
            ]
            .into_iter()
            .map(|(name, peer)| Contestant {
                name,
                command: format!("footprint {peer} {{point}}"),
            })
            .chain([Contestant {
                name: "Go",
                command: "gopeer 1 footprint {point}".to_owned(),
            }])
            .collect(),
        ),
    ];
    for (id, title, workers, cpus) in [
        ("named", "Go's own benchmarks, 1 worker", "1", CORE_0),
        ("named2", "Go's own benchmarks, 2 workers", "2", BOTH_CORES),
    ] {
        all.push(Family {
            points: named(cpus),
            ..row(
                id,
                title,
                "The workloads of the benchmarks of Go's runtime, with their names and parameters, written anew in both languages.",
                Vec::new(),
                lower("ns", "ns per operation", &[Goal::OfBest(1.0)]),
                vec![
                    Contestant {
                        name: "corun",
                        command: format!("corun {workers} named {{point}}"),
                    },
                    Contestant {
                        name: "Go",
                        command: format!("gopeer {workers} named {{point}}"),
                    },
                ],
            )
        });
    }
    all
}

/// Each with as many operations as take some tenths of a second.
fn named(cpus: &'static [usize]) -> Vec<Point> {
    [
        ("ChanUncontended", "ChanUncontended 100000"),
        ("ChanContended", "ChanContended 100000"),
        ("ChanSync", "ChanSync 2000000"),
        ("ChanProdCons0", "ChanProdCons0 3000000"),
        ("ChanProdCons10", "ChanProdCons10 4000000"),
        ("ChanProdCons100", "ChanProdCons100 5000000"),
        ("SelectUncontended", "SelectUncontended 5000000"),
        ("SelectSyncContended", "SelectSyncContended 1000000"),
        ("SelectProdCons", "SelectProdCons 2000000"),
        ("ChanSem", "ChanSem 10000000"),
        ("ChanPopular", "ChanPopular 1000"),
    ]
    .map(|(label, argument)| Point {
        label,
        argument,
        cpus,
        quick: true,
    })
    .into()
}
