//! The life of an intent: found or sent, applied, refused, unknown; what counts as evidence, and when its absence does.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    nas::{ResultId, Task, job_action, status},
    observe::{Admission, Answered, Claim, Inventory, Knowledge, Queue, ServerFacts},
};

const AGAIN: Want = Want::Backup {
    attempt: 2,
    baseline: 10,
};
const ASKED: Option<(&str, ReceiptOutcome)> = Some(("a", Accepted));

/// A call that waits for evidence.
fn waiting() -> Case {
    Case {
        object: asked(),
        knowledge: answered(Answered::Unknown),
        intent: true,
        reason: Reason::BackupRequested,
        state: State::Waiting,
        request: ASKED,
        ..case()
    }
}

/// A call that took effect.
fn started() -> Case {
    Case {
        intent: false,
        run: Some(Origin::Request),
        reason: Reason::BackupRunning,
        state: State::Running,
        ..waiting()
    }
}

/// A call that did not, and is made again.
fn again() -> Case {
    Case {
        act: AGAIN,
        ..waiting()
    }
}

#[test]
fn evidence_counts_and_not_the_answer() {
    check(vec![
        Case {
            name: "a run in progress that was not active before answers an unknown call",
            nas: Some(lists(doing("backingup"))),
            ..started()
        },
        Case {
            name: "a run in progress answers even a refused call",
            nas: Some(lists(doing("backingup"))),
            knowledge: answered(Answered::Refused(1010)),
            ..started()
        },
        Case {
            name: "a queued run answers a found call",
            nas: Some(with_queue(row(), job(job_action::BACKUP, 1))),
            knowledge: call(None, 0, None),
            state: State::Waiting,
            ..started()
        },
        Case {
            name: "a run seen before the call is no evidence",
            nas: Some(Inventory {
                begun: at(-101),
                ..lists(doing("backingup"))
            }),
            fresh: false,
            state: State::Running,
            reason: Reason::BackupRequested,
            ..waiting()
        },
        Case {
            name: "a run that may be the one that was active before the call is no evidence",
            object: asked().status(|s| s.intent.as_mut().unwrap().baseline_run_active = true),
            nas: Some(lists(doing("backingup"))),
            state: State::Running,
            ..waiting()
        },
        Case {
            name: "a finished row above the baseline answers it and ends it at once",
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            results: Some(vec![result(11, status::SUCCESS), result(10, status::SUCCESS)]),
            request: Some(("a", Succeeded)),
            intent: false,
            run: None,
            reason: Reason::Reconciled,
            state: State::Idle,
            last_result: Some(11),
            ..started()
        },
        Case {
            name: "an unfinished row above the baseline answers it",
            nas: Some(lists(ended(result(11, status::INCOMPLETE)))),
            ..started()
        },
        Case {
            name: "a row at the baseline is none",
            nas: Some(lists(ended(result(10, status::SUCCESS)))),
            ..waiting()
        },
        Case {
            name: "a version deletion above the baseline is none, but hides one: the history is read first",
            nas: Some(lists(ended(deletion(12)))),
            knowledge: call(Some(Answered::Unknown), -80, Some(-40)),
            needs: HISTORY,
            ..waiting()
        },
        Case {
            name: "a run behind a version deletion is found in the history",
            nas: Some(lists(ended(deletion(12)))),
            results: Some(vec![result(11, status::FAILED), result(10, status::SUCCESS)]),
            knowledge: call(Some(Answered::Unknown), -80, Some(-40)),
            request: Some(("a", Failed)),
            intent: false,
            run: None,
            reason: Reason::Reconciled,
            state: State::Idle,
            last_result: Some(11),
            ..started()
        },
        Case {
            name: "another task under the number shows nothing of ours",
            nas: Some(lists(Task {
                unique_key: crate::nas::UniqueKey::new("k8"),
                ..doing("backingup")
            })),
            reason: Reason::TaskReplaced,
            state: State::Missing,
            ..waiting()
        },
    ]);
}

#[test]
fn a_found_intent_is_never_sent() {
    check(vec![
        Case {
            name: "found a moment ago: it waits for evidence",
            knowledge: call(None, 0, None),
            wake: Some(at(60)),
            ..waiting()
        },
        Case {
            name: "found by a process without memory: it waits",
            knowledge: Knowledge::default(),
            ..waiting()
        },
        Case {
            name: "found, and absent in two reads: the next attempt has a new identity",
            knowledge: call(None, -60, Some(-30)),
            ..again()
        },
        Case {
            name: "memory of another intent says nothing of this one",
            knowledge: Knowledge {
                call: call(Some(Answered::NotDispatched), -90, None)
                    .call
                    .map(|c| crate::observe::Call {
                        intent: "x".to_owned(),
                        ..c
                    }),
                ..Knowledge::default()
            },
            ..waiting()
        },
    ]);
}

