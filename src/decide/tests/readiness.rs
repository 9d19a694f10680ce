//! What `Ready`, `Reconciling` and `Stalled` say, for each `readiness` and each thing that can be going on (contract,
//! Conditions), and with it what tools make of the object (kstatus).

use super::fixtures::*;
use crate::{
    api::*,
    nas::{Task, status},
    observe::{Admission, Inventory, Reach},
};

const MODES: [Readiness; 3] = [Readiness::Reconciled, Readiness::LastBackup, Readiness::Fresh];

/// What tools make of the three conditions: `Reconciling` comes first, then `Stalled`, then `Ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tools {
    /// In progress: `Reconciling` is true.
    Sought,
    /// In progress: neither, and `Ready` is not true.
    Open,
    /// Failed: `Stalled` is true.
    Failed,
    /// Current: `Ready` is true.
    Current,
}
use Tools::{Current, Failed, Open, Sought};

/// What goes on, and for each readiness in turn the verdict of `Ready`, its reason, and what tools make of it.
struct Row {
    name: &'static str,
    object: BackupTask,
    server: Mode,
    reach: Reach,
    nas: Inventory,
    admission: Admission,
    ready: [(&'static str, Reason, Tools); 3],
}

fn row_of(name: &'static str, object: BackupTask, ready: [(&'static str, Reason, Tools); 3]) -> Row {
    Row {
        name,
        object: object.edit(|object| {
            if object.spec.triggers.max_age.is_none() {
                object.spec.triggers.max_age = GoDuration::try_from("2h".to_owned()).ok();
            }
        }),
        server: Mode::Enforce,
        reach: Reach::Readable,
        nas: lists(row()),
        admission: Admission::Open,
        ready,
    }
}

fn verdict(row: &Row, readiness: Readiness) -> (String, String, Tools) {
    let case = Case {
        server: mode(row.server),
        reach: row.reach.clone(),
        fresh: row.reach == Reach::Readable,
        nas: Some(row.nas.clone()),
        admission: row.admission,
        ..case()
    };
    let mut object = row.object.clone();
    object.spec.readiness = readiness;
    let mut knowledge = case.knowledge.clone();
    knowledge.find_intent(&object, case.now);
    let (_, status) = case.decide(&object, &knowledge);
    let ready = condition(&status.conditions, ConditionType::Ready).unwrap();
    let has = |kind| condition(&status.conditions, kind).is_some();
    let tools = match (has(ConditionType::Reconciling), has(ConditionType::Stalled)) {
        (true, true) => panic!("both sought and stalled: {}", row.name),
        (true, false) => Sought,
        (false, true) => Failed,
        (false, false) if ready.status == "True" => Current,
        (false, false) => Open,
    };
    (ready.status.clone(), ready.reason.clone(), tools)
}

fn failed_last() -> BackupTask {
    task().failed(-100, 1)
}

fn nightly() -> BackupTask {
    task()
        .scheduled("0 * * * *", -7200, Some(0), 3600)
        .run(run_of(Origin::Schedule, Some(11)))
}

