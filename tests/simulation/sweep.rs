//! Many runs: every scenario with a crash at every step, and every ordered pair of faults at steps drawn from a
//! seed. A run that violates an invariant is run again with its trace.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    faults::{ALL, Draw, Fault, Plan},
    run::{backups_of, run},
    scenarios,
    weak::Protocol,
};

/// Violations after which nothing new is learnt.
const ENOUGH: usize = 20;

/// Runs that there are at least, however slow the machine is.
const LEAST: usize = 200;

/// How much of it.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "the test and the whole use one each")]
pub enum Size {
    /// Everything, with so many draws of steps for each ordered pair of faults.
    Whole(u64),
    /// As much as fits, in an order drawn from the seed.
    Within(Duration),
}

/// What came of it.
#[derive(Default)]
pub struct Report {
    pub runs: usize,
    pub crashes: usize,
    pub pairs: usize,
    pub unknown: u32,
    pub seconds: f64,
    /// Runs and tokens of unknown outcome by scenario.
    pub by_scenario: BTreeMap<&'static str, (usize, u32)>,
    /// The runs with a token of unknown outcome.
    #[allow(dead_code, reason = "the whole prints them")]
    pub undecided: Vec<(usize, Plan)>,
    /// Scenario, plan, violation.
    pub violations: Vec<(usize, Plan, String)>,
}

impl Report {
    /// Fails with the trace of the first violation.
    pub fn assert(&self) {
        let Some((scenario, plan, violation)) = self.violations.first() else {
            assert!(self.runs >= LEAST, "only {} runs", self.runs);
            return;
        };
        panic!(
            "{} of {} runs violate an invariant; the first: {violation}\n{}",
            self.violations.len(),
            self.runs,
            trace(*scenario, plan)
        );
    }
}

/// A readable account of one run.
pub fn trace(scenario: usize, plan: &Plan) -> String {
    let scenarios = scenarios::all();
    let scenario = &scenarios[scenario];
    let again = run(scenario, plan, true);
    format!(
        "scenario {:?}, plan {plan}\n{}\n=> {:?}",
        scenario.name,
        shortened(&again.trace),
        again.violation
    )
}

/// How often another protocol starts a run twice, or never, for one token: the same crashes, and single lost or
/// late answers.
pub struct Comparison {
    pub runs: usize,
    pub twice: usize,
    pub never: usize,
}

/// Runs the first scenario, one token, under single faults at each of these steps.
pub fn compare(protocol: Protocol, steps: std::ops::RangeInclusive<u64>) -> Comparison {
    let scenarios = scenarios::all();
    let mut comparison = Comparison {
        runs: 0,
        twice: 0,
        never: 0,
    };
    for step in steps {
        for fault in ALL {
            let plan = Plan {
                faults: vec![(step, fault)],
            };
            let backups = backups_of(protocol, &scenarios[0], &plan);
            comparison.runs += 1;
            comparison.twice += usize::from(backups > 1);
            comparison.never += usize::from(backups == 0);
        }
    }
    comparison
}

/// The trace without long sequences of polls.
fn shortened(trace: &[String]) -> String {
    let is_poll = |line: &String| {
        let plain = ["NAS list", "NAS getinfo", "read secret"]
            .iter()
            .any(|what| line.contains(what));
        plain && !line.contains("<-")
    };
    let mut lines: Vec<&str> = Vec::new();
    for (place, line) in trace.iter().enumerate() {
        let around = &trace[place.saturating_sub(2)..(place + 3).min(trace.len())];
        if !around.iter().all(is_poll) {
            lines.push(line);
        } else if lines.last() != Some(&"      ...") {
            lines.push("      ...");
        }
    }
    lines.join("\n")
}