#[test]
fn absence_after_an_unknown_answer() {
    let unknown = |from, first| call(Some(Answered::Unknown), from, first);
    check(vec![
        Case {
            name: "a read one second before the settling time is over proves nothing",
            knowledge: unknown(-59, Some(-59)),
            wake: Some(at(1)),
            ..waiting()
        },
        Case {
            name: "a read at its end proves it",
            knowledge: unknown(-60, Some(-60)),
            ..again()
        },
        Case {
            name: "the first read half of it before is enough",
            knowledge: unknown(-60, Some(-30)),
            ..again()
        },
        Case {
            name: "a second less is not",
            knowledge: unknown(-60, Some(-29)),
            ..waiting()
        },
        Case {
            name: "a first read alone is not",
            knowledge: unknown(-60, Some(0)),
            ..waiting()
        },
        Case {
            name: "no read yet is not",
            knowledge: unknown(-60, None),
            ..waiting()
        },
        Case {
            name: "the next attempt needs a read of this pass",
            knowledge: unknown(-60, Some(-30)),
            fresh: false,
            needs: FRESH,
            ..waiting()
        },
        Case {
            name: "a queue that was not asked for proves nothing",
            nas: Some(with_queue(row(), Queue::NotAsked)),
            knowledge: unknown(-300, Some(-200)),
            ..waiting()
        },
        Case {
            name: "a queue that cannot be read is given as long again",
            nas: Some(with_queue(row(), Queue::Unreadable)),
            knowledge: unreadable_since(-119, unknown(-119, Some(-80))),
            ..waiting()
        },
        Case {
            name: "however long ago the call was: one failed read proves nothing",
            nas: Some(with_queue(row(), Queue::Unreadable)),
            knowledge: unreadable_since(0, unknown(-3600, None)),
            ..waiting()
        },
        Case {
            name: "nor do two that follow each other closely",
            nas: Some(with_queue(row(), Queue::Unreadable)),
            knowledge: unreadable_since(-59, unknown(-3600, None)),
            ..waiting()
        },
        Case {
            name: "then nobody can tell",
            nas: Some(with_queue(row(), Queue::Unreadable)),
            knowledge: unreadable_since(-60, unknown(-120, Some(-80))),
            intent: false,
            reason: Reason::OutcomeUnknown,
            state: State::Idle,
            request: Some(("a", OutcomeUnknown)),
            conditions: &[
                (ConditionType::Ready, "False", Reason::OutcomeUnknown),
                (ConditionType::Stalled, "True", Reason::OutcomeUnknown),
            ],
            events: Some(&[Reason::OutcomeUnknown]),
            ..waiting()
        },
        Case {
            name: "a status that lost the receipt of the call's token: it was asked for all the same",
            object: asked().status(|status| status.receipts = None),
            nas: Some(with_queue(row(), Queue::Unreadable)),
            knowledge: unreadable_since(-60, unknown(-120, Some(-80))),
            intent: false,
            reason: Reason::OutcomeUnknown,
            state: State::Idle,
            request: Some(("a", OutcomeUnknown)),
            ..waiting()
        },
        Case {
            name: "a call that names nothing, in a status without receipts: it may have been for the token",
            object: asked().status(|status| {
                status.receipts = None;
                status.intent.as_mut().unwrap().triggers.clear();
            }),
            nas: Some(with_queue(row(), Queue::Unreadable)),
            knowledge: unreadable_since(-60, unknown(-120, Some(-80))),
            intent: false,
            reason: Reason::OutcomeUnknown,
            state: State::Idle,
            request: Some(("a", OutcomeUnknown)),
            ..waiting()
        },
        Case {
            name: "a status with the receipt of another token: the call named the one that is asked for",
            object: asked().receipt("b", Accepted),
            nas: Some(with_queue(row(), Queue::Unreadable)),
            knowledge: unreadable_since(-60, unknown(-120, Some(-80))),
            intent: false,
            reason: Reason::OutcomeUnknown,
            state: State::Idle,
            request: Some(("a", OutcomeUnknown)),
            ..waiting()
        },
        Case {
            name: "an accepted token that the call does not name: this may have been its call",
            object: asked().status(|status| {
                status.intent.as_mut().unwrap().triggers[0].token = Some("x".to_owned());
            }),
            nas: Some(with_queue(row(), Queue::Unreadable)),
            knowledge: unreadable_since(-60, unknown(-120, Some(-80))),
            intent: false,
            reason: Reason::OutcomeUnknown,
            state: State::Idle,
            request: Some(("a", OutcomeUnknown)),
            ..waiting()
        },
        Case {
            name: "a history that cannot be read is given as long again",
            nas: Some(lists(ended(deletion(12)))),
            knowledge: Knowledge {
                history_unreadable: true,
                ..unreadable_since(-119, unknown(-119, Some(-80)))
            },
            ..waiting()
        },
        Case {
            name: "then nobody can tell either",
            nas: Some(lists(ended(deletion(12)))),
            knowledge: Knowledge {
                history_unreadable: true,
                ..unreadable_since(-60, unknown(-120, Some(-80)))
            },
            intent: false,
            reason: Reason::OutcomeUnknown,
            state: State::Idle,
            request: Some(("a", OutcomeUnknown)),
            ..waiting()
        },
        Case {
            name: "a history that was read behind the deletion proves absence",
            nas: Some(lists(ended(deletion(12)))),
            knowledge: Knowledge {
                history_read_behind: Some(ResultId(12)),
                ..unknown(-60, Some(-30))
            },
            ..again()
        },
        Case {
            name: "suspended meanwhile: nothing is sent again, and no place is taken",
            object: asked().suspended(),
            knowledge: unknown(-60, Some(-30)),
            reason: Reason::Suspended,
            intent: false,
            state: State::Idle,
            ..waiting()
        },
        Case {
            name: "in Plan nothing is sent again",
            server: mode(Mode::Plan),
            knowledge: unknown(-60, Some(-30)),
            reason: Reason::Planned,
            intent: false,
            state: State::Idle,
            ..waiting()
        },
        Case {
            name: "claimed by an older object meanwhile: nothing is sent again",
            claim: Claim {
                owner: Some("elder".to_owned()),
                other: None,
            },
            knowledge: unknown(-60, Some(-30)),
            reason: Reason::TaskClaimed,
            intent: false,
            state: State::Idle,
            ..waiting()
        },
        Case {
            name: "past requestNotAfter nothing is sent again",
            object: asked().not_after(-1),
            knowledge: unknown(-60, Some(-30)),
            intent: false,
            reason: Reason::Reconciled,
            state: State::Idle,
            request: Some(("a", Expired)),
            ..waiting()
        },
        Case {
            name: "a token changed meanwhile is not mixed into the attempt that is owed",
            object: asked().request("b"),
            knowledge: unknown(-60, Some(-30)),
            ..again()
        },
        Case {
            name: "another task was given its turn meanwhile: the next attempt stands in the queue",
            admission: Admission::Queued {
                position: 1,
                limit: 1,
            },
            knowledge: unknown(-60, Some(-30)),
            reason: Reason::Queued,
            ..waiting()
        },
        Case {
            name: "the NAS unreadable meanwhile: an old list proves nothing new",
            reach: failing(1),
            knowledge: unknown(-60, Some(-30)),
            reason: Reason::ServerNotReady,
            ..waiting()
        },
    ]);
}

