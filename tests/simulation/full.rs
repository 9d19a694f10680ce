//! The whole simulation: `cargo bench --bench simulation`. Prints how many runs there were and what they showed, and
//! fails when one violates an invariant. `SIMULATION_DRAWS` sets the draws for each ordered pair of faults,
//! `SIMULATION_SEED` the seed, `SIMULATION_SECONDS` a time after which it ends; `SIMULATION_PLAN` with `SIMULATION_SCENARIO` (its number) prints one run.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

mod api_server;
mod crowd;
mod faults;
mod judge;
#[allow(dead_code, reason = "how a single run ended is asked by the tests")]
mod run;
mod scenarios;
mod stories;
#[allow(dead_code, reason = "the verdict of the test")]
mod sweep;
mod weak;
mod world;

use std::{collections::BTreeMap, time::Duration};

use weak::Protocol;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn main() {
    if let Ok(text) = std::env::var("SIMULATION_PLAN") {
        let plan = sweep::plan(&text).unwrap();
        let scenario = usize::try_from(number("SIMULATION_SCENARIO", 0)).unwrap();
        println!("{}", sweep::trace(scenario, &plan));
        return;
    }
    println!(
        "{:<20} {:>6} {:>12} {:>6}",
        "protocol", "runs", "two or more", "none"
    );
    for protocol in [Protocol::Ours, Protocol::CallFirst, Protocol::ErrorMeansFailed] {
        let of = sweep::compare(protocol, 1..=20);
        println!(
            "{:<20} {:>6} {:>12} {:>6}",
            format!("{protocol:?}"),
            of.runs,
            of.twice,
            of.never
        );
    }
    let crowd = crowd::run(500, 5);
    println!(
        "\n500 tasks due at once, 5 at a time: {} at once at most, {} done once, {}\n",
        crowd.most_at_once,
        crowd.done,
        if crowd.in_order {
            "oldest first"
        } else {
            "OUT OF ORDER"
        }
    );
    if number("SIMULATION_SECONDS", 0) == 0 {
        run::assert_quiet_for(|_| Duration::from_hours(24));
        println!("nothing happens for a day once all is settled\n");
    }
    let seed = number("SIMULATION_SEED", 1);
    let size = match number("SIMULATION_SECONDS", 0) {
        0 => sweep::Size::Whole(number("SIMULATION_DRAWS", 1)),
        seconds => sweep::Size::Within(Duration::from_secs(seconds)),
    };
    let report = sweep::sweep(size, seed);
    println!("{:<45} {:>7} {:>8}", "scenario", "runs", "unknown");
    for (name, (runs, unknown)) in &report.by_scenario {
        println!("{name:<45} {runs:>7} {unknown:>8}");
    }
    println!(
        "\n{} runs in {:.0} s: {} with one crash or pause, at every step, {} with two faults, in every order; {} of \
         unknown outcome; {} violations (seed {seed})",
        report.runs,
        report.seconds,
        report.crashes,
        report.pairs,
        report.unknown,
        report.violations.len()
    );
    let mut told: BTreeMap<usize, u32> = BTreeMap::new();
    for (scenario, plan) in &report.undecided {
        let count = told.entry(*scenario).or_default();
        *count += 1;
        if *count <= 5 {
            println!("of unknown outcome: scenario {scenario}, {plan}");
        }
    }
    for (scenario, plan, violation) in report.violations.iter().take(20) {
        println!("scenario {scenario}, {plan}: {violation}");
    }
    if let Some((scenario, plan, _)) = report.violations.first() {
        println!("\n{}", sweep::trace(*scenario, plan));
        std::process::exit(1);
    }
}