/// A plan as it is printed.
pub fn plan(text: &str) -> Option<Plan> {
    let one = |part: &str| {
        let (name, step) = part.split_once('@')?;
        let fault = ALL.into_iter().find(|fault| format!("{fault:?}") == name)?;
        Some((step.parse().ok()?, fault))
    };
    let faults: Option<Vec<(u64, Fault)>> = text.split_whitespace().map(one).collect();
    faults.map(|faults| Plan { faults })
}

/// Every plan of the whole, by scenario.
fn plans(draws: u64, seed: u64) -> (Vec<(usize, Plan)>, usize) {
    let mut draw = Draw(seed);
    let mut plans = Vec::new();
    let scenarios = scenarios::all();
    let lengths: Vec<u64> = scenarios
        .iter()
        .map(|scenario| run(scenario, &Plan::default(), false).steps)
        .collect();
    let hides_runs = |index: usize| scenarios[index].hides_runs();
    for (index, length) in lengths.iter().enumerate() {
        for step in 1..=*length {
            for fault in [
                Fault::CrashBefore,
                Fault::CrashAfter,
                Fault::AllCrash,
                Fault::Pause,
            ] {
                // Whoever takes over from one that is paused comes when the run has ended.
                if fault == Fault::Pause && hides_runs(index) {
                    continue;
                }
                plans.push((
                    index,
                    Plan {
                        faults: vec![(step, fault)],
                    },
                ));
            }
        }
    }
    let crashes = plans.len();
    for (index, length) in lengths
        .iter()
        .enumerate()
        .filter(|(index, _)| !hides_runs(*index))
    {
        for first in ALL {
            for second in ALL {
                for _ in 0..draws {
                    let at = 1 + draw.below(*length);
                    let then = at + draw.below(40);
                    plans.push((
                        index,
                        Plan {
                            faults: vec![(at, first), (then, second)],
                        },
                    ));
                }
            }
        }
    }
    (plans, crashes)
}

/// Runs them on two threads.
pub fn sweep(size: Size, seed: u64) -> Report {
    let (draws, limit) = match size {
        Size::Whole(draws) => (draws, Duration::MAX),
        Size::Within(limit) => (1, limit),
    };
    let (mut plans, crashes) = plans(draws, seed);
    if matches!(size, Size::Within(_)) {
        shuffle(&mut plans, seed);
    }
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let report = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let scenarios = scenarios::all();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some((index, plan)) = plans.get(place) else {
                        return;
                    };
                    let (runs, violations) = {
                        let report = report.lock().unwrap();
                        (report.runs, report.violations.len())
                    };
                    // A busy machine is given the time for the least that says something.
                    if violations >= ENOUGH || (begun.elapsed() > limit && runs >= LEAST) {
                        return;
                    }
                    let outcome = run(&scenarios[*index], plan, false);
                    let mut report = report.lock().unwrap();
                    report.runs += 1;
                    if report.runs.is_multiple_of(5000) {
                        eprintln!("{} of {} runs", report.runs, plans.len());
                    }
                    report.unknown += outcome.unknown;
                    if plan.faults.len() == 1 {
                        report.crashes += 1;
                    } else {
                        report.pairs += 1;
                    }
                    let of = report.by_scenario.entry(scenarios[*index].name).or_default();
                    of.0 += 1;
                    of.1 += outcome.unknown;
                    if outcome.unknown > 0 {
                        report.undecided.push((*index, plan.clone()));
                    }
                    if let Some(violation) = outcome.violation {
                        report.violations.push((*index, plan.clone(), violation));
                    }
                }
            });
        }
    });
    let mut report = report.into_inner().unwrap();
    report.seconds = begun.elapsed().as_secs_f64();
    debug_assert!(crashes > 0);
    report
}

fn shuffle(plans: &mut [(usize, Plan)], seed: u64) {
    let mut draw = Draw(seed);
    for place in (1..plans.len()).rev() {
        let other = usize::try_from(draw.below(place as u64 + 1)).unwrap_or(0);
        plans.swap(place, other);
    }
}
