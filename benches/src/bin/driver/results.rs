//! What the runs measured: medians, ranges, and how corun stands.

use std::collections::BTreeMap;

use crate::execute::Outcome;
use crate::plan::{Contestant, Family, Goal, Metric};

/// The peer that is a limit rather than a rival: it is shown apart and is never "the best peer".
const LIMIT: &str = "raw epoll";

/// All runs of one family.
pub struct Results {
    /// By point, then by contestant, as in the plan.
    cells: Vec<Vec<Cell>>,
}

#[derive(Clone, Default)]
struct Cell {
    runs: Vec<BTreeMap<String, f64>>,
    failure: Option<String>,
}

/// Median and range of one metric.
#[derive(Clone, Copy)]
pub struct Summary {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

/// How corun did in one metric at one point.
pub struct Verdict<'a> {
    pub corun: Option<Summary>,
    pub best: Option<(&'a str, f64)>,
    pub goal: Option<f64>,
    pub met: bool,
}

impl Results {
    pub fn new(family: &Family) -> Results {
        Results {
            cells: vec![vec![Cell::default(); family.contestants.len()]; family.points.len()],
        }
    }

    /// Whether the contestant has failed at this point before: then it is not asked again.
    pub fn failed(&self, point: usize, contestant: usize) -> bool {
        self.cells[point][contestant].failure.is_some()
    }

    pub fn add(&mut self, point: usize, contestant: usize, outcome: Outcome) {
        let cell = &mut self.cells[point][contestant];
        match outcome {
            Ok(values) => cell.runs.push(values),
            Err(why) => cell.failure = Some(why),
        }
    }

    /// Why a contestant failed at a point.
    pub fn failure(&self, point: usize, contestant: usize) -> Option<&str> {
        self.cells[point][contestant].failure.as_deref()
    }

    pub fn summary(&self, point: usize, contestant: usize, key: &str) -> Option<Summary> {
        let cell = &self.cells[point][contestant];
        let mut values: Vec<f64> = cell
            .runs
            .iter()
            .filter_map(|run| run.get(key).copied())
            .collect();
        if values.is_empty() || cell.failure.is_some() {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            (values[middle - 1] + values[middle]) / 2.0
        };
        Some(Summary {
            median,
            least: values[0],
            most: values[values.len() - 1],
        })
    }

    pub fn verdict<'a>(&self, family: &'a Family, point: usize, metric: &Metric) -> Verdict<'a> {
        let median = |contestant| {
            self.summary(point, contestant, metric.key)
                .map(|summary| summary.median)
        };
        let index = |name: &str| {
            family
                .contestants
                .iter()
                .position(|contestant| contestant.name == name)
        };
        let better = |a: f64, b: f64| {
            if metric.higher_is_better {
                a > b
            } else {
                a < b
            }
        };

        let mut best: Option<(&str, f64)> = None;
        for (position, Contestant { name, .. }) in family.contestants.iter().enumerate() {
            if name.starts_with("corun") || *name == LIMIT {
                continue;
            }
            if let Some(value) = median(position)
                && best.is_none_or(|(_, record)| better(value, record))
            {
                best = Some((name, value));
            }
        }
        let corun = index("corun").and_then(|position| self.summary(point, position, metric.key));
        let goal = match metric.goal(point) {
            Goal::None => None,
            Goal::Value(value) => Some(value),
            Goal::Of(peer, factor) => index(peer).and_then(median).map(|value| value * factor),
            Goal::OfBest(factor) => best.map(|(_, value)| value * factor),
        };
        let met = match (corun, goal) {
            (Some(corun), Some(goal)) => !better(goal, corun.median),
            _ => false,
        };
        Verdict {
            corun,
            best,
            goal,
            met,
        }
    }
}

impl Verdict<'_> {
    /// How many times better (above 1) or worse (below 1) corun is than the best peer.
    pub fn advantage(&self, metric: &Metric) -> Option<f64> {
        let (ours, (_, theirs)) = (self.corun?.median, self.best?);
        Some(if metric.higher_is_better {
            ours / theirs
        } else {
            theirs / ours
        })
    }
}
