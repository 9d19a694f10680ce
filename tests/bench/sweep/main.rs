//! The kill sweep: `cargo bench --bench sweep`. On the real API server, with two replicas of the real operator per
//! namespace and real signals, every action (trigger, cancel, removal) meets every fault (SIGKILL of the leader or of
//! both, SIGSTOP past the Lease, SIGTERM) at moments from before the intent to after the outcome. The ledger of the
//! simulated NAS is the judge; anything found is printed and makes the exit code 1.
//!
//! `SWEEP_RUNS` (600) and `SWEEP_PARALLEL` (8 namespaces at once) change the size, `SWEEP_SEED` the dice; `SWEEP_ONLY`
//! repeats one run by its number under the same seed and size.

#![allow(clippy::unwrap_used)]

#[path = "../../e2e/harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "only the manifests are used")]
#[path = "../../e2e/lab.rs"]
mod lab;

mod ground;
mod judge;
mod plan;
mod run;
mod tally;
mod witness;

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{FutureExt, future::join_all};
use ground::Ground;
use judge::{Finding, Kind};
use plan::Plan;
use run::Report;
use tally::Tally;

/// Longer than all waits of a run together: one that hangs ends the sweep no later than the others.
const RUN_WITHIN: Duration = Duration::from_mins(5);

struct Settings {
    runs: usize,
    parallel: usize,
    seed: u64,
    only: Option<usize>,
}

impl Settings {
    fn from_environment() -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            let number = text.parse::<u64>();
            Some(number.unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
        };
        let size = |name: &str| number(name).map(|value| usize::try_from(value).unwrap());
        let clock = || jiff::Timestamp::now().as_second().unsigned_abs();
        Self {
            runs: size("SWEEP_RUNS").unwrap_or(600),
            parallel: size("SWEEP_PARALLEL").unwrap_or(8).max(1),
            seed: number("SWEEP_SEED").unwrap_or_else(clock),
            only: size("SWEEP_ONLY"),
        }
    }
}

/// What the namespaces share.
struct Sweep {
    /// How to begin the same sweep again.
    again: String,
    waiting: Mutex<VecDeque<Plan>>,
    tally: Mutex<Tally>,
}

fn main() -> ExitCode {
    // `cargo test --benches` runs this without it.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("the kill sweep runs with `cargo bench --bench sweep`");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    if runtime.block_on(sweep(&Settings::from_environment())) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Carries out all runs; whether nothing was found.
async fn sweep(settings: &Settings) -> bool {
    let mut plans = plan::plans(settings.seed, settings.runs);
    plans.retain(|plan| settings.only.is_none_or(|only| plan.number == only));
    let again = format!("SWEEP_SEED={} SWEEP_RUNS={}", settings.seed, settings.runs);
    println!(
        "{} runs, {} namespaces at once, {again}",
        plans.len(),
        settings.parallel
    );
    let begun = Instant::now();
    let sweep = Sweep {
        again,
        tally: Mutex::new(Tally::new(plans.len())),
        waiting: Mutex::new(plans.into()),
    };
    join_all((0..settings.parallel).map(|_| sweep.work())).await;
    let tally = sweep.tally();
    println!(
        "\n{}\n{} s, {}",
        tally.table(),
        begun.elapsed().as_secs(),
        sweep.again
    );
    tally.is_clean()
}

impl Sweep {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Plan> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// Takes runs until none is left, in one namespace as long as nothing is found in it.
    async fn work(&self) {
        let mut ground = None;
        while let Some(plan) = self.next() {
            let report = self.report(&mut ground, &plan).await;
            self.tally()
                .count(&plan, &report.findings, report.effects, report.settled);
            if !report.findings.is_empty() {
                self.show(&report.findings, &report.evidence);
                ground = None;
            }
        }
        if let Some(ground) = ground {
            let closed = AssertUnwindSafe(ground.close()).catch_unwind().await;
            let findings =
                closed.unwrap_or_else(|panic| vec![Finding::new(Kind::Lost, panic_message(&*panic))]);
            self.tally().count_afterwards(&findings);
            if !findings.is_empty() {
                self.show(&findings, "after the last run of a namespace");
            }
        }
    }

    /// One run; a wait in vain (a panic) and a hang are findings like any other.
    async fn report(&self, ground: &mut Option<Ground>, plan: &Plan) -> Report {
        let begun = Instant::now();
        let carried_out = async {
            let mut here = match ground.take() {
                Some(here) => here,
                None => Ground::new().await,
            };
            let report = run::run(&mut here, plan).await;
            *ground = Some(here);
            report
        };
        let guarded = AssertUnwindSafe(carried_out).catch_unwind();
        let why = match tokio::time::timeout(RUN_WITHIN, guarded).await {
            Ok(Ok(report)) => return report,
            Ok(Err(panic)) => panic_message(&*panic),
            Err(_) => "the run hangs".to_owned(),
        };
        Report {
            findings: vec![Finding::new(Kind::Lost, why)],
            effects: 0,
            settled: begun.elapsed(),
            evidence: plan.to_string(),
        }
    }

    fn show(&self, findings: &[Finding], evidence: &str) {
        println!("\nFOUND with {}", self.again);
        for finding in findings {
            println!("{:?}: {}", finding.kind, finding.text);
        }
        println!("{evidence}\n");
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic".to_owned())
}