#[test]
fn an_applied_call_is_never_made_again() {
    let applied = call(Some(Answered::Applied), -80, Some(-70));
    let recorded = |second| asked().status(|s| s.intent.as_mut().unwrap().recorded_at = time(at(second)));
    let unknown = || Case {
        knowledge: call(Some(Answered::Applied), -80, Some(-70)),
        intent: false,
        reason: Reason::OutcomeUnknown,
        state: State::Idle,
        request: Some(("a", OutcomeUnknown)),
        ..waiting()
    };
    check(vec![
        Case {
            name: "it waits while nothing shows",
            knowledge: applied.clone(),
            ..waiting()
        },
        Case {
            name: "a second before 24h it still waits",
            object: recorded(1 - DAY),
            knowledge: applied.clone(),
            ..waiting()
        },
        Case {
            name: "at 24h nobody can tell",
            object: recorded(-DAY),
            ..unknown()
        },
        Case {
            name: "24h of a NAS that could not be read do not count",
            object: recorded(-DAY - 50),
            nas: Some(Inventory {
                begun: at(-100),
                ..lists(row())
            }),
            fresh: false,
            reach: failing(9),
            knowledge: applied.clone(),
            reason: Reason::ServerNotReady,
            state: State::Unknown,
            ..waiting()
        },
        Case {
            name: "its task gone from two lists: nobody can tell",
            nas: Some(inventory(vec![])),
            knowledge: Knowledge {
                absent_since: Some(at(-60)),
                ..applied.clone()
            },
            reason: Reason::TaskNotFound,
            state: State::Missing,
            ..unknown()
        },
        Case {
            name: "its task missing from one list: it waits",
            nas: Some(inventory(vec![])),
            knowledge: Knowledge {
                absent_since: Some(at(-59)),
                ..applied.clone()
            },
            reason: Reason::TaskNotFound,
            state: State::Missing,
            ..waiting()
        },
        Case {
            name: "the object bound to another task meanwhile: nobody can tell",
            object: asked().edit(|object| {
                object.spec.task = TaskSelector {
                    id: Some(8),
                    ..TaskSelector::default()
                }
            }),
            nas: Some(lists(Task {
                id: crate::nas::TaskId(8),
                unique_key: crate::nas::UniqueKey::new("k8"),
                last_result: None,
                ..row()
            })),
            ..unknown()
        },
    ]);
}

