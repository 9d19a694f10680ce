//! Whose turn it is: what counts as a run in flight, over the tasks of one server with room for one.

use super::fixtures::*;
use crate::{
    api::{BackupTask, IntentAction, Origin},
    decide::{Decision, queue},
    observe::{Admission, Answered, Knowledge},
};

/// A task with a token that nothing keeps from starting.
fn waiting() -> (BackupTask, Decision) {
    let mut object = task().request("b");
    object.metadata.uid = Some("u2".to_owned());
    decided(object, &case(), &Knowledge::default())
}

fn decided(object: BackupTask, case: &Case, knowledge: &Knowledge) -> (BackupTask, Decision) {
    let (decision, _) = case.decide(&object, knowledge);
    (object, decision)
}

/// Whether the waiting task gets its turn beside another, and whether the other has to wait.
fn turns(other: (BackupTask, Decision)) -> (bool, bool) {
    let (waiting, waits) = waiting();
    let (other, decision) = other;
    let queued = queue(&[other, waiting], &[&decision, &waits], 1);
    let has_turn = |index| !queued.iter().any(|(place, _)| *place == index);
    (has_turn(1), !has_turn(0))
}

#[test]
fn one_run_at_once() {
    let nothing = Knowledge::default();
    let runs = || Case {
        nas: Some(lists(doing("backingup"))),
        ..case()
    };
    assert_eq!(
        turns(decided(task(), &case(), &nothing)),
        (true, false),
        "an idle task"
    );
    assert_eq!(
        turns(decided(asked(), &case(), &answered(Answered::Unknown))),
        (false, false),
        "an open call"
    );
    assert_eq!(
        turns(decided(running(None), &runs(), &nothing)),
        (false, false),
        "a run of ours"
    );
    let theirs = task().run(run_of(Origin::External, None));
    assert_eq!(
        turns(decided(theirs, &runs(), &nothing)),
        (true, false),
        "a run that its object says is somebody else's"
    );
    assert_eq!(
        turns(decided(task(), &runs(), &nothing)),
        (false, false),
        "a run that its object does not know of yet: it may be a former leader's"
    );
    let cancel = running(None).intent(open(IntentAction::Cancel));
    assert_eq!(
        turns(decided(cancel, &runs(), &nothing)),
        (false, false),
        "a run being cancelled"
    );
}

#[test]
fn a_call_that_did_not_happen_stands_in_the_queue() {
    let absent = || decided(asked(), &case(), &call(Some(Answered::Unknown), -60, Some(-30)));
    let (has_turn, other_waits) = turns(absent());
    assert!(has_turn == other_waits, "exactly one of two gets the turn");
    let (other, decision) = decided(running(None), &case(), &Knowledge::default());
    let (object, again) = absent();
    let queued = queue(&[object, other], &[&again, &decision], 1);
    let expected = Admission::Queued {
        position: 1,
        limit: 1,
    };
    assert_eq!(queued, vec![(0, expected)], "behind a run in flight");
}
