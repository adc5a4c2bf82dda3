//! Writes docs/benchmarks.md.

use std::fmt::Write;

use crate::plan::{Family, Goal, Metric};
use crate::results::{Results, Summary, advantage};

pub const INTRODUCTION: &str = "\
# Benchmarks

Written by `benches/run`, which runs corun and its peers side by side: for each row the contestants take turns, round by round,
in one run on one machine. Numbers are medians, with the range of all rounds in brackets. Run it yourself with

```sh
benches/run                 # everything, and this file
benches/run --quick         # fewer rounds, points and seconds
benches/run yield echo      # some rows only, printed and not written
```

All on core 0 with one worker, unless a row says otherwise; the load generator has core 1. System allocator for all, default
settings, optimised builds with link-time optimisation. tokio is its current_thread runtime, tokio mt its multi_thread one;
smol is one `Executor` run by its threads. *raw epoll* is a loop of our own over bare system calls, the limit of the socket rows.

";

/// The goals, one row each, then what corun loses.
pub fn summary(rows: &[(Family, Results)]) -> String {
    let mut text = String::from(
        "## Goals\n\n| workload | goal | corun | best peer | corun against it | |\n|---|---:|---:|---:|---:|:-:|\n",
    );
    let mut losses = String::new();
    let mut loss_count = 0;
    for (family, results) in rows {
        for metric in &family.metrics {
            for (index, point) in family.points.iter().enumerate() {
                if let Goal::None = metric.goal(index) {
                    continue;
                }
                let verdict = results.verdict(family, index, metric);
                let label = if point.label.is_empty() {
                    String::new()
                } else {
                    format!(", {}", point.label)
                };
                let name = format!("{}{label}: {}", family.title, metric.title);
                let goal = match (metric.goal(index), verdict.goal) {
                    (_, None) => "-".to_owned(),
                    (Goal::Of(peer, factor), Some(value)) => {
                        format!("{} ({}{peer})", number(value), percent(factor))
                    }
                    (Goal::OfBest(factor), Some(value)) => {
                        format!("{} ({}best)", number(value), percent(factor))
                    }
                    (_, Some(value)) => number(value),
                };
                let corun = verdict
                    .corun
                    .map_or("fails".to_owned(), |summary| number(summary.median));
                let best = verdict.best.map_or("-".to_owned(), |(peer, value)| {
                    format!("{peer} {}", number(value))
                });
                let ratio = match (verdict.corun, verdict.best) {
                    (Some(corun), Some((_, value))) => Some(advantage(metric, corun.median, value)),
                    _ => None,
                };
                let shown = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2} x"));
                let mark = if verdict.met { "✓" } else { "✗" };
                let _ = writeln!(
                    text,
                    "| {name} | {goal} | {corun} | {best} | {shown} | {mark} |"
                );
                if ratio.is_none_or(|ratio| ratio < 1.0) {
                    loss_count += 1;
                    let ratio = ratio.map_or(String::new(), |ratio| format!(", {ratio:.2} x"));
                    let _ = writeln!(losses, "- {name}: corun {corun}, {best}{ratio}");
                }
            }
        }
    }
    text.push_str(
        "\n\"x\" is how many times better corun's median is than the best peer's: below 1 corun loses. \
         Goals follow medians of the same run.\n",
    );
    let _ = writeln!(text, "\n## Losses\n");
    match loss_count {
        0 => text.push_str("None against any peer in this run.\n"),
        _ => {
            let _ = writeln!(
                text,
                "Where a peer's median is better than corun's, by however little:\n\n{losses}"
            );
        }
    }
    text
}

/// One family in full.
pub fn family(family: &Family, results: &Results) -> String {
    let mut text = format!(
        "## {}\n\n{} (`benches/run {}`)\n\n",
        family.title, family.about, family.id
    );
    if family.points.len() == 1 {
        let columns: Vec<_> = family
            .metrics
            .iter()
            .map(|metric| (metric.title, 0, metric))
            .collect();
        table(&mut text, family, results, &columns);
    } else {
        for metric in &family.metrics {
            let _ = writeln!(text, "{}:\n", capitalised(metric.title));
            let columns: Vec<_> = family
                .points
                .iter()
                .enumerate()
                .map(|(index, point)| (point.label, index, metric))
                .collect();
            table(&mut text, family, results, &columns);
        }
    }
    let mut failures: Vec<(String, Vec<&str>)> = Vec::new();
    for (point, label) in family.points.iter().map(|point| point.label).enumerate() {
        for (contestant, name) in family
            .contestants
            .iter()
            .map(|contestant| contestant.name)
            .enumerate()
        {
            if let Some(why) = results.failure(point, contestant) {
                let line = format!("{name} failed ({why})");
                match failures.iter_mut().find(|(known, _)| *known == line) {
                    Some((_, points)) => points.push(label),
                    None => failures.push((line, vec![label])),
                }
            }
        }
    }
    for (line, points) in failures {
        let _ = writeln!(text, "{line} {}\n", points.join(" "));
    }
    text
}

/// Contestants down, columns across: title, point and metric of each.
fn table(
    text: &mut String,
    family: &Family,
    results: &Results,
    columns: &[(&str, usize, &Metric)],
) {
    text.push_str("| |");
    for (title, _, _) in columns {
        let _ = write!(text, " {title} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(columns.len()));
    text.push('\n');
    for (index, contestant) in family.contestants.iter().enumerate() {
        let _ = write!(text, "| {} |", contestant.name);
        for (_, point, metric) in columns {
            let cell = match results.summary(*point, index, metric.key) {
                Some(summary) => cell(summary),
                None if results.failed(*point, index) => "fails".to_owned(),
                None => "-".to_owned(),
            };
            let best = results.verdict(family, *point, metric).best;
            let cell = if best.is_some_and(|(name, _)| name == contestant.name) {
                format!("**{cell}**")
            } else {
                cell
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text.push('\n');
}

fn cell(summary: Summary) -> String {
    format!(
        "{} ({}–{})",
        number(summary.median),
        number(summary.least),
        number(summary.most)
    )
}

/// Three significant digits at least, thousands separated.
fn number(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (position, digit) in digits.chars().enumerate() {
                if position > 0 && (digits.len() - position).is_multiple_of(3) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
    }
}

fn percent(factor: f64) -> String {
    if factor == 1.0 {
        String::new()
    } else {
        format!("{:.0} % of ", factor * 100.0)
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| {
        first.to_uppercase().collect::<String>() + chars.as_str()
    })
}