#[test]
fn a_call_that_was_not_carried_out() {
    let refused = |code| answered(Answered::Refused(code));
    let attempt = |attempt| asked().status(|s| s.intent.as_mut().unwrap().attempt = attempt);
    let ended = || Case {
        intent: false,
        state: State::Idle,
        ..waiting()
    };
    check(vec![
        Case {
            name: "not dispatched: the next attempt keeps the baseline",
            knowledge: answered(Answered::NotDispatched),
            ..again()
        },
        Case {
            name: "withheld by the fence: the same",
            knowledge: answered(Answered::Withheld),
            ..again()
        },
        Case {
            name: "not dispatched, and the NAS unreadable: it waits",
            knowledge: answered(Answered::NotDispatched),
            reach: failing(1),
            reason: Reason::ServerNotReady,
            ..waiting()
        },
        Case {
            name: "not dispatched, and the task gone: nothing is open any more, the token stays due",
            nas: Some(inventory(vec![])),
            knowledge: answered(Answered::NotDispatched),
            intent: false,
            reason: Reason::TaskNotFound,
            state: State::Missing,
            ..waiting()
        },
        Case {
            name: "three attempts in a row could not be sent: the next one waits for the settling time",
            object: attempt(3),
            knowledge: call(Some(Answered::NotDispatched), -59, None),
            wake: Some(at(1)),
            ..waiting()
        },
        Case {
            name: "then it is made",
            object: attempt(3),
            knowledge: call(Some(Answered::NotDispatched), -60, None),
            act: Want::Backup {
                attempt: 4,
                baseline: 10,
            },
            ..again()
        },
        Case {
            name: "outside the backup window: the token stays due, the next attempt is put off",
            knowledge: refused(1104),
            reason: Reason::BackupRefused,
            wake: Some(at(300)),
            conditions: &[(ConditionType::Ready, "True", Reason::BackupRefused)],
            ..ended()
        },
        Case {
            name: "refused for the third time: the time doubles",
            object: asked().status(|status| status.refusals = Some(2)),
            knowledge: refused(5001),
            reason: Reason::BackupRefused,
            wake: Some(at(1200)),
            ..ended()
        },
        Case {
            name: "refused very often: 6h at most",
            object: asked().status(|status| status.refusals = Some(30)),
            knowledge: refused(1007),
            reason: Reason::BackupRefused,
            wake: Some(at(6 * 3600)),
            ..ended()
        },
        Case {
            name: "a refusal that lasts fails the token and stalls the object",
            knowledge: refused(1010),
            reason: Reason::BackupRefused,
            request: Some(("a", Failed)),
            conditions: &[(ConditionType::Stalled, "True", Reason::BackupRefused)],
            ..ended()
        },
        Case {
            name: "a new token after a lasting refusal asks at once",
            object: task().request("b").receipt("a", Failed),
            knowledge: Knowledge::default(),
            act: Want::Backup {
                attempt: 1,
                baseline: 10,
            },
            request: Some(("b", Accepted)),
            ..waiting()
        },
        Case {
            name: "after an unknown outcome only a new token moves it",
            object: task().request("a").receipt("a", OutcomeUnknown),
            knowledge: Knowledge::default(),
            reason: Reason::OutcomeUnknown,
            request: Some(("a", OutcomeUnknown)),
            ..ended()
        },
        Case {
            name: "a token taken back after an unknown outcome stalls nothing",
            object: task().receipt("a", OutcomeUnknown),
            knowledge: Knowledge::default(),
            reason: Reason::Reconciled,
            request: Some(("a", OutcomeUnknown)),
            ..ended()
        },
    ]);
}

#[test]
fn another_nas_settles_nothing() {
    let other = || Case {
        intent: false,
        state: State::Idle,
        reason: Reason::OutcomeUnknown,
        request: Some(("a", OutcomeUnknown)),
        ..waiting()
    };
    check(vec![
        Case {
            name: "another serial answers: nobody can tell",
            server: ServerFacts {
                serial: Some("S2".to_owned()),
                ..server()
            },
            reason: Reason::TaskReplaced,
            state: State::Missing,
            ..other()
        },
        Case {
            name: "the BackupServer created anew for the same NAS: the intent is settled as ever",
            server: ServerFacts {
                uid: "other".to_owned(),
                ..server()
            },
            ..waiting()
        },
        Case {
            name: "another BackupServer, and nobody knows which NAS: nobody can tell",
            server: ServerFacts {
                uid: "other".to_owned(),
                serial: None,
                ..server()
            },
            ..other()
        },
    ]);
}
