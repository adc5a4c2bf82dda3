//! Async tasks: corun's guests beside the runtimes that are made for them.

use super::{CORE_0, Contestant, Family, Goal, Kind, Metric, Point, lower};

const BOTH: &[usize] = &[0, 1];

/// The runtimes with async tasks; `{point}` begins with the number of workers.
fn contestants(workload: &str) -> Vec<Contestant> {
    [
        ("corun", "corun"),
        ("tokio mt", "tokio mt"),
        ("smol", "smol"),
    ]
    .map(|(name, program)| Contestant {
        name,
        // The number of workers comes before the workload.
        command: format!("{program} {{point}} async {workload}"),
    })
    .into()
}

fn points(alone: &'static [usize]) -> Vec<Point> {
    [("1 worker", "1", alone), ("2 workers", "2", BOTH)]
        .map(|(label, argument, cpus)| Point {
            label,
            argument,
            cpus,
            quick: true,
        })
        .into()
}

/// Level with tokio, give or take what two runs of the same differ by.
fn level(title: &'static str) -> Vec<Metric> {
    vec![lower("ns", title, &[Goal::Of("tokio mt", 1.05)])]
}

fn family(
    id: &'static str,
    title: &'static str,
    about: &'static str,
    workload: &str,
    alone: &'static [usize],
    metrics: Vec<Metric>,
) -> Family {
    Family {
        id,
        title,
        about,
        kind: Kind::Process,
        points: points(alone),
        metrics,
        contestants: contestants(workload),
    }
}

/// How soon what waits has ended once it was cancelled.
fn cancel() -> Family {
    Family {
        id: "cancel",
        title: "Cancel what waits",
        about: "A coroutine or task waits, is cancelled, and joined: the time from the one to the other. corun unwinds a stack, tokio drops a future.",
        kind: Kind::Process,
        points: points(CORE_0),
        metrics: vec![
            lower("parked_us", "us, parked", &[Goal::Value(10.0)]),
            lower("asleep_us", "us, asleep", &[Goal::Value(10.0)]),
            lower("p99", "us, 99 of 100 parked", &[]),
        ],
        contestants: [("corun", "corun"), ("tokio mt", "tokio mt")]
            .map(|(name, program)| Contestant {
                name,
                command: format!("{program} {{point}} cancel 20000"),
            })
            .into(),
    }
}

pub fn families() -> Vec<Family> {
    vec![
        cancel(),
        family(
            "async-yield",
            "Async tasks: yield",
            "1,000 async tasks yield in turn.",
            "yield 1000 2000",
            CORE_0,
            level("ns per yield"),
        ),
        family(
            "async-spawn",
            "Async tasks: spawn and finish",
            "One task spawns batches of 1,000 that count up and finish, and waits for each batch by yields.",
            "spawn 2000000",
            CORE_0,
            level("ns each"),
        ),
        family(
            "async-pingpong",
            "Async tasks: ping-pong",
            "Two tasks wake each other in turn, by a flag that is the same code in all runtimes.",
            "pingpong 1 1000000",
            CORE_0,
            level("ns per wake-up"),
        ),
        family(
            "async-pairs",
            "Async tasks: 100 pairs that play ping-pong",
            "As above, with 200 tasks.",
            "pingpong 100 10000",
            CORE_0,
            level("ns per wake-up"),
        ),
        family(
            "async-wake",
            "Async tasks: woken from another thread",
            "A plain thread wakes 1,000 waiting tasks, and waits until all have run.",
            "wake 500",
            BOTH,
            level("ns per task"),
        ),
        family(
            "async-block-on",
            "Async tasks: block_on and back",
            "A plain thread spawns a task and waits for its result: two threads wake each other.",
            "block_on 50000",
            BOTH,
            level("ns per round trip"),
        ),
        family(
            "async-skynet",
            "Async tasks: skynet, 1,000,000 leaves",
            "A tree in which each task spawns ten children and awaits them.",
            "skynet 1000000",
            CORE_0,
            vec![lower("ms", "ms", &[Goal::Of("tokio mt", 1.05)])],
        ),
        family(
            "async-parked",
            "Async tasks: 1,000,000 parked",
            "1,000,000 tasks wait for a flag; then all are woken, one by one, and finish. Bytes count resident memory and page tables.",
            "parked 1000000",
            CORE_0,
            vec![
                lower("bytes", "bytes each", &[Goal::Value(200.0)]),
                lower(
                    "create_ns",
                    "ns to create and park each",
                    &[Goal::Of("tokio mt", 1.05)],
                ),
                lower(
                    "wake_ns",
                    "ns to wake and finish each",
                    &[Goal::Of("tokio mt", 1.05)],
                ),
            ],
        ),
    ]
}
