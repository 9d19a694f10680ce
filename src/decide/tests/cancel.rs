//! Tokens that cancel: the run in flight when they are first seen, once, and nothing else.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    nas::{Task, status},
    observe::{Answered, Knowledge},
};

/// Token `c` is about a run in progress.
fn canceling() -> Case {
    Case {
        object: task().cancel("c"),
        nas: Some(lists(doing("backingup"))),
        run: Some(Origin::External),
        reason: Reason::CancelRequested,
        state: State::Canceling,
        ..case()
    }
}

/// Its call is open, for the run of token `a` with row 11.
fn sent(answer: Option<Answered>) -> Case {
    Case {
        object: in_flight(),
        knowledge: call(answer, -80, None),
        intent: true,
        run: Some(Origin::Request),
        cancel: Some(("c", Accepted)),
        request: Some(("a", Accepted)),
        ..canceling()
    }
}

fn in_flight() -> BackupTask {
    running(Some(11))
        .cancel("c")
        .cancel_receipt("c", Accepted)
        .intent(open(IntentAction::Cancel))
}

#[test]
fn a_cancel_token_is_taken_up_once() {
    check(vec![
        Case {
            name: "a new token cancels the run in flight",
            act: Want::Cancel { attempt: 1 },
            cancel: Some(("c", Accepted)),
            ..canceling()
        },
        Case {
            name: "the annotation's token as well",
            object: task().annotate(ANNOTATION_CANCEL, "c"),
            act: Want::Cancel { attempt: 1 },
            cancel: Some(("c", Accepted)),
            ..canceling()
        },
        Case {
            name: "a token already there at first sight cancels nothing",
            object: new_task().cancel("c"),
            reason: Reason::BackupRunning,
            state: State::Running,
            cancel: Some(("c", NothingToCancel)),
            ..canceling()
        },
        Case {
            name: "on an idle task there is nothing to cancel",
            nas: Some(lists(row())),
            run: None,
            reason: Reason::Reconciled,
            state: State::Idle,
            cancel: Some(("c", NothingToCancel)),
            events: Some(&[Reason::NothingToCancel]),
            ..canceling()
        },
        Case {
            name: "it needs a read of this pass",
            fresh: false,
            needs: FRESH,
            reason: Reason::BackupRunning,
            state: State::Running,
            ..canceling()
        },
        Case {
            name: "a known token cancels no later run",
            object: task().cancel("c").cancel_receipt("c", NothingToCancel),
            reason: Reason::BackupRunning,
            state: State::Running,
            cancel: Some(("c", NothingToCancel)),
            ..canceling()
        },
        Case {
            name: "it waits for an open backup call",
            object: asked().cancel("c"),
            nas: Some(lists(row())),
            knowledge: answered(Answered::Applied),
            intent: true,
            run: None,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..canceling()
        },
        Case {
            name: "it cancels the run that the open call turns out to have started",
            object: asked().cancel("c"),
            knowledge: answered(Answered::Applied),
            act: Want::Cancel { attempt: 1 },
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            cancel: Some(("c", Accepted)),
            ..canceling()
        },
        Case {
            name: "suspended, nothing is sent, but the token is for this run",
            object: task().cancel("c").suspended(),
            cancel: Some(("c", Accepted)),
            reason: Reason::Suspended,
            state: State::Running,
            ..canceling()
        },
        Case {
            name: "in Plan nothing is sent",
            server: mode(Mode::Plan),
            reason: Reason::Planned,
            state: State::Running,
            ..canceling()
        },
        Case {
            name: "in Observe nothing is planned",
            server: mode(Mode::Observe),
            reason: Reason::Observing,
            state: State::Running,
            ..canceling()
        },
        Case {
            name: "while the task is missing it waits",
            nas: Some(inventory(vec![])),
            run: None,
            reason: Reason::TaskNotFound,
            state: State::Missing,
            ..canceling()
        },
        Case {
            name: "after the removal there is nothing to cancel, whatever stands there",
            object: task()
                .removal(RemovalWhen::Now, "k7")
                .removed(RemovalWhen::Now)
                .cancel("c"),
            run: None,
            reason: Reason::TaskRemoved,
            state: State::Removed,
            cancel: Some(("c", NothingToCancel)),
            ..canceling()
        },
    ]);
}

