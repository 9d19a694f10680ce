//! From a change to the call at the NAS, one change at a time and in bursts, and what an action costs on a processor.

use std::time::Duration;

use crate::{
    arm::{ARMS, Arm},
    audit::Audit,
    burst::{self, Change, Span},
    ground::{Ground, Plan},
    objects::WRITERS,
    report::{Figure, Limit, Report},
    settings::Settings,
    stats::{number, percentile},
    witness::Witness,
};

const TASKS: usize = 100;
/// Runs that fill `historyLimit`.
const RUNS: usize = 10;
/// So short that the next poll finds the run ended.
const RUN_SECONDS: f64 = 0.1;

/// What one arm showed in one pair.
#[derive(Default)]
struct Turn {
    idle: Vec<f64>,
    burst: Vec<f64>,
    /// From the first accepted change of each burst to its last call.
    last: Vec<f64>,
    cpu_per_action: f64,
}

pub async fn measure(settings: &Settings, report: &mut Report) {
    compare("latency", false, settings, report).await;
}

/// The same on objects that are alike: those of the floor have the history, too, that runs by the operator leave. What is left
/// is the difference of the two processes; what the size of an object costs an API server is the difference to
/// [`measure`].
pub async fn alike(settings: &Settings, report: &mut Report) {
    compare("alike", true, settings, report).await;
}

async fn compare(section: &'static str, with_history: bool, settings: &Settings, report: &mut Report) {
    let plan = Plan::new(1, TASKS.max(settings.burst), RUN_SECONDS);
    let grounds = [
        Ground::settled("latency", &plan, settings).await,
        Ground::settled("latency", &plan, settings).await,
    ];
    let mut audits = grounds
        .each_ref()
        .map(|ground| Audit::of(ground.namespace.cluster()));
    audits.iter_mut().for_each(Audit::skip);
    if with_history {
        for (ground, audit) in grounds.iter().zip(&mut audits) {
            fill_history(settings, ground, audit).await;
        }
    }
    let mut turns: [Vec<Turn>; 2] = Default::default();
    for pair in 0..settings.pairs {
        // The one that was second is first in the next pair.
        for arm in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
            let turn = turn(settings, ARMS[arm], &grounds[arm], &mut audits[arm], pair).await;
            turns[arm].push(turn);
        }
    }
    let of = |what: &dyn Fn(&Turn) -> f64| {
        let [operator, floor] = turns
            .each_ref()
            .map(|turns| turns.iter().map(what).collect::<Vec<_>>());
        (operator, floor)
    };
    let figure = |name: &str, unit: &str, what: &dyn Fn(&Turn) -> f64| {
        let (operator, floor) = of(what);
        Figure::new(section, name, unit, operator).floor(floor)
    };
    let all = |arm: usize, what: fn(&Turn) -> &Vec<f64>| {
        let samples: Vec<f64> = turns[arm].iter().flat_map(what).copied().collect();
        vec![percentile(&samples, 0.99)]
    };
    report.add(figure("idle p50", "ms", &|turn| percentile(&turn.idle, 0.5)));
    report.add(figure("idle p99", "ms", &|turn| percentile(&turn.idle, 0.99)).limit(Limit::RatioAtMost(1.3)));
    let together = all(0, |turn| &turn.idle);
    report.add(
        Figure::new(section, "idle p99 of all pairs together", "ms", together)
            .floor(all(1, |turn| &turn.idle)),
    );
    report.add(figure("burst p50", "ms", &|turn| percentile(&turn.burst, 0.5)));
    report
        .add(figure("burst p99", "ms", &|turn| percentile(&turn.burst, 0.99)).limit(Limit::RatioAtMost(1.5)));
    report.add(figure("burst, last call after", "ms", &|turn| {
        percentile(&turn.last, 0.5)
    }));
    let (operator, floor) = of(&|turn| turn.cpu_per_action);
    report.add(
        Figure::new(section, "CPU per action", "ms", operator)
            .floor(floor)
            .limit(Limit::AtMost(0.25))
            .note(format!("{} actions each", settings.bursts * settings.burst)),
    );
    for ground in grounds {
        ground.clear().await;
    }
}

async fn fill_history(settings: &Settings, ground: &Ground, audit: &mut Audit) {
    let mut running = Arm::Operator.start(settings, ground);
    running.wait_ready().await;
    let witness = Witness::start(&ground.objects, false);
    let names: Vec<String> = ground.names().cloned().collect();
    for run in 0..RUNS {
        burst::burst(ground, &witness, &names, &format!("history-{run}"), WRITERS).await;
    }
    // All is written but thousands of Events, which nobody waits for.
    running.stop().await;
    burst::changes(ground, audit).await;
}

async fn turn(settings: &Settings, arm: Arm, ground: &Ground, audit: &mut Audit, pair: usize) -> Turn {
    let mut running = arm.start(settings, ground);
    running.wait_ready().await;
    let witness = Witness::start(&ground.objects, false);
    let names: Vec<String> = ground.names().take(settings.burst).cloned().collect();
    // Connections on all sides are open after this.
    burst::burst(ground, &witness, &names, &format!("warm-{pair}"), WRITERS).await;
    ground.wait_quiet().await;
    let singles = names.iter().cycle().take(settings.changes);
    let idle = burst::one_by_one(ground, &witness, singles, &format!("single-{pair}")).await;
    let mut bursts = Vec::new();
    let before = running.cpu();
    for number in 0..settings.bursts {
        let token = format!("burst-{pair}-{number}");
        bursts.push(burst::burst(ground, &witness, &names, &token, WRITERS).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let cpu = running.cpu() - before;
    running.stop().await;
    let changes = burst::changes(ground, audit).await;
    Turn {
        idle: latencies(&changes, idle),
        burst: bursts
            .iter()
            .flat_map(|span| latencies(&changes, *span))
            .collect(),
        last: bursts.iter().map(|span| last_call(&changes, *span)).collect(),
        cpu_per_action: cpu / number(settings.bursts * settings.burst),
    }
}

fn latencies(changes: &[Change], span: Span) -> Vec<f64> {
    let within = changes.iter().filter(|change| span.contains(change));
    within.map(Change::latency).collect()
}

fn last_call(changes: &[Change], span: Span) -> f64 {
    let within = || changes.iter().filter(|change| span.contains(change));
    let first = within().map(|change| change.accepted).min().unwrap_or_default();
    let last = within().map(|change| change.arrived).max().unwrap_or_default();
    crate::stats::milliseconds(last - first)
}
