//! Many children at once, and no thread for any of them.

use corun::process::{Command, Stdio};

#[corun::test(workers = 2)]
fn a_thousand_children_at_once() {
    const CHILDREN: usize = 1000;
    // Some children end at once; all others are there at the same time, until their input ends.
    let (children, inputs): (Vec<_>, Vec<_>) = (0..CHILDREN)
        .map(|number| {
            let mut child = Command::new("sh")
                .args(["-c", &format!("read line; exit {}", number % 100)])
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let input = child.stdin.take().unwrap();
            (corun::spawn(move || child.wait()), input)
        })
        .unzip();
    for _ in 0..10 {
        corun::yield_now();
    }
    let metrics = corun::runtime::Handle::try_current()
        .unwrap()
        .metrics()
        .blocking;
    assert_eq!(metrics.threads, 0);
    assert!(children.iter().all(|child| !child.is_finished()));
    drop(inputs);
    for (number, child) in children.into_iter().enumerate() {
        assert_eq!(
            child.join().unwrap().unwrap().code(),
            Some((number % 100) as i32)
        );
    }
}

#[corun::test(workers = [1, 2, 8])]
fn outputs_do_not_mix() {
    let outputs: Vec<_> = (0..200)
        .map(|number| {
            corun::spawn(move || {
                let script = format!("echo {number}; echo {number} >&2");
                Command::new("sh").arg("-c").arg(script).output()
            })
        })
        .collect();
    for (number, output) in outputs.into_iter().enumerate() {
        let output = output.join().unwrap().unwrap();
        let expected = format!("{number}\n").into_bytes();
        assert_eq!((&output.stdout, &output.stderr), (&expected, &expected));
    }
}
