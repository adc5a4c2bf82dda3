//! The row with promises.

use super::{CORE_0, Contestant, Family, Goal, Kind, Point, lower};

pub fn family() -> Family {
    let contestant = |name, command: &str| Contestant {
        name,
        command: format!("{command} {{point}}"),
    };
    let point = |label, argument| Point {
        label,
        argument,
        cpus: CORE_0,
        quick: true,
    };
    Family {
        id: "promise",
        title: "Promises",
        about: "Create: both halves are made, and dropped. Kept: made, resolved, and the value taken. Wait: one task waits for what another \
                one gives it, on one worker. Register: a callback (corun, Java) or a waker (futures, tokio) is left with a future that is not \
                complete. Go: a channel of one; it has no callbacks. Java: CompletableFuture, compiled, its collector left out of \
                the comparison as far as it runs later; no wait, as that would be one of threads.",
        kind: Kind::Process,
        points: vec![
            point("create", "create 5000000"),
            point("kept", "kept 5000000"),
            point("wait", "wait 2000000"),
            point("register", "register 2000000"),
        ],
        metrics: vec![lower(
            "ns",
            "ns",
            &[
                Goal::Value(5000.0),
                Goal::None,
                Goal::None,
                Goal::Value(50.0),
            ],
        )],
        contestants: vec![
            contestant("corun", "promises corun"),
            contestant("futures oneshot", "promises futures"),
            contestant("tokio oneshot", "promises tokio"),
            contestant("Go", "gopeer 1 promises"),
            contestant("Java", "java_promises"),
        ],
    }
}
