//! Model check of the shipped decision function: two replicas, two tasks, one NAS, bounded faults. Every order in
//! which passes, writes, calls, crashes, handovers and lost answers can fall is tried out: `cargo bench --bench model`.
//!
//! Fails when the shipped protocol violates anything, when its states were not exhausted or were fewer than a million,
//! when something that must come up never did, or when a protocol with a deliberate mistake passes: a check that
//! cannot fail is a defect.
//!
//! Not in it: removals, clocks that differ, a NAS that acts later than the settling time after a call's deadline (I1's
//! assumption), two tasks read at different moments, and a history that is read later than the list it belongs to.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a check that cannot go on has to panic"
)]

mod adapter;
mod judge;
mod protocol;
mod replica;
mod state;
mod typed;
mod world;

use std::{collections::BTreeSet, process::ExitCode, time::Instant};

use protocol::{Bounds, Protocol, Variant};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// How far the shipped protocol is checked: two faults, or one while a user edits the specs.
const SHIPPED: [Bounds; 2] = [Bounds { faults: 1, edits: 1 }, Bounds { faults: 2, edits: 0 }];
/// What takes three faults at least: an answer that is lost, and a queue that is unreadable for a whole settling time.
const MORE: Bounds = Bounds { faults: 3, edits: 0 };
/// How far the broken ones are; a mistake shows in less.
const BROKEN: Bounds = Bounds { faults: 2, edits: 0 };
/// Fewer states than this would be no check.
const ENOUGH: usize = 1_000_000;
/// Machines of the pipeline have two cores.
const THREADS: usize = 2;

fn main() -> ExitCode {
    let mut passes = true;
    for variant in Variant::BROKEN {
        passes &= finds_mistake(variant);
    }
    let mut seen = BTreeSet::new();
    for bounds in SHIPPED {
        passes &= holds(bounds, &mut seen);
    }
    for property in judge::properties() {
        if property.expectation == Expectation::Sometimes {
            let comes_up = seen.contains(property.name) || comes_up_with_more(property.name);
            println!(
                "{}: {}",
                if comes_up { "comes up" } else { "NEVER COMES UP" },
                property.name
            );
            passes &= comes_up;
        }
    }
    println!("{}", if passes { "passed" } else { "FAILED" });
    if passes {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Whether a counterexample to a protocol with a mistake is found: the shortest, as one thread searches in breadth.
fn finds_mistake(variant: Variant) -> bool {
    let begun = Instant::now();
    let checker = Protocol::new(variant, BROKEN)
        .checker()
        .finish_when(HasDiscoveries::AllOf(BTreeSet::from([judge::ONCE])))
        .spawn_bfs()
        .join();
    report(variant, BROKEN, &checker, begun);
    let Some(path) = checker.discovery(judge::ONCE) else {
        println!("  NOT FOUND: a counterexample to {:?}", judge::ONCE);
        return false;
    };
    let steps = path.into_actions();
    println!(
        "  counterexample of {} steps to {:?}: {steps:?}",
        steps.len(),
        judge::ONCE
    );
    true
}

/// Whether everything holds for the shipped protocol, in a space that was exhausted. Notes what came up.
fn holds(bounds: Bounds, seen: &mut BTreeSet<&'static str>) -> bool {
    let begun = Instant::now();
    let checker = Protocol::new(Variant::Shipped, bounds)
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .threads(THREADS)
        .spawn_bfs()
        .join();
    report(Variant::Shipped, bounds, &checker, begun);
    let mut discoveries = checker.discoveries();
    let mut violations = 0;
    for property in checker.model().properties() {
        let found = discoveries.remove(property.name);
        if property.expectation == Expectation::Sometimes {
            seen.extend(found.map(|_| property.name));
        } else if let Some(path) = found {
            violations += 1;
            println!("  VIOLATED: {}", property.name);
            for (number, step) in path.into_actions().into_iter().enumerate() {
                println!("    {:>3} {step:?}", number + 1);
            }
        } else {
            println!("  holds: {}", property.name);
        }
    }
    let (statuses, passes) = checker.model().library.sizes();
    println!("  {statuses} statuses, {passes} different passes");
    let states = checker.unique_state_count();
    let is_exhausted = violations == 0 && checker.is_done();
    let space = if is_exhausted {
        "exhausted"
    } else {
        "NOT EXHAUSTED"
    };
    println!(
        "  state space {space}, {states} unique states (at least {ENOUGH} needed), {violations} violations"
    );
    is_exhausted && states >= ENOUGH
}

/// Whether something comes up with one fault more: the search ends where it does.
fn comes_up_with_more(name: &'static str) -> bool {
    let begun = Instant::now();
    let checker = Protocol::new(Variant::Shipped, MORE)
        .checker()
        .finish_when(HasDiscoveries::AllOf(BTreeSet::from([name])))
        .threads(THREADS)
        .spawn_bfs()
        .join();
    report(Variant::Shipped, MORE, &checker, begun);
    checker.discovery(name).is_some()
}

fn report(variant: Variant, bounds: Bounds, checker: &impl Checker<Protocol>, begun: Instant) {
    println!(
        "{} ({} faults, {} edits): {} states, {} unique, depth {}, {:.1} s",
        variant.sentence(),
        bounds.faults,
        bounds.edits,
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f64(),
    );
}
