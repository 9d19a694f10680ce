//! What `Ready` and `Reconciling` say, for each `readiness` and each thing that can be going on (contract, Conditions).

use super::fixtures::*;
use crate::{
    api::*,
    nas::status,
    observe::{Admission, Inventory, Reach},
};

const MODES: [Readiness; 3] = [Readiness::Reconciled, Readiness::LastBackup, Readiness::Fresh];

/// What goes on, and for each readiness in turn the verdict of `Ready`, its reason, and whether `Reconciling` is true.
struct Row {
    name: &'static str,
    object: BackupTask,
    server: Mode,
    reach: Reach,
    nas: Inventory,
    admission: Admission,
    ready: [(&'static str, Reason, bool); 3],
}

fn row_of(name: &'static str, object: BackupTask, ready: [(&'static str, Reason, bool); 3]) -> Row {
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

fn verdict(row: &Row, readiness: Readiness) -> (String, String, bool) {
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
    let sought = condition(&status.conditions, ConditionType::Reconciling).is_some();
    (ready.status.clone(), ready.reason.clone(), sought)
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
                ("True", Reconciled, false),
                ("True", BackupSucceeded, false),
                ("True", WithinMaxAge, false),
            ],
        ),
        Row {
            nas: failed_list(),
            ..row_of(
                "idle, the newest backup failed",
                failed_last(),
                [
                    ("True", Reconciled, false),
                    ("False", BackupFailed, false),
                    ("True", WithinMaxAge, false),
                ],
            )
        },
        Row {
            nas: running_list(),
            ..row_of(
                "a nightly run, the newest success fresh",
                nightly(),
                [
                    ("True", BackupRunning, false),
                    ("False", BackupRunning, true),
                    ("True", WithinMaxAge, true),
                ],
            )
        },
        Row {
            nas: running_list(),
            ..row_of(
                "a nightly run, no success fresh",
                stale(nightly()),
                [
                    ("True", WaitingForRun, false),
                    ("False", WaitingForRun, true),
                    ("False", WaitingForRun, true),
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
                    ("True", Queued, false),
                    ("False", Queued, true),
                    ("False", Queued, true),
                ],
            )
        },
        row_of(
            "suspended with a run due",
            due().suspended(),
            [
                ("True", Suspended, false),
                ("True", Suspended, false),
                ("True", Suspended, false),
            ],
        ),
        Row {
            nas: failed_list(),
            ..row_of(
                "suspended, the newest backup failed, none fresh",
                stale(failed_last()).suspended(),
                [
                    ("True", Suspended, false),
                    ("False", Suspended, false),
                    ("False", Suspended, false),
                ],
            )
        },
        Row {
            nas: running_list(),
            ..row_of(
                "suspended while a run goes on",
                nightly().suspended(),
                [
                    ("True", Suspended, false),
                    ("True", Suspended, false),
                    ("True", Suspended, false),
                ],
            )
        },
        Row {
            server: Mode::Plan,
            ..row_of(
                "Plan with a run due",
                due(),
                [
                    ("True", Planned, false),
                    ("True", Planned, false),
                    ("True", Planned, false),
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
                    ("True", Planned, false),
                    ("False", Planned, false),
                    ("False", Planned, false),
                ],
            )
        },
        Row {
            server: Mode::Observe,
            ..row_of(
                "Observe with a run due",
                due(),
                [
                    ("True", Observing, false),
                    ("True", Observing, false),
                    ("True", Observing, false),
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
                    ("True", Observing, false),
                    ("False", Observing, false),
                    ("True", Observing, false),
                ],
            )
        },
        Row {
            reach: failing(1),
            ..row_of(
                "a server unreadable for one poll",
                task(),
                [
                    ("True", ServerNotReady, false),
                    ("True", BackupSucceeded, false),
                    ("True", WithinMaxAge, false),
                ],
            )
        },
        Row {
            reach: failing(2),
            ..row_of(
                "a server unreadable for two",
                task(),
                [
                    ("Unknown", ServerNotReady, false),
                    ("Unknown", ServerNotReady, false),
                    ("Unknown", ServerNotReady, false),
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
                    ("Unknown", ServerNotReady, false),
                    ("Unknown", ServerNotReady, false),
                    ("Unknown", ServerNotReady, false),
                ],
            )
        },
        row_of(
            "an unknown outcome",
            task().request("a").receipt("a", ReceiptOutcome::OutcomeUnknown),
            [
                ("False", Reason::OutcomeUnknown, false),
                ("False", Reason::OutcomeUnknown, false),
                ("False", Reason::OutcomeUnknown, false),
            ],
        ),
    ];
    for row in &rows {
        for (readiness, (status, reason, sought)) in MODES.into_iter().zip(row.ready) {
            let expected = (status.to_owned(), reason.as_str().to_owned(), sought);
            assert_eq!(verdict(row, readiness), expected, "{readiness:?}: {}", row.name);
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
