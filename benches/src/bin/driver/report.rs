//! Writes docs/benchmarks.md.

use std::fmt::Write;

use crate::plan::{Family, Goal, Metric};
use crate::results::{Results, Summary};

/// Families with more points than this get one row a metric in the table of goals.
const FEW: usize = 3;

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
settings, optimised builds with link-time optimisation. tokio is its current_thread runtime, tokio mt its multi_thread one; smol
is one `Executor` run by its threads. The channels of kanal, flume, async-channel and tokio run on tokio: current_thread for one worker,
multi_thread for two. *raw epoll* is a loop of our own over bare system calls, the limit of the socket rows.

";

/// The goals, one row each (families with many points: one row a metric), then what corun loses.
pub fn summary(rows: &[(Family, Results)]) -> String {
    let mut text =
        String::from("## Goals\n\n| workload | goal | corun | best peer | corun against it | |\n");
    text.push_str("|---|---:|---:|---:|---:|:-:|\n");
    let mut losses = String::new();
    for (family, results) in rows {
        for metric in &family.metrics {
            if let Goal::None = metric.goal(0) {
                continue;
            }
            if family.points.len() > FEW {
                many_points(&mut text, family, results, metric);
            } else {
                for point in 0..family.points.len() {
                    one_point(&mut text, family, results, metric, point);
                }
            }
            lost(&mut losses, family, results, metric);
        }
    }
    text.push_str("\n\"x\" says how many times better corun's median is than the best peer's: below 1 corun loses. ");
    text.push_str("raw epoll is no peer but the limit. Goals that follow a peer follow its median in this same run.\n");
    text.push_str("\n## Losses\n\n");
    if losses.is_empty() {
        text.push_str("None against any peer in this run.\n");
    } else {
        text.push_str(
            "Wherever the best peer's median is better than corun's, by however little:\n\n",
        );
        text.push_str(&losses);
    }
    text
}

fn name(family: &Family, metric: &Metric) -> String {
    format!("{}: {}", family.title, metric.title)
}

fn one_point(text: &mut String, family: &Family, results: &Results, metric: &Metric, point: usize) {
    let verdict = results.verdict(family, point, metric);
    let label = if family.points.len() > 1 {
        format!(" ({})", family.points[point].label)
    } else {
        String::new()
    };
    let goal = match (metric.goal(point), verdict.goal) {
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
    let against = verdict
        .advantage(metric)
        .map_or("-".to_owned(), |ratio| format!("{ratio:.2} x"));
    let name = name(family, metric);
    let _ = writeln!(
        text,
        "| {name}{label} | {goal} | {corun} | {best} | {against} | {} |",
        verdict.goal.map_or(' ', |_| mark(verdict.met))
    );
}

fn many_points(text: &mut String, family: &Family, results: &Results, metric: &Metric) {
    let verdicts: Vec<_> = (0..family.points.len())
        .map(|point| results.verdict(family, point, metric))
        .collect();
    let met = verdicts.iter().filter(|verdict| verdict.met).count();
    let goal = match metric.goal(0) {
        Goal::Of(peer, factor) => format!("{}{peer}", percent(factor)),
        Goal::OfBest(factor) => format!("{}best", percent(factor)),
        Goal::Value(value) => number(value),
        Goal::None => "-".to_owned(),
    };
    let ratios: Vec<f64> = verdicts
        .iter()
        .filter_map(|verdict| verdict.advantage(metric))
        .collect();
    let against = match (
        ratios.iter().copied().reduce(f64::min),
        ratios.iter().copied().reduce(f64::max),
    ) {
        (Some(least), Some(most)) => format!("{least:.2}–{most:.2} x"),
        _ => "-".to_owned(),
    };
    let all = verdicts.len();
    let name = name(family, metric);
    let _ = writeln!(
        text,
        "| {name} | {goal} | met at {met} of {all} | by point | {against} | {} |",
        mark(met == all)
    );
}

/// Adds a line with the points at which corun loses.
fn lost(losses: &mut String, family: &Family, results: &Results, metric: &Metric) {
    let mut points = Vec::new();
    for (index, point) in family.points.iter().enumerate() {
        let verdict = results.verdict(family, index, metric);
        let label = if family.points.len() > 1 {
            format!("{}: ", point.label)
        } else {
            String::new()
        };
        match (verdict.advantage(metric), verdict.corun, verdict.best) {
            (Some(ratio), Some(corun), Some((peer, value))) if ratio < 1.0 => {
                let (corun, value) = (number(corun.median), number(value));
                points.push(format!(
                    "{label}{corun} against {value} ({peer}, {ratio:.2} x)"
                ));
            }
            (None, None, Some((peer, value))) => {
                points.push(format!("{label}fails against {} ({peer})", number(value)))
            }
            _ => {}
        }
    }
    if !points.is_empty() {
        let _ = writeln!(losses, "- {}: {}", name(family, metric), points.join("; "));
    }
}

fn mark(met: bool) -> char {
    if met { '✓' } else { '✗' }
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

/// The last row of a table whose goals follow a peer: whether corun meets them.
fn goal_row(
    text: &mut String,
    family: &Family,
    results: &Results,
    columns: &[(&str, usize, &Metric)],
) {
    let judged =
        |(_, point, metric): &(&str, usize, &Metric)| !matches!(metric.goal(*point), Goal::None);
    if !columns.iter().any(judged) {
        return;
    }
    text.push_str("| goal of corun |");
    for column in columns {
        let (_, point, metric) = column;
        let verdict = results.verdict(family, *point, metric);
        let _ = match verdict.goal {
            Some(goal) => write!(text, " {} {} |", number(goal), mark(verdict.met)),
            None => write!(text, " |"),
        };
    }
    text.push('\n');
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
                Some(summary) if metric.percent => format!("{:.0} %", summary.median * 100.0),
                Some(summary) => cell(summary),
                None if results.failed(*point, index) => "fails".to_owned(),
                None => "-".to_owned(),
            };
            let best = results.verdict(family, *point, metric).best;
            let cell = if !metric.percent && best.is_some_and(|(name, _)| name == contestant.name) {
                format!("**{cell}**")
            } else {
                cell
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    goal_row(text, family, results, columns);
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
