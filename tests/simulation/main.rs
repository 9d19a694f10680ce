//! A deterministic simulation of the shipped reconciler: an API server and a NAS in memory, two processes with a
//! Lease, paused time, and faults at every call. This is the part that fits into a test run; `cargo bench --bench
//! simulation` runs all of it and prints the count.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api_server;
mod faults;
mod judge;
mod run;
mod scenarios;
mod sweep;
mod weak;
mod world;

use std::time::Duration;

use faults::Plan;
use weak::Protocol;

#[test]
fn every_story_ends_as_it_should_when_nothing_goes_wrong() {
    for scenario in scenarios::all() {
        let outcome = run::run(&scenario, &Plan::default(), true);
        assert_eq!(
            outcome.violation,
            None,
            "{}\n{}",
            scenario.name,
            outcome.trace.join("\n")
        );
    }
}

#[test]
fn a_run_is_reproduced_by_its_plan() {
    let plan: Plan = sweep::plan("LateEffect@9 CrashAfter@30").unwrap();
    let scenarios = scenarios::all();
    let traces = [0, 1].map(|_| run::run(&scenarios[0], &plan, true).trace);
    assert_eq!(traces[0], traces[1]);
    assert!(traces[0].len() > 20);
}

#[test]
fn no_invariant_is_violated_under_faults() {
    let report = sweep::sweep(sweep::Size::Within(Duration::from_secs(25)), 1);
    report.assert();
}

#[test]
fn weaker_protocols_start_twice_in_the_same_world_and_ours_does_not() {
    let [ours, call_first, failed] = [Protocol::Ours, Protocol::CallFirst, Protocol::ErrorMeansFailed]
        .map(|protocol| sweep::compare(protocol, 5..=8));
    assert_eq!((ours.twice, ours.never), (0, 0), "of {} runs", ours.runs);
    assert!(
        call_first.twice > 0,
        "the judge sees nothing in {} runs",
        call_first.runs
    );
    assert!(failed.twice > 0, "the judge sees nothing in {} runs", failed.runs);
}

#[test]
fn nothing_happens_for_a_day_once_all_is_settled() {
    for scenario in scenarios::all() {
        let outcome = run::run_quietly_for(&scenario, Duration::from_secs(86_400));
        assert_eq!(outcome.violation, None, "{}", scenario.name);
    }
}