#[test]
fn a_cancel_is_settled_by_the_end_of_its_run() {
    let over = |outcome, request| Case {
        intent: false,
        run: None,
        reason: Reason::Reconciled,
        state: State::Idle,
        cancel: Some(("c", outcome)),
        request: Some(("a", request)),
        ..sent(Some(Answered::Applied))
    };
    check(vec![
        Case {
            name: "an applied one waits for the end",
            ..sent(Some(Answered::Applied))
        },
        Case {
            name: "an unknown one is not sent again",
            ..sent(Some(Answered::Unknown))
        },
        Case {
            name: "a found one is not sent",
            ..sent(None)
        },
        Case {
            name: "one found by a new process is not sent",
            knowledge: Knowledge::default(),
            ..sent(None)
        },
        Case {
            name: "one that was not dispatched is sent once more",
            act: Want::Cancel { attempt: 2 },
            ..sent(Some(Answered::NotDispatched))
        },
        Case {
            name: "after three that were not, the next waits",
            object: in_flight().status(|status| status.intent.as_mut().unwrap().attempt = 3),
            knowledge: call(Some(Answered::Withheld), -59, None),
            wake: Some(at(1)),
            ..sent(None)
        },
        Case {
            name: "a second token is answered by the cancel under way",
            object: in_flight().cancel("d"),
            cancel: Some(("d", Accepted)),
            ..sent(Some(Answered::Applied))
        },
        Case {
            name: "a refused one is over and is told by an Event",
            intent: false,
            reason: Reason::BackupRunning,
            state: State::Running,
            cancel: Some(("c", Failed)),
            ..sent(Some(Answered::Refused(1010)))
        },
        Case {
            name: "the run was cancelled",
            nas: Some(lists(ended(result(11, status::CANCELED)))),
            last_result: Some(11),
            ..over(Canceled, Canceled)
        },
        Case {
            name: "the run ended first",
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            last_result: Some(11),
            ..over(NothingToCancel, Succeeded)
        },
        Case {
            name: "a cancel nobody answered may still be on its way when the run has ended: nothing starts",
            object: in_flight().request("b"),
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            knowledge: call(Some(Answered::Unknown), -59, None),
            last_result: Some(11),
            intent: true,
            reason: Reason::CancelRequested,
            wake: Some(at(2)),
            ..over(NothingToCancel, Succeeded)
        },
        Case {
            name: "after the settling time it cannot hit the next run any more",
            object: in_flight().request("b"),
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            knowledge: call(Some(Answered::Unknown), -60, None),
            last_result: Some(11),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("b", Accepted)),
            ..over(NothingToCancel, Succeeded)
        },
        Case {
            name: "the run that follows at once is not hit",
            nas: Some(lists(Task {
                last_result: Some(result(11, status::SUCCESS)),
                ..doing("backingup")
            })),
            knowledge: call(Some(Answered::NotDispatched), -80, None),
            run: Some(Origin::External),
            reason: Reason::BackupRunning,
            state: State::Running,
            ..over(NothingToCancel, Succeeded)
        },
        Case {
            name: "no run, and none followed: there was nothing to cancel",
            object: task()
                .cancel("c")
                .cancel_receipt("c", Accepted)
                .intent(open(IntentAction::Cancel)),
            nas: Some(lists(row())),
            request: None,
            ..over(NothingToCancel, Succeeded)
        },
        Case {
            name: "nothing is started until it is settled",
            object: in_flight().request("b"),
            ..sent(Some(Answered::Applied))
        },
        Case {
            name: "then it is",
            object: in_flight().request("b"),
            nas: Some(lists(ended(result(11, status::CANCELED)))),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("b", Accepted)),
            ..over(Canceled, Canceled)
        },
    ]);
}
