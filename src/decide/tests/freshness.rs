//! `maxAge`: a run is due when the newest success started too long ago, whoever asked for that one. Result 10, the
//! newest success, started an hour before every row and ended 50 seconds later.

use super::fixtures::*;
use crate::{
    api::*,
    nas::{self, status},
    observe::{Inventory, Knowledge},
};

fn starts() -> Case {
    Case {
        act: Want::Backup {
            attempt: 1,
            baseline: 10,
        },
        answers: Some(&[TriggerKind::MaxAge]),
        reason: Reason::BackupRequested,
        state: State::Waiting,
        ..case()
    }
}

fn readiness(object: BackupTask, readiness: Readiness) -> BackupTask {
    object.edit(|object| object.spec.readiness = readiness)
}

#[test]
fn when_an_age_is_exceeded() {
    let never = || {
        let empty = nas::Task {
            last_result: None,
            ..row()
        };
        Case {
            object: new_task().max_age("24h"),
            nas: Some(lists(empty)),
            results: Some(vec![]),
            ..case()
        }
    };
    check(vec![
        Case {
            name: "a success younger than maxAge asks for nothing",
            object: task().max_age("2h"),
            wake: Some(at(3600)),
            next_run: Some(at(3600)),
            conditions: &[(ConditionType::Fresh, "True", Reason::WithinMaxAge)],
            ..case()
        },
        Case {
            name: "a second before it lapses nothing is asked",
            object: task().max_age("1h"),
            now: at(-1),
            wake: Some(at(0)),
            conditions: &[(ConditionType::Fresh, "True", Reason::WithinMaxAge)],
            ..case()
        },
        Case {
            name: "when it lapses a run is due",
            object: task().max_age("1h"),
            due: Some(at(0)),
            conditions: &[(ConditionType::Fresh, "False", Reason::MaxAgeExceeded)],
            ..starts()
        },
        Case {
            name: "first sight starts a run when the age is exceeded already",
            object: new_task().max_age("30m"),
            last_result: Some(10),
            ..starts()
        },
        Case {
            name: "where no success was ever seen the history is asked first",
            results: None,
            needs: HISTORY,
            ..never()
        },
        Case {
            name: "and when there never was a success",
            act: Want::Backup {
                attempt: 1,
                baseline: 0,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            due: Some(at(-DAY)),
            ..never()
        },
        Case {
            name: "it counts from the start of the run, not its end",
            object: task().max_age("1h"),
            now: at(10),
            ..starts()
        },
        Case {
            name: "the NAS's own run satisfies it: no run of ours",
            object: task().max_age("30m"),
            nas: Some(lists(ended(result(45, status::SUCCESS)))),
            last_result: Some(45),
            conditions: &[(ConditionType::Fresh, "True", Reason::WithinMaxAge)],
            ..case()
        },
        Case {
            name: "a run in progress that nobody here asked for is waited for",
            object: task().max_age("30m"),
            nas: Some(lists(doing("backingup"))),
            run: Some(Origin::External),
            reason: Reason::WaitingForRun,
            state: State::Running,
            ..case()
        },
        Case {
            name: "behind a version deletion the history is read before anything starts",
            object: task().max_age("30m"),
            nas: Some(lists(ended(deletion(50)))),
            needs: HISTORY,
            ..case()
        },
        Case {
            name: "and a success found there satisfies it",
            object: task().max_age("30m"),
            nas: Some(lists(ended(deletion(50)))),
            results: Some(vec![result(45, status::SUCCESS)]),
            last_result: Some(45),
            ..case()
        },
        Case {
            name: "while the history cannot be read nothing starts",
            object: task().max_age("30m"),
            nas: Some(lists(ended(deletion(50)))),
            knowledge: Knowledge {
                history_unreadable: true,
                ..Knowledge::default()
            },
            reason: Reason::ServerNotReady,
            ..case()
        },
        Case {
            name: "a NAS clock an hour ahead makes nothing look younger",
            object: new_task().max_age("90m"),
            nas: Some(Inventory {
                nas_time: Some(at(3600)),
                ..lists(row())
            }),
            last_result: Some(10),
            ..starts()
        },
        Case {
            name: "a NAS clock an hour behind makes nothing look older",
            object: new_task().max_age("30m"),
            nas: Some(Inventory {
                nas_time: Some(at(-3600)),
                ..lists(row())
            }),
            last_result: Some(10),
            // It ended just now by the corrected time.
            next_run: Some(at(1800)),
            ..case()
        },
        Case {
            name: "an intent for it in flight is not asked twice",
            object: task().max_age("30m").intent(Intent {
                triggers: vec![TriggerRef {
                    kind: TriggerKind::MaxAge,
                    token: None,
                    slot: None,
                }],
                ..open(IntentAction::Backup)
            }),
            knowledge: answered(crate::observe::Answered::Applied),
            intent: true,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            ..case()
        },
    ]);
}

#[test]
fn attempts_for_an_age() {
    let failed = |ended_at: i64, failures: i64| Case {
        object: task().max_age("30m").failed(ended_at, failures),
        nas: Some(lists(nas::Task {
            last_result: Some(nas::ResultRow {
                time_start: Some(at(ended_at - 50).as_second()),
                time_end: Some(at(ended_at).as_second()),
                ..result(11, status::FAILED)
            }),
            ..row()
        })),
        ..case()
    };
    let again = |case: Case| Case {
        act: Want::Backup {
            attempt: 1,
            baseline: 11,
        },
        answers: Some(&[TriggerKind::MaxAge]),
        reason: Reason::BackupRequested,
        state: State::Waiting,
        ..case
    };
    check(vec![
        Case {
            name: "not before retryBackoff after the previous run ended",
            wake: Some(at(1)),
            next_attempt: Some(at(1)),
            next_run: Some(at(1)),
            conditions: &[(ConditionType::Fresh, "False", Reason::MaxAgeExceeded)],
            ..failed(-299, 1)
        },
        Case {
            name: "then it is tried again, without a count",
            ..again(failed(-300, 1))
        },
        Case {
            name: "the time doubles with each failure in a row",
            next_attempt: Some(at(900)),
            ..failed(-300, 3)
        },
        Case {
            name: "up to six hours",
            next_attempt: Some(at(6 * 3600 - 300)),
            ..failed(-300, 40)
        },
        Case {
            name: "a token does not wait for that",
            object: failed(-299, 1).object.request("a"),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            answers: Some(&[TriggerKind::Request]),
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", ReceiptOutcome::Accepted)),
            ..failed(-299, 1)
        },
    ]);
}

#[test]
fn readiness_by_freshness() {
    let fresh = |age: &str| readiness(task().max_age(age), Readiness::Fresh);
    check(vec![
        Case {
            name: "Fresh: within maxAge the object is ready",
            object: fresh("2h"),
            conditions: &[(ConditionType::Ready, "True", Reason::WithinMaxAge)],
            without: &[ConditionType::Reconciling, ConditionType::Stalled],
            ..case()
        },
        Case {
            name: "Fresh: beyond it the run is sought",
            object: fresh("1h"),
            conditions: &[
                (ConditionType::Ready, "False", Reason::BackupRequested),
                (ConditionType::Reconciling, "True", Reason::BackupRequested),
            ],
            ..starts()
        },
        Case {
            name: "Fresh: a nightly run leaves a fresh object ready",
            object: fresh("2h"),
            nas: Some(lists(doing("backingup"))),
            run: Some(Origin::External),
            conditions: &[(ConditionType::Ready, "True", Reason::WithinMaxAge)],
            reason: Reason::BackupRunning,
            state: State::Running,
            ..case()
        },
        Case {
            name: "Fresh: suspended and too old is not ready, and says why nothing is done",
            object: fresh("1h").suspended(),
            conditions: &[(ConditionType::Ready, "False", Reason::Suspended)],
            without: &[ConditionType::Reconciling],
            reason: Reason::Suspended,
            ..case()
        },
        Case {
            name: "Fresh: in Plan a fresh object stays ready",
            object: fresh("2h").request("a"),
            server: mode(Mode::Plan),
            conditions: &[(ConditionType::Ready, "True", Reason::Planned)],
            reason: Reason::Planned,
            ..case()
        },
        Case {
            name: "Fresh: in Observe as well",
            object: fresh("2h"),
            server: mode(Mode::Observe),
            conditions: &[(ConditionType::Ready, "True", Reason::Observing)],
            reason: Reason::Observing,
            ..case()
        },
        Case {
            name: "a NAS unreadable for two polls leaves a verdict that has not lapsed",
            object: fresh("2h"),
            reach: failing(2),
            conditions: &[
                (ConditionType::Ready, "Unknown", Reason::ServerNotReady),
                (ConditionType::Fresh, "True", Reason::WithinMaxAge),
            ],
            reason: Reason::ServerNotReady,
            state: State::Unknown,
            ..case()
        },
        Case {
            name: "one that has lapsed becomes unknown: a newer backup may exist",
            object: fresh("1h"),
            reach: failing(2),
            conditions: &[(ConditionType::Fresh, "Unknown", Reason::ServerNotReady)],
            reason: Reason::ServerNotReady,
            state: State::Unknown,
            ..case()
        },
        Case {
            name: "without maxAge there is no Fresh",
            object: task(),
            without: &[ConditionType::Fresh],
            ..case()
        },
        Case {
            name: "Reconciled: an age that is exceeded leaves the object ready",
            object: task().max_age("1h").suspended(),
            conditions: &[
                (ConditionType::Ready, "True", Reason::Suspended),
                (ConditionType::Fresh, "False", Reason::MaxAgeExceeded),
            ],
            reason: Reason::Suspended,
            ..case()
        },
    ]);
}
