//! The same program, once with `std::process` and once with `corun::process` in its imports, has the same results, errors included.

use std::fmt::Debug;
use std::io;

use crate::common::everywhere;

fn told<T: Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?} {:?}", error.raw_os_error(), error.kind()),
    }
}

macro_rules! program {
    ($name:ident, $process:ident, { $($imports:tt)* }) => {
        fn $name() -> Vec<String> {
            use std::io::{Read, Write};
            use $process::process::{Command, Stdio};
            $($imports)*

            let mut log = Vec::new();
            macro_rules! note {
                ($result:expr) => { log.push(format!("{}: {}", log.len(), told($result))) };
            }
            let shell = |script: &str| {
                let mut command = Command::new("sh");
                command.arg("-c").arg(script);
                command
            };

            // Ends.
            note!(shell("exit 0").status());
            note!(shell("exit 7").status().map(|status| (status.code(), status.success())));
            note!(shell("kill -9 $$").status());
            note!(Command::new("/nothing/like/it").status());
            note!(Command::new("/nothing/like/it").output());
            note!(Command::new("/").spawn().map(drop));
            note!(Command::new("nul\0").spawn().map(drop));
            note!(Command::new("true").current_dir("/nothing/like/it").status());

            // Output, and what its defaults are.
            note!(shell("echo out; echo err >&2; exit 3").output());
            note!(shell("cat").output());
            note!(shell("echo out; echo err >&2").stdout(Stdio::null()).output());
            note!(shell("echo out; echo err >&2").stderr(Stdio::null()).output());
            let mut again = shell("cat; echo again");
            note!(again.output());
            note!(again.output());
            note!(again.stdout(Stdio::null()).stdin(Stdio::null()).status());
            note!(Command::new("env").env_clear().env("A", "1").envs([("B", "2")]).output().map(|output| {
                let mut lines: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(String::from).collect();
                lines.sort();
                lines
            }));
            note!(shell("echo $HOME").env_remove("HOME").output());
            note!(shell("pwd").current_dir("/").output());
            note!(Command::new("sh").arg0("another name").args(["-c", "echo $0"]).output());
            note!(shell("ps -o pgid= -p $$ | tr -d ' '; echo $$").process_group(0).output().map(|output| {
                let text = String::from_utf8(output.stdout).unwrap();
                let ids: Vec<_> = text.lines().collect();
                ids.len() != 2 || ids[0] == ids[1]
            }));

            // Children.
            let mut child = shell("read line; echo \"got $line\"; exit 5")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            note!(child.try_wait());
            let mut stdin = child.stdin.take().unwrap();
            note!(stdin.write_all(b"a line\n"));
            drop(stdin);
            let mut text = String::new();
            note!(child.stdout.as_mut().unwrap().read_to_string(&mut text).map(|count| (count, text.clone())));
            note!(child.wait());
            note!(child.wait());
            note!(child.try_wait());
            note!(child.kill());
            log.push(format!("{}", child.id() != 0));

            // The input is closed by the wait, or this would never end.
            let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            note!(child.wait());
            let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            note!(child.wait_with_output());

            let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
            note!(child.kill());
            note!(child.wait());

            // More than pipes hold, in both at once.
            note!(shell("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789012345678901234567890123; echo e >&2; i=$((i+1)); done; head -c 200000 /dev/zero >&2").output().map(|output| {
                (output.stdout.len(), output.stderr.len(), output.status)
            }));

            // A pipeline.
            let mut first = shell("echo one; echo two").stdout(Stdio::piped()).spawn().unwrap();
            let mut second = Command::new("cat");
            second.stdin(first.stdout.take().unwrap());
            note!(second.output());
            note!(first.wait());

            let mut command = Command::new("program");
            command.arg("1").env("K", "V").current_dir("/tmp");
            log.push(format!(
                "{:?} {:?} {:?} {:?}",
                command.get_program(),
                command.get_args().collect::<Vec<_>>(),
                command.get_envs().collect::<Vec<_>>(),
                command.get_current_dir()
            ));
            log
        }
    };
}

program!(with_std, std, {
    use std::os::unix::process::CommandExt;
});
program!(with_corun, corun, {});

#[test]
fn every_operation_has_the_result_that_std_has() {
    let expected = with_std();
    assert!(expected.len() > 35, "{}", expected.len());
    let expected = std::sync::Arc::new(expected);
    let shared: &'static std::sync::Arc<Vec<String>> = Box::leak(Box::new(expected));
    everywhere(move |place| {
        let found = with_corun();
        for (found, expected) in found.iter().zip(shared.iter()) {
            assert_eq!(found, expected, "{place:?}");
        }
        assert_eq!(found.len(), shared.len());
    });
}
