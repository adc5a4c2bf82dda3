//! Runs corun and its peers in turn and writes docs/benchmarks.md; `benches/run` builds everything and starts this.

mod execute;
mod machine;
mod plan;
mod report;
mod results;

use std::io::Write;
use std::time::Instant;

use corun_bench::process;
use execute::Programs;
use plan::{Family, Kind};
use results::Results;

const USAGE: &str = "\
usage: benches/run [--quick] [--boost] [--rounds N] [--seconds S] [--output FILE] [WORKLOAD[:POINT] ...]
Without a workload: all of them, written to docs/benchmarks.md. With some: those, printed.
--quick   fewer rounds, points and seconds
--boost   put everything measured ahead of what else the machine runs (nice -20), if it cannot be kept quiet; the
          kernel's own network thread then competes with the rest, so the socket rows still suffer
";

struct Options {
    quick: bool,
    boost: bool,
    rounds: Option<usize>,
    seconds: Option<f64>,
    output: Option<String>,
    workloads: Vec<String>,
}

fn main() {
    let options = options();
    let rounds = options.rounds.unwrap_or(if options.quick { 3 } else { 5 });
    let seconds = options
        .seconds
        .unwrap_or(if options.quick { 0.7 } else { 2.0 });
    let programs = Programs::new(options.boost);
    let start = Instant::now();
    let (busy_before, ours_before) = process::machine_time();

    let mut rows = Vec::new();
    for mut family in select(&options) {
        family
            .contestants
            .retain(|contestant| programs.has(&contestant.command));
        let results = run(&programs, &family, rounds, seconds);
        if !options.workloads.is_empty() {
            println!("{}", report::family(&family, &results));
        }
        rows.push((family, results));
    }

    let (busy, ours) = process::machine_time();
    let others = (busy - busy_before).saturating_sub(ours - ours_before);
    let disturbance = others.as_secs_f64() / start.elapsed().as_secs_f64();

    let mut text = report::INTRODUCTION.to_owned();
    if options.quick {
        text.push_str("**This is a quick run: few rounds, short, perhaps on a busy machine. Expect noise.**\n\n");
    }
    text.push_str(&report::summary(&rows));
    text.push('\n');
    text.push_str(&machine::section(
        rounds,
        seconds,
        disturbance,
        options.boost,
    ));
    for (family, results) in &rows {
        text.push('\n');
        text.push_str(report::family(family, results).trim_end());
        text.push('\n');
    }
    let output = match (&options.output, options.workloads.is_empty()) {
        (Some(file), _) => file.as_str(),
        (None, true) => "docs/benchmarks.md",
        (None, false) => return println!("{}", report::summary(&rows)),
    };
    std::fs::write(output, text).expect("the report can be written");
    eprintln!("wrote {output} after {} s", start.elapsed().as_secs());
}

/// The families and points that the options ask for.
fn select(options: &Options) -> Vec<Family> {
    let mut families = plan::families();
    if !options.workloads.is_empty() {
        for wanted in &options.workloads {
            let id = wanted.split(':').next().unwrap_or_default();
            if !families.iter().any(|family| family.id == id) {
                let known: Vec<_> = families.iter().map(|family| family.id).collect();
                eprintln!("no workload {id}; there are: {}", known.join(" "));
                std::process::exit(2);
            }
        }
        families.retain(|family| {
            options
                .workloads
                .iter()
                .any(|wanted| wanted.split(':').next() == Some(family.id))
        });
    }
    for family in &mut families {
        let points: Vec<_> = options
            .workloads
            .iter()
            .filter_map(|wanted| wanted.split_once(':'))
            .filter(|(id, _)| *id == family.id)
            .map(|(_, point)| point.to_owned())
            .collect();
        let plain = |label: &str| label.replace([',', ' '], "");
        family.points.retain(|point| match points.is_empty() {
            true => !options.quick || point.quick,
            false => points
                .iter()
                .any(|wanted| plain(point.label) == plain(wanted)),
        });
    }
    families.retain(|family| !family.points.is_empty());
    families
}

/// The contestants take turns at each point, and a different one begins each round.
fn run(programs: &Programs, family: &Family, rounds: usize, seconds: f64) -> Results {
    let mut results = Results::new(family);
    for (index, point) in family.points.iter().enumerate() {
        eprint!("{:10} {:20}", family.id, point.label);
        let _ = std::io::stderr().flush();
        for round in 0..rounds {
            for turn in 0..family.contestants.len() {
                let which = (turn + round) % family.contestants.len();
                if results.failed(index, which) {
                    continue;
                }
                let command = family.contestants[which]
                    .command
                    .replace("{point}", point.argument);
                let outcome = match family.kind {
                    Kind::Process => programs.measure(&command, point.cpus),
                    Kind::Echo | Kind::Proxy => programs.serve(&command, point.argument, seconds),
                };
                results.add(index, which, outcome);
                eprint!(".");
            }
        }
        eprintln!();
    }
    results
}

fn options() -> Options {
    let mut options = Options {
        quick: false,
        boost: false,
        rounds: None,
        seconds: None,
        output: None,
        workloads: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    let fail = || -> ! {
        eprint!("{USAGE}");
        std::process::exit(2)
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => options.quick = true,
            "--boost" => options.boost = true,
            "--rounds" => {
                options.rounds = words
                    .next()
                    .and_then(|word| word.parse().ok())
                    .or_else(|| fail())
            }
            "--seconds" => {
                options.seconds = words
                    .next()
                    .and_then(|word| word.parse().ok())
                    .or_else(|| fail())
            }
            "--output" => options.output = words.next().or_else(|| fail()),
            word if word.starts_with('-') => fail(),
            word => options.workloads.push(word.to_owned()),
        }
    }
    options
}
