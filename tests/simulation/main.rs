//! A deterministic simulation of the shipped reconciler: an API server and a NAS in memory, two processes with a
//! Lease, paused time, and faults at every call. This is the part that fits into a test run; `cargo bench --bench
//! simulation` runs all of it and prints the count.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api_server;
mod behaviours;
mod crowd;
mod faults;
mod judge;
mod logins;
mod run;
mod scenarios;
mod stories;
mod sweep;
mod weak;
mod world;

use std::time::Duration;

use abb_operator::api::ReceiptOutcome;
use faults::{Fault, Plan};
use weak::Protocol;

#[test]
fn every_story_ends_as_it_should_when_nothing_goes_wrong() {
    let ends = |scenario: &scenarios::Scenario| {
        let outcome = run::run(scenario, &Plan::default(), true);
        let violation = outcome.violation?;
        Some(format!(
            "{}: {violation}\n{}\n",
            scenario.name,
            outcome.trace.join("\n")
        ))
    };
    let wrong: Vec<String> = scenarios::all().iter().filter_map(ends).collect();
    assert!(wrong.is_empty(), "{}", wrong.concat());
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
fn an_effect_after_the_settling_time_is_lost_on_us_and_a_longer_one_waits_for_it() {
    let plan = Plan {
        faults: vec![(1, Fault::TooLateEffect)],
    };
    let mut scenario = scenarios::named("a token");
    let violation = run::run(&scenario, &plan, false).violation.unwrap();
    assert!(
        violation.starts_with("I1: backup takes effect 2 times"),
        "{violation}"
    );
    scenario.server.spec.timeouts.settle = "10m".to_owned().try_into().unwrap();
    let outcome = run::run(&scenario, &plan, true);
    assert_eq!(outcome.violation, None, "{}", outcome.trace.join("\n"));
    assert_eq!(outcome.answer, Some(ReceiptOutcome::Succeeded));
}

/// Runs a story with the same fault at each of its first steps.
fn at_each_step(name: &str, faults: impl Fn(u64) -> Vec<(u64, Fault)>) {
    let scenario = scenarios::named(name);
    let steps = run::run(&scenario, &Plan::default(), false).steps;
    for step in 1..=steps {
        let plan = Plan { faults: faults(step) };
        let outcome = run::run(&scenario, &plan, true);
        assert_eq!(outcome.violation, None, "{plan}\n{}", outcome.trace.join("\n"));
        assert_eq!(
            outcome.answer,
            Some(ReceiptOutcome::Succeeded),
            "{plan}\n{}",
            outcome.trace.join("\n")
        );
    }
}

#[test]
fn an_answer_that_does_not_come_is_waited_out() {
    let plan = Plan {
        faults: vec![(1, Fault::LateEffect)],
    };
    let outcome = run::run(&scenarios::named("a token"), &plan, true);
    assert_eq!(outcome.violation, None, "{}", outcome.trace.join("\n"));
    assert_eq!(outcome.answer, Some(ReceiptOutcome::Succeeded));
}

#[test]
fn a_run_behind_a_version_deletion_is_found_though_a_write_is_lost() {
    at_each_step("a version deletion on top", |step| {
        vec![(step, Fault::WriteLostBefore)]
    });
}

#[test]
fn a_run_that_only_a_lost_write_knew_of_is_looked_for_again() {
    at_each_step("a run that only the history shows", |step| {
        vec![(1, Fault::ConflictAfterEffect), (step, Fault::WriteLostBefore)]
    });
}

#[test]
fn an_intent_that_another_life_recorded_is_never_sent() {
    at_each_step("a token", |step| {
        vec![(1, Fault::StaleView), (step, Fault::CrashAfter)]
    });
}

#[test]
fn no_invariant_is_violated_under_faults() {
    let report = sweep::sweep(sweep::Size::Within(Duration::from_secs(25)), 1);
    report.assert();
}

#[test]
fn weaker_protocols_start_twice_in_the_same_world_and_ours_does_not() {
    let [ours, call_first, failed] = [Protocol::Ours, Protocol::CallFirst, Protocol::ErrorMeansFailed]
        .map(|protocol| sweep::compare(protocol, 3..=4));
    assert_eq!((ours.twice, ours.never), (0, 0), "of {} runs", ours.runs);
    assert!(
        call_first.twice > 0,
        "the judge sees nothing in {} runs",
        call_first.runs
    );
    assert!(failed.twice > 0, "the judge sees nothing in {} runs", failed.runs);
}

#[test]
fn many_tasks_due_at_once_run_five_at_a_time_oldest_first() {
    let outcome = crowd::run(60, 5);
    assert_eq!(outcome.most_at_once, 5);
    assert_eq!(outcome.done, 60, "none is starved, none runs twice");
    assert!(outcome.in_order, "by due time");
}

/// Longer than anything rests, and for a day after every seventh story; the whole simulation waits for a day after each.
#[test]
fn nothing_happens_once_all_is_settled() {
    run::assert_quiet_for(|number| Duration::from_hours(if number % 7 == 0 { 24 } else { 3 }));
}