#[test]
fn readiness_by_what_goes_on() {
    use Reason::*;
    let running_list = || lists(doing("backingup"));
    let failed_list = || lists(ended(result(11, status::FAILED)));
    // The newest success began an hour ago.
    let stale = |object: BackupTask| object.max_age("30m");
    let due = || task().scheduled("0 * * * *", -7200, Some(-3600), 0);
    let rows = vec![
        row_of(
            "idle, the newest backup good and fresh",
            task(),
            [
                ("True", Reconciled, Current),
                ("True", BackupSucceeded, Current),
                ("True", WithinMaxAge, Current),
            ],
        ),
        Row {
            nas: failed_list(),
            ..row_of(
                "idle, the newest backup failed",
                failed_last(),
                [
                    ("True", Reconciled, Current),
                    ("False", BackupFailed, Failed),
                    ("True", WithinMaxAge, Current),
                ],
            )
        },
        Row {
            nas: running_list(),
            ..row_of(
                "a nightly run, the newest success fresh",
                nightly(),
                [
                    ("True", BackupRunning, Current),
                    ("False", BackupRunning, Sought),
                    ("True", WithinMaxAge, Current),
                ],
            )
        },
        Row {
            nas: running_list(),
            ..row_of(
                "a nightly run, no success fresh",
                stale(nightly()),
                [
                    ("True", WaitingForRun, Current),
                    ("False", WaitingForRun, Sought),
                    ("False", WaitingForRun, Sought),
                ],
            )
        },
        Row {
            admission: Admission::Queued {
                position: 1,
                limit: 5,
            },
            ..row_of(
                "a run that is due and queued",
                stale(due()),
                [
                    ("True", Queued, Current),
                    ("False", Queued, Sought),
                    ("False", Queued, Sought),
                ],
            )
        },
        row_of(
            "suspended with a run due",
            due().suspended(),
            [
                ("True", Suspended, Current),
                ("True", Suspended, Current),
                ("True", Suspended, Current),
            ],
        ),
        Row {
            nas: failed_list(),
            ..row_of(
                "suspended, the newest backup failed, none fresh",
                stale(failed_last()).suspended(),
                [
                    ("True", Suspended, Current),
                    ("False", Suspended, Failed),
                    ("False", Suspended, Failed),
                ],
            )
        },
        Row {
            nas: running_list(),
            ..row_of(
                "suspended while a run goes on",
                nightly().suspended(),
                [
                    ("True", Suspended, Current),
                    ("True", Suspended, Current),
                    ("True", Suspended, Current),
                ],
            )
        },
        Row {
            server: Mode::Plan,
            ..row_of(
                "Plan with a run due",
                due(),
                [
                    ("True", Planned, Current),
                    ("True", Planned, Current),
                    ("True", Planned, Current),
                ],
            )
        },
        Row {
            server: Mode::Plan,
            nas: failed_list(),
            ..row_of(
                "Plan, the newest backup failed, none fresh",
                stale(failed_last())
                    .status(|status| status.last_run_end_time = Some(time(at(-400))))
                    .status(|status| status.last_failure_time = Some(time(at(-400)))),
                [
                    ("True", Planned, Current),
                    ("False", Planned, Failed),
                    ("False", Planned, Failed),
                ],
            )
        },
        Row {
            server: Mode::Observe,
            ..row_of(
                "Observe with a run due",
                due(),
                [
                    ("True", Observing, Current),
                    ("True", Observing, Current),
                    ("True", Observing, Current),
                ],
            )
        },
        Row {
            server: Mode::Observe,
            nas: failed_list(),
            ..row_of(
                "Observe, the newest backup failed",
                failed_last(),
                [
                    ("True", Observing, Current),
                    ("False", Observing, Failed),
                    ("True", Observing, Current),
                ],
            )
        },
        Row {
            reach: failing(1),
            ..row_of(
                "a server unreadable for one poll",
                task(),
                [
                    ("True", ServerNotReady, Current),
                    ("True", BackupSucceeded, Current),
                    ("True", WithinMaxAge, Current),
                ],
            )
        },
        Row {
            reach: failing(2),
            ..row_of(
                "a server unreadable for two",
                task(),
                [
                    ("Unknown", ServerNotReady, Open),
                    ("Unknown", ServerNotReady, Open),
                    ("Unknown", ServerNotReady, Open),
                ],
            )
        },
        Row {
            reach: failing(2),
            nas: running_list(),
            ..row_of(
                "a server unreadable for two in mid-run",
                nightly(),
                [
                    ("Unknown", ServerNotReady, Open),
                    ("Unknown", ServerNotReady, Open),
                    ("Unknown", ServerNotReady, Open),
                ],
            )
        },
        Row {
            nas: failed_list(),
            ..row_of(
                "the newest backup failed, none fresh: the next attempt for maxAge has no count",
                stale(failed_last()),
                [
                    ("True", Reconciled, Current),
                    ("False", BackupFailed, Failed),
                    ("False", MaxAgeExceeded, Failed),
                ],
            )
        },
        Row {
            nas: failed_list(),
            ..row_of(
                "the newest backup failed, none fresh, a further attempt granted",
                stale(failed_last())
                    .retries(2)
                    .status(|status| status.retry_attempt = Some(1)),
                [
                    ("True", Reconciled, Current),
                    ("False", BackupFailed, Open),
                    ("False", MaxAgeExceeded, Open),
                ],
            )
        },
        Row {
            nas: failed_list(),
            ..row_of(
                "suspended, a further attempt granted",
                stale(failed_last())
                    .retries(2)
                    .status(|status| status.retry_attempt = Some(1))
                    .suspended(),
                [
                    ("True", Suspended, Current),
                    ("False", Suspended, Failed),
                    ("False", Suspended, Failed),
                ],
            )
        },
        Row {
            nas: failed_list(),
            reach: failing(1),
            ..row_of(
                "a server unreadable for one poll, the newest backup failed",
                failed_last(),
                [
                    ("True", ServerNotReady, Current),
                    ("False", BackupFailed, Failed),
                    ("True", WithinMaxAge, Current),
                ],
            )
        },
        row_of(
            "a good run that began longer ago than maxAge, ended just now",
            stale(task()).status(|status| status.last_run_end_time = Some(time(at(-100)))),
            [
                ("True", Reconciled, Current),
                ("True", BackupSucceeded, Current),
                ("False", MaxAgeExceeded, Open),
            ],
        ),
        Row {
            admission: Admission::Queued {
                position: 1,
                limit: 5,
            },
            nas: lists(Task {
                last_result: None,
                ..row()
            }),
            ..row_of(
                "no backup ever, and the first one queued",
                new_task(),
                [
                    ("True", Queued, Current),
                    ("False", Queued, Sought),
                    ("False", Queued, Sought),
                ],
            )
        },
        Row {
            nas: lists(ended(result(11, status::CANCELED))),
            ..row_of(
                "the newest backup was cancelled",
                task(),
                [
                    ("True", Reconciled, Current),
                    ("False", BackupCanceled, Failed),
                    ("True", WithinMaxAge, Current),
                ],
            )
        },
        Row {
            nas: lists(ended(result(11, status::PARTIAL))),
            ..row_of(
                "the newest backup was good in part",
                task(),
                [
                    ("True", Reconciled, Current),
                    ("False", BackupPartiallySucceeded, Failed),
                    ("True", WithinMaxAge, Current),
                ],
            )
        },
        row_of(
            "an unknown outcome",
            task().request("a").receipt("a", ReceiptOutcome::OutcomeUnknown),
            [
                ("False", Reason::OutcomeUnknown, Failed),
                ("False", Reason::OutcomeUnknown, Failed),
                ("False", Reason::OutcomeUnknown, Failed),
            ],
        ),
    ];
    for row in &rows {
        for (readiness, (status, reason, tools)) in MODES.into_iter().zip(row.ready) {
            let expected = (status.to_owned(), reason.as_str().to_owned(), tools);
            assert_eq!(verdict(row, readiness), expected, "{readiness:?}: {}", row.name);
        }
    }
}

