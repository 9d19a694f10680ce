//! What is said of an object: binding, a NAS that cannot be read, readiness, and the conditions that follow.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    nas::{Task, TaskId, UniqueKey, status},
    observe::{Queue, ServerFacts},
};

fn other(id: i64, name: &str, key: &str) -> Task {
    Task {
        id: TaskId(id),
        name: name.to_owned(),
        unique_key: UniqueKey::new(key),
        ..row()
    }
}

fn selecting(selector: TaskSelector) -> BackupTask {
    new_task().edit(|object| object.spec.task = selector)
}

/// Bound to nothing: somebody has to act.
fn unbound(reason: Reason, state: State) -> Case {
    Case {
        reason,
        state,
        ..case()
    }
}

#[test]
fn what_an_object_is_bound_to() {
    let by_id = || TaskSelector {
        id: Some(7),
        ..TaskSelector::default()
    };
    let by_key = || TaskSelector {
        unique_key: Some("k7".to_owned()),
        ..TaskSelector::default()
    };
    check(vec![
        Case {
            name: "by name",
            object: new_task(),
            conditions: &[(ConditionType::Bound, "True", Reason::TaskFound)],
            ..case()
        },
        Case {
            name: "by id",
            object: selecting(by_id()),
            ..case()
        },
        Case {
            name: "by uniqueKey",
            object: selecting(by_key()),
            ..case()
        },
        Case {
            name: "by a name that no task has",
            object: new_task(),
            nas: Some(inventory(vec![other(8, "attic", "k8")])),
            conditions: &[
                (ConditionType::Bound, "False", Reason::TaskNotFound),
                (ConditionType::Ready, "False", Reason::TaskNotFound),
                (ConditionType::Stalled, "True", Reason::TaskNotFound),
            ],
            without: &[ConditionType::Reconciling],
            ..unbound(Reason::TaskNotFound, State::Missing)
        },
        Case {
            name: "by a name that two tasks have: by none",
            object: new_task(),
            nas: Some(inventory(vec![row(), other(8, "office", "k8")])),
            ..unbound(Reason::TaskAmbiguous, State::Unknown)
        },
        Case {
            name: "a second task of the name changes nothing once bound",
            nas: Some(inventory(vec![row(), other(8, "office", "k8")])),
            ..case()
        },
        Case {
            name: "a rename is followed",
            nas: Some(lists(Task {
                name: "loft".to_owned(),
                ..row()
            })),
            ..case()
        },
        Case {
            name: "a rename is followed although another task takes the name",
            nas: Some(inventory(vec![
                Task {
                    name: "loft".to_owned(),
                    ..row()
                },
                other(8, "office", "k8"),
            ])),
            ..case()
        },
        Case {
            name: "another task under the name",
            nas: Some(inventory(vec![other(8, "office", "k8")])),
            ..unbound(Reason::TaskReplaced, State::Missing)
        },
        Case {
            name: "another task under the number",
            object: {
                let seen = task();
                seen.edit(|o| {
                    o.spec.task = TaskSelector {
                        id: Some(7),
                        ..TaskSelector::default()
                    }
                })
                .status(|s| {
                    s.binding.as_mut().unwrap().selector = TaskSelector {
                        id: Some(7),
                        ..TaskSelector::default()
                    }
                })
            },
            nas: Some(inventory(vec![other(7, "attic", "k8")])),
            ..unbound(Reason::TaskReplaced, State::Missing)
        },
        Case {
            name: "the rebind annotation names the new one",
            object: task().annotate(ANNOTATION_REBIND, "k8"),
            nas: Some(inventory(vec![other(8, "office", "k8")])),
            ..case()
        },
        Case {
            name: "a rebind annotation that names nothing leaves the bound one",
            object: task().annotate(ANNOTATION_REBIND, "k9"),
            ..case()
        },
        Case {
            name: "an edit of spec.task binds anew",
            object: task().edit(|o| {
                o.spec.task = TaskSelector {
                    name: Some("attic".to_owned()),
                    ..TaskSelector::default()
                }
            }),
            nas: Some(inventory(vec![other(8, "attic", "k8")])),
            ..case()
        },
        Case {
            name: "another NAS under the address",
            server: ServerFacts {
                serial: Some("S2".to_owned()),
                ..server()
            },
            ..unbound(Reason::TaskReplaced, State::Missing)
        },
        Case {
            name: "another NAS, for a task without a uniqueKey too",
            object: task().status(|status| status.binding.as_mut().unwrap().unique_key = None),
            nas: Some(lists(Task {
                unique_key: None,
                ..row()
            })),
            server: ServerFacts {
                serial: Some("S2".to_owned()),
                ..server()
            },
            ..unbound(Reason::TaskReplaced, State::Missing)
        },
        Case {
            name: "another NAS, and the annotation names its task",
            object: task().annotate(ANNOTATION_REBIND, "k8"),
            nas: Some(inventory(vec![other(8, "office", "k8")])),
            server: ServerFacts {
                serial: Some("S2".to_owned()),
                ..server()
            },
            ..case()
        },
        Case {
            name: "a serial that the NAS does not tell changes nothing",
            server: ServerFacts {
                serial: None,
                ..server()
            },
            ..case()
        },
    ]);
}

