//! Counts what the runs found and prints it: a line now and then, one table at the end.

use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};

use crate::{
    judge::{Finding, KINDS, Kind},
    plan::{ACTIONS, Action, FAULTS, Fault, Plan},
};

/// Runs between two lines of progress.
const PROGRESS_EVERY: usize = 20;

/// The sums of some runs.
#[derive(Clone, Default)]
struct Sums {
    runs: usize,
    effects: usize,
    found: BTreeMap<Kind, usize>,
    longest: Duration,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.effects += other.effects;
        for (kind, count) in &other.found {
            *self.found.entry(*kind).or_default() += count;
        }
        self.longest = self.longest.max(other.longest);
    }

    fn row(&self, action: &str, fault: &str) -> String {
        let mut row = format!("{action:<8} {fault:<15} {:>5} {:>8}", self.runs, self.effects);
        for kind in KINDS {
            let _ = write!(row, " {:>14}", self.found.get(&kind).unwrap_or(&0));
        }
        let _ = write!(row, " {:>9.1} s", self.longest.as_secs_f64());
        row
    }
}

/// All runs so far.
pub struct Tally {
    planned: usize,
    begun: Instant,
    cells: BTreeMap<(Action, Fault), Sums>,
    /// Found after the last run of a namespace.
    afterwards: Sums,
}

impl Tally {
    pub fn new(planned: usize) -> Self {
        Self {
            planned,
            begun: Instant::now(),
            cells: BTreeMap::new(),
            afterwards: Sums::default(),
        }
    }

    /// Counts a run.
    pub fn count(&mut self, plan: &Plan, findings: &[Finding], effects: usize, settled: Duration) {
        let sums = Sums {
            runs: 1,
            effects,
            found: by_kind(findings),
            longest: settled,
        };
        self.cells
            .entry((plan.action, plan.fault))
            .or_default()
            .add(&sums);
        let total = self.total();
        if total.runs.is_multiple_of(PROGRESS_EVERY) || total.runs == self.planned {
            let found: usize = total.found.values().sum();
            let seconds = self.begun.elapsed().as_secs();
            println!(
                "{:>4} of {} runs after {seconds} s, {found} findings",
                total.runs, self.planned
            );
        }
    }

    /// Counts what was found after the last run of a namespace.
    pub fn count_afterwards(&mut self, findings: &[Finding]) {
        let found = by_kind(findings);
        self.afterwards.add(&Sums {
            found,
            ..Sums::default()
        });
    }

    fn total(&self) -> Sums {
        let mut total = self.afterwards.clone();
        self.cells.values().for_each(|sums| total.add(sums));
        total
    }

    /// Whether all was carried out and nothing was found.
    pub fn is_clean(&self) -> bool {
        let total = self.total();
        total.runs == self.planned && total.found.is_empty()
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut head = format!("{:<8} {:<15} {:>5} {:>8}", "action", "fault", "runs", "effects");
        for label in [
            "duplicates",
            "lost",
            "contradictions",
            "outcomeUnknown",
            "crashes",
        ] {
            let _ = write!(head, " {label:>14}");
        }
        let mut lines = vec![format!("{head} {:>11}", "settled in")];
        for action in ACTIONS {
            for fault in FAULTS {
                if let Some(sums) = self.cells.get(&(action, fault)) {
                    lines.push(sums.row(action.label(), fault.label()));
                }
            }
        }
        lines.push(self.afterwards.row("after", "the last run"));
        lines.push(self.total().row("total", ""));
        lines.join("\n")
    }
}

fn by_kind(findings: &[Finding]) -> BTreeMap<Kind, usize> {
    let mut found = BTreeMap::new();
    for finding in findings {
        *found.entry(finding.kind).or_default() += 1;
    }
    found
}