/// Nothing has failed where nothing has been tried: a first backup may still come, also by the NAS's own schedule.
#[test]
fn a_task_without_any_result_is_no_failure() {
    let never = |object: BackupTask| Case {
        object: object.edit(|object| object.spec.readiness = Readiness::LastBackup),
        nas: Some(lists(Task {
            last_result: None,
            ..row()
        })),
        without: &[ConditionType::Reconciling, ConditionType::Stalled],
        ..case()
    };
    check(vec![
        Case {
            name: "nothing asks for one",
            conditions: &[(ConditionType::Ready, "False", Reason::NoResult)],
            ..never(new_task())
        },
        Case {
            name: "suspended",
            conditions: &[(ConditionType::Ready, "False", Reason::Suspended)],
            reason: Reason::Suspended,
            ..never(new_task().suspended())
        },
    ]);
}

/// What tools show of a failure says what failed, what holds back another attempt, and when it comes.
#[test]
fn stalled_says_what_fell_short_and_what_comes_next() {
    let failed = || failed_last().max_age("30m");
    let message_of = |object: BackupTask, readiness| {
        let case = Case {
            nas: Some(lists(ended(result(11, status::FAILED)))),
            ..case()
        };
        let object = object.edit(|object| object.spec.readiness = readiness);
        let (_, status) = case.decide(&object, &case.knowledge);
        let stalled = condition(&status.conditions, ConditionType::Stalled).unwrap();
        (stalled.reason.clone(), stalled.message.clone())
    };
    for (object, readiness, reason, words) in [
        (
            failed_last(),
            Readiness::LastBackup,
            "BackupFailed",
            vec!["the newest backup failed"],
        ),
        (
            failed().suspended(),
            Readiness::LastBackup,
            "BackupFailed",
            vec!["the newest backup failed; ", "suspended"],
        ),
        (
            failed(),
            Readiness::Fresh,
            "MaxAgeExceeded",
            vec!["older than maxAge since ", "; the next attempt is at "],
        ),
    ] {
        let (said, message) = message_of(object, readiness);
        assert_eq!(said, reason, "{message}");
        for word in words {
            assert!(message.contains(word), "{word:?} in {message:?}");
        }
    }
}

#[test]
fn fresh_while_nobody_can_look() {
    let fresh = |age: &str| Case {
        object: task().max_age(age),
        reach: failing(2),
        fresh: false,
        reason: Reason::ServerNotReady,
        state: State::Unknown,
        ..case()
    };
    check(vec![
        Case {
            name: "a verdict holds until its time is over",
            conditions: &[(ConditionType::Fresh, "True", Reason::WithinMaxAge)],
            ..fresh("2h")
        },
        Case {
            name: "then nobody knows",
            conditions: &[(ConditionType::Fresh, "Unknown", Reason::ServerNotReady)],
            ..fresh("30m")
        },
        Case {
            name: "to the second",
            conditions: &[(ConditionType::Fresh, "Unknown", Reason::ServerNotReady)],
            ..fresh("1h")
        },
    ]);
}