#[test]
fn a_nas_that_cannot_be_read() {
    check(vec![
        Case {
            name: "never read: nothing is known",
            object: new_task(),
            nas: None,
            fresh: false,
            conditions: &[
                (ConditionType::Ready, "Unknown", Reason::ServerNotReady),
                (ConditionType::Bound, "Unknown", Reason::ServerNotReady),
                (ConditionType::Reconciling, "True", Reason::ServerNotReady),
            ],
            ..unbound(Reason::ServerNotReady, State::Unknown)
        },
        Case {
            name: "never read, and failing",
            object: new_task(),
            nas: None,
            fresh: false,
            reach: failing(1),
            ..unbound(Reason::ServerNotReady, State::Unknown)
        },
        Case {
            name: "one failed poll leaves the verdict",
            fresh: false,
            reach: failing(1),
            conditions: &[(ConditionType::Ready, "True", Reason::ServerNotReady)],
            events: Some(&[]),
            ..unbound(Reason::ServerNotReady, State::Idle)
        },
        Case {
            name: "two leave none",
            fresh: false,
            reach: failing(2),
            conditions: &[
                (ConditionType::Ready, "Unknown", Reason::ServerNotReady),
                (ConditionType::Bound, "True", Reason::TaskFound),
            ],
            events: Some(&[Reason::ServerNotReady]),
            ..unbound(Reason::ServerNotReady, State::Unknown)
        },
        Case {
            name: "a run in flight is kept meanwhile",
            object: running(Some(11)),
            nas: Some(lists(ended(result(11, status::INCOMPLETE)))),
            fresh: false,
            reach: failing(2),
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            ..unbound(Reason::ServerNotReady, State::Unknown)
        },
        Case {
            name: "a queue that cannot be read says nothing of an idle task",
            nas: Some(with_queue(row(), Queue::Unreadable)),
            ..case()
        },
    ]);
}

#[test]
fn readiness_and_the_conditions() {
    let wants = |readiness| task().edit(|object| object.spec.readiness = readiness);
    let failed = || Some(lists(ended(result(11, status::FAILED))));
    check(vec![
        Case {
            name: "Reconciled: bound and observed",
            conditions: &[(ConditionType::Ready, "True", Reason::Reconciled)],
            without: &[
                ConditionType::Reconciling,
                ConditionType::Stalled,
                ConditionType::Fresh,
                ConditionType::Removed,
            ],
            events: Some(&[]),
            ..case()
        },
        Case {
            name: "Reconciled: a failed backup leaves it ready",
            nas: failed(),
            conditions: &[(ConditionType::Ready, "True", Reason::Reconciled)],
            ..case()
        },
        Case {
            name: "LastBackup: a failed one is not ready",
            object: wants(Readiness::LastBackup),
            nas: failed(),
            conditions: &[(ConditionType::Ready, "False", Reason::BackupFailed)],
            without: &[ConditionType::Reconciling],
            ..case()
        },
        Case {
            name: "LastBackup: a good one is",
            object: wants(Readiness::LastBackup),
            conditions: &[(ConditionType::Ready, "True", Reason::BackupSucceeded)],
            ..case()
        },
        Case {
            name: "LastBackup: a run in progress is being sought",
            object: wants(Readiness::LastBackup),
            nas: Some(lists(doing("backingup"))),
            run: Some(Origin::External),
            conditions: &[
                (ConditionType::Ready, "False", Reason::BackupRunning),
                (ConditionType::Reconciling, "True", Reason::BackupRunning),
            ],
            reason: Reason::BackupRunning,
            state: State::Running,
            ..case()
        },
        Case {
            name: "Reconciled: a nightly run turns nothing red",
            nas: Some(lists(doing("backingup"))),
            run: Some(Origin::External),
            conditions: &[(ConditionType::Ready, "True", Reason::BackupRunning)],
            without: &[ConditionType::Reconciling],
            events: Some(&[Reason::BackupRunning]),
            reason: Reason::BackupRunning,
            state: State::Running,
            ..case()
        },
        Case {
            name: "suspend leaves the verdict and sets the reason",
            object: wants(Readiness::LastBackup).suspended(),
            nas: failed(),
            conditions: &[(ConditionType::Ready, "False", Reason::Suspended)],
            reason: Reason::Suspended,
            ..case()
        },
        Case {
            name: "a refusal is told by its condition until the next attempt, with the number",
            object: task().request("a").receipt("a", Accepted).status(|status| {
                status.next_attempt_time = Some(time(at(100)));
                status.refusals = Some(1);
                set_condition(
                    &mut status.conditions,
                    ConditionType::Ready,
                    Some(true),
                    Reason::BackupRefused,
                    "1104",
                    Some(1),
                    at(-10),
                );
            }),
            request: Some(("a", Accepted)),
            conditions: &[(ConditionType::Ready, "True", Reason::BackupRefused)],
            events: Some(&[]),
            reason: Reason::BackupRefused,
            ..case()
        },
    ]);
}
