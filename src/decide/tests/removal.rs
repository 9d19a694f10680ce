//! Removal: every guard in its order, what is sent, when a task counts as gone, what the latch holds.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    decide::{Needs, removal_clearance},
    nas::{ResultId, Task, UniqueKey, job_action},
    observe::{Answered, Claim, Inventory, Knowledge, Queue, ServerFacts},
};

fn now_asked() -> BackupTask {
    task().removal(RemovalWhen::Now, "k7")
}

fn deleting() -> BackupTask {
    task().removal(RemovalWhen::OnDelete, "k7").deleted()
}

/// A removal that nothing stands against.
fn removing() -> Case {
    Case {
        object: now_asked(),
        versions: Some(vec![version(false)]),
        act: Want::Remove { attempt: 1 },
        reason: Reason::RemovalInProgress,
        state: State::Deleting,
        ..case()
    }
}

/// One that something stands against.
fn held(reason: Reason) -> Case {
    Case {
        act: Want::Nothing,
        state: State::Idle,
        reason,
        ..removing()
    }
}

#[test]
fn the_guards_in_their_order() {
    // Each row keeps what stood against it in the rows below, so that the order shows.
    let used_up = || ServerFacts {
        breaker: (Some(at(-100)), 5),
        ..server()
    };
    let forbidden = || ServerFacts {
        removals_allowed: false,
        ..used_up()
    };
    let rival = || Claim {
        owner: None,
        other: Some("successor".to_owned()),
    };
    let wrong = || now_asked().edit(|o| o.spec.removal.confirm = Some("k8".to_owned()));
    check(vec![
        Case {
            name: "suspended",
            object: wrong().suspended(),
            server: forbidden(),
            claim: rival(),
            ..held(Reason::Suspended)
        },
        Case {
            name: "an older object acts for the task",
            object: wrong(),
            server: forbidden(),
            claim: Claim {
                owner: Some("elder".to_owned()),
                other: Some("elder".to_owned()),
            },
            ..held(Reason::TaskClaimed)
        },
        Case {
            name: "Observe",
            object: wrong(),
            server: ServerFacts {
                mode: Mode::Observe,
                ..forbidden()
            },
            ..held(Reason::Observing)
        },
        Case {
            name: "the server is being deleted",
            object: wrong(),
            server: ServerFacts {
                deleting: true,
                ..forbidden()
            },
            ..held(Reason::ServerNotReady)
        },
        Case {
            name: "the NAS cannot be read",
            object: wrong(),
            server: forbidden(),
            reach: failing(1),
            ..held(Reason::ServerNotReady)
        },
        Case {
            name: "a task without a uniqueKey is never removed",
            nas: Some(lists(Task {
                unique_key: None,
                ..row()
            })),
            object: now_asked().edit(|o| o.status = new_task().status),
            ..held(Reason::RemovalNotConfirmed)
        },
        Case {
            name: "the wrong key",
            object: wrong(),
            server: forbidden(),
            claim: rival(),
            now: at(601),
            ..held(Reason::RemovalNotConfirmed)
        },
        Case {
            name: "a second after notAfter",
            server: forbidden(),
            now: at(601),
            ..held(Reason::RemovalNotAllowed)
        },
        Case {
            name: "at notAfter it is still sent",
            now: at(600),
            ..removing()
        },
        Case {
            name: "the server does not allow it",
            server: forbidden(),
            claim: rival(),
            ..held(Reason::RemovalNotAllowed)
        },
        Case {
            name: "a successor names the task",
            server: used_up(),
            claim: rival(),
            ..held(Reason::RemovalNotAllowed)
        },
        Case {
            name: "a deletion is going on already",
            nas: Some(lists(doing("deleting"))),
            server: used_up(),
            state: State::Deleting,
            ..held(Reason::RemovalInProgress)
        },
        Case {
            name: "a run is active",
            nas: Some(lists(doing("backingup"))),
            server: used_up(),
            state: State::Running,
            run: Some(Origin::External),
            ..held(Reason::WaitingForRun)
        },
        Case {
            name: "the last attempt was a moment ago",
            object: now_asked().status(|status| {
                status.next_attempt_time = Some(time(at(1)));
                status.refusals = Some(0);
            }),
            server: used_up(),
            wake: Some(at(1)),
            ..held(Reason::RemovalInProgress)
        },
        Case {
            name: "the day's removals are used up",
            server: used_up(),
            wake: Some(at(DAY - 100)),
            ..held(Reason::RemovalBreakerOpen)
        },
        Case {
            name: "the last of the day",
            server: ServerFacts {
                breaker: (Some(at(-100)), 4),
                ..server()
            },
            ..removing()
        },
        Case {
            name: "a second before the day is over",
            server: ServerFacts {
                breaker: (Some(at(1 - DAY)), 5),
                ..server()
            },
            wake: Some(at(1)),
            ..held(Reason::RemovalBreakerOpen)
        },
        Case {
            name: "a new day",
            server: ServerFacts {
                breaker: (Some(at(-DAY)), 5),
                ..server()
            },
            ..removing()
        },
        Case {
            name: "no removals a day at all",
            server: ServerFacts {
                removals_per_day: 0,
                ..server()
            },
            ..held(Reason::RemovalBreakerOpen)
        },
        Case {
            name: "a locked version",
            versions: Some(vec![version(false), version(true)]),
            ..held(Reason::VersionLocked)
        },
        Case {
            name: "Plan says what would be sent",
            server: mode(Mode::Plan),
            ..held(Reason::Planned)
        },
    ]);
}

#[test]
fn what_is_sent_and_when() {
    check(vec![
        Case {
            name: "Now: the call, with what will die told before",
            events: Some(&[Reason::RemovalPlanned, Reason::RemovalInProgress]),
            ..removing()
        },
        Case {
            name: "it needs a read of this pass and the versions",
            fresh: false,
            versions: None,
            needs: Needs {
                fresh: true,
                ..VERSIONS
            },
            ..held(Reason::Reconciled)
        },
        Case {
            name: "it needs the versions",
            versions: None,
            needs: VERSIONS,
            ..held(Reason::Reconciled)
        },
        Case {
            name: "no call is recorded on a queue that cannot be read",
            nas: Some(with_queue(row(), Queue::Unreadable)),
            wake: Some(at(60)),
            ..held(Reason::ServerNotReady)
        },
        Case {
            name: "nor on versions that cannot be read, which are not asked for again in this pass",
            versions: None,
            knowledge: Knowledge {
                versions_unreadable: true,
                ..Knowledge::default()
            },
            wake: Some(at(60)),
            ..held(Reason::ServerNotReady)
        },
        Case {
            name: "OnDelete of a living object only holds the finalizer",
            object: task().removal(RemovalWhen::OnDelete, "k7"),
            finalizer: true,
            ..held(Reason::Reconciled)
        },
        Case {
            name: "OnDelete of a deleted object sends",
            object: deleting(),
            finalizer: true,
            ..removing()
        },
        Case {
            name: "OnDelete after its own notAfter is held visibly",
            object: deleting().edit(|o| o.spec.removal.not_after = Some(time(at(-1)))),
            finalizer: true,
            ..held(Reason::RemovalNotAllowed)
        },
        Case {
            name: "OnDelete with the wrong key is held visibly",
            object: task().removal(RemovalWhen::OnDelete, "k8").deleted(),
            finalizer: true,
            ..held(Reason::RemovalNotConfirmed)
        },
        Case {
            name: "a deleted object with Never is let go, whatever the NAS",
            object: task().deleted(),
            reach: failing(5),
            state: State::Unknown,
            ..held(Reason::ServerNotReady)
        },
        Case {
            name: "a deleted object with Now sends nothing",
            object: now_asked().deleted(),
            ..held(Reason::Reconciled)
        },
        Case {
            name: "abandon lets go of the object and of nothing else",
            object: deleting().annotate(ANNOTATION_ABANDON, "true"),
            events: Some(&[Reason::RemovalAbandoned]),
            ..held(Reason::Reconciled)
        },
        Case {
            name: "a BackupServer being deleted lets go as well",
            object: deleting(),
            server: ServerFacts {
                deleting: true,
                ..server()
            },
            events: Some(&[Reason::RemovalAbandoned]),
            ..held(Reason::Reconciled)
        },
        Case {
            name: "a NAS that was not read yet holds it",
            object: deleting(),
            nas: None,
            fresh: false,
            finalizer: true,
            state: State::Unknown,
            ..held(Reason::ServerNotReady)
        },
    ]);
}

#[test]
fn gone_is_proven_by_two_complete_lists() {
    let other = || {
        inventory(vec![Task {
            unique_key: UniqueKey::new("k8"),
            ..row()
        }])
    };
    let holding = || Case {
        object: deleting(),
        nas: Some(inventory(vec![])),
        finalizer: true,
        state: State::Missing,
        ..held(Reason::RemovalInProgress)
    };
    let let_go = || Case {
        finalizer: false,
        state: State::Removed,
        reason: Reason::TaskRemoved,
        ..holding()
    };
    check(vec![
        Case {
            name: "one list without it is not enough",
            knowledge: absent_since(0),
            wake: Some(at(60)),
            ..holding()
        },
        Case {
            name: "a second one too early neither",
            knowledge: absent_since(-59),
            wake: Some(at(1)),
            ..holding()
        },
        Case {
            name: "a second one, settle apart, is",
            knowledge: absent_since(-60),
            ..let_go()
        },
        Case {
            name: "an incomplete list proves nothing",
            nas: Some(Inventory {
                complete: false,
                ..inventory(vec![])
            }),
            reason: Reason::ServerNotReady,
            state: State::Unknown,
            ..holding()
        },
        Case {
            name: "nor does one whose queue cannot be read",
            nas: Some(Inventory {
                queue: Queue::Unreadable,
                ..inventory(vec![])
            }),
            knowledge: absent_since(-60),
            ..holding()
        },
        Case {
            name: "one whose queue was not asked for is read again",
            nas: Some(Inventory {
                queue: Queue::NotAsked,
                ..inventory(vec![])
            }),
            fresh: false,
            knowledge: absent_since(-60),
            needs: FRESH,
            ..holding()
        },
        Case {
            name: "another task in its place is never touched",
            nas: Some(other()),
            knowledge: absent_since(0),
            ..holding()
        },
        Case {
            name: "and lets go once that is certain",
            nas: Some(other()),
            knowledge: absent_since(-60),
            ..let_go()
        },
        Case {
            name: "Now: gone after the call is Removed, and latched",
            object: now_asked().intent(open(IntentAction::Remove)),
            knowledge: Knowledge {
                absent_since: Some(at(-60)),
                ..answered(Answered::Unknown)
            },
            conditions: &[
                (ConditionType::Ready, "True", Reason::TaskRemoved),
                (ConditionType::Removed, "True", Reason::TaskRemoved),
                (ConditionType::Bound, "False", Reason::TaskRemoved),
            ],
            ..let_go()
        },
        Case {
            name: "Now: missing after the call is still being removed",
            object: now_asked().intent(open(IntentAction::Remove)),
            knowledge: Knowledge {
                absent_since: Some(at(-59)),
                ..answered(Answered::Unknown)
            },
            intent: true,
            finalizer: false,
            state: State::Deleting,
            reason: Reason::TaskNotFound,
            ..holding()
        },
    ]);
}

#[test]
fn a_remove_that_may_be_working_is_never_sent_again() {
    let asked = || now_asked().intent(open(IntentAction::Remove));
    let recorded = |second| asked().status(|s| s.intent.as_mut().unwrap().recorded_at = time(at(second)));
    let working = |knowledge| Case {
        object: asked(),
        knowledge,
        intent: true,
        state: State::Deleting,
        ..held(Reason::RemovalInProgress)
    };
    let unknown = |from, first| call(Some(Answered::Unknown), from, first);
    check(vec![
        Case {
            name: "applied: it waits",
            ..working(answered(Answered::Applied))
        },
        Case {
            name: "found: it waits",
            ..working(call(None, 0, None))
        },
        Case {
            name: "unknown: it waits for the settling time",
            ..working(unknown(-59, Some(-59)))
        },
        Case {
            name: "a deletion that shows is at work",
            nas: Some(lists(doing("deleting"))),
            ..working(unknown(-300, Some(-200)))
        },
        Case {
            name: "a deletion in the queue is at work",
            nas: Some(with_queue(row(), job(job_action::DELETE_TARGET, 3))),
            ..working(unknown(-300, Some(-200)))
        },
        Case {
            name: "absent in two reads: a new intent, from the first guard on",
            ..Case {
                object: asked(),
                knowledge: unknown(-60, Some(-30)),
                ..removing()
            }
        },
        Case {
            name: "absent in two reads, and not allowed any more",
            object: asked(),
            server: ServerFacts {
                removals_allowed: false,
                ..server()
            },
            knowledge: unknown(-60, Some(-30)),
            ..held(Reason::RemovalNotAllowed)
        },
        Case {
            name: "a queue that stays unreadable: the intent stays, nothing is sent",
            nas: Some(with_queue(row(), Queue::Unreadable)),
            reason: Reason::OutcomeUnknown,
            conditions: &[(ConditionType::Stalled, "True", Reason::OutcomeUnknown)],
            ..working(unreadable_since(-60, unknown(-120, Some(-100))))
        },
        Case {
            name: "accepted and still there a second before 24h: it waits",
            object: recorded(1 - DAY),
            ..working(answered(Answered::Applied))
        },
        Case {
            name: "accepted and still there after 24h: the intent stays, nothing is sent",
            object: recorded(-DAY),
            reason: Reason::OutcomeUnknown,
            ..working(answered(Answered::Applied))
        },
        Case {
            name: "Never lets go of it then",
            object: recorded(-DAY).edit(|o| o.spec.removal = RemovalSpec::default()),
            knowledge: answered(Answered::Applied),
            events: Some(&[Reason::OutcomeUnknown]),
            ..held(Reason::Reconciled)
        },
        Case {
            name: "refused for a locked version: said so until the next attempt",
            object: asked(),
            knowledge: answered(Answered::Refused(1101)),
            wake: Some(at(300)),
            conditions: &[(ConditionType::Stalled, "True", Reason::VersionLocked)],
            ..held(Reason::VersionLocked)
        },
        Case {
            name: "refused for another reason: said so until the next attempt",
            object: asked(),
            knowledge: answered(Answered::Refused(1010)),
            wake: Some(at(300)),
            ..held(Reason::RemovalRefused)
        },
        Case {
            name: "withheld by the last look: the guards decide anew, not at once",
            object: asked(),
            knowledge: answered(Answered::Withheld),
            wake: Some(at(60)),
            ..held(Reason::RemovalInProgress)
        },
        Case {
            name: "withheld for a reason that decide cannot see: said so until the next attempt",
            object: asked(),
            knowledge: Knowledge {
                withheld: Some((Reason::RemovalNotAllowed, "a successor".to_owned())),
                ..answered(Answered::Withheld)
            },
            wake: Some(at(60)),
            conditions: &[(ConditionType::Stalled, "True", Reason::RemovalNotAllowed)],
            ..held(Reason::RemovalNotAllowed)
        },
        Case {
            name: "withheld for the third time: the pause doubles",
            object: asked().status(|status| status.refusals = Some(2)),
            knowledge: answered(Answered::Withheld),
            wake: Some(at(240)),
            ..held(Reason::RemovalInProgress)
        },
        Case {
            name: "Never ends the pause with the removal",
            object: task().status(|status| {
                status.removal_plan = Some(RemovalPlan {
                    versions: 1,
                    locked_versions: 0,
                    oldest: None,
                    newest: None,
                    used_bytes: None,
                });
                status.next_attempt_time = Some(time(at(1000)));
                status.refusals = Some(5);
            }),
            next_attempt: None,
            ..held(Reason::Reconciled)
        },
        Case {
            name: "a call that names another NAS than the binding does: the intent stays, nothing is sent",
            object: asked().status(|status| {
                status.intent.as_mut().unwrap().nas_serial = Some("S2".to_owned());
            }),
            reason: Reason::OutcomeUnknown,
            ..working(answered(Answered::Applied))
        },
        Case {
            name: "another NAS under the address: the intent is over, nothing is sent",
            object: asked(),
            server: ServerFacts {
                serial: Some("S2".to_owned()),
                ..server()
            },
            knowledge: answered(Answered::Applied),
            state: State::Missing,
            ..held(Reason::TaskReplaced)
        },
    ]);
}

#[test]
fn no_attempt_is_announced_for_a_task_that_is_gone() {
    let row = |name, next| Case {
        name,
        object: now_asked().status(|status| {
            status.next_attempt_time = Some(time(at(next)));
            status.refusals = Some(1);
        }),
        nas: Some(inventory(vec![])),
        state: State::Missing,
        ..held(Reason::TaskNotFound)
    };
    for (name, next, expected) in [
        (
            "one that is put off stays: the task may come back",
            60,
            Some(time(at(60))),
        ),
        ("one whose time has passed is none", -1, None),
    ] {
        let case = row(name, next);
        let (_, status) = case.decide(&case.object, &case.knowledge);
        assert_eq!(status.next_attempt_time, expected, "{name}");
        check(vec![case]);
    }
}

#[test]
fn removed_is_latched() {
    let latched = || now_asked().removed(RemovalWhen::Now);
    let quiet = || Case {
        object: latched(),
        state: State::Removed,
        ..held(Reason::TaskRemoved)
    };
    check(vec![
        Case {
            name: "it stays while nothing changes",
            nas: Some(inventory(vec![])),
            ..quiet()
        },
        Case {
            name: "a task restored under its key is not bound, not run, not removed",
            object: latched().request("a"),
            ..quiet()
        },
        Case {
            name: "a token asks for nothing",
            object: latched().request("a"),
            nas: Some(inventory(vec![])),
            ..quiet()
        },
        Case {
            name: "removed on deletion: the finalizer goes",
            object: task()
                .removal(RemovalWhen::OnDelete, "k7")
                .removed(RemovalWhen::OnDelete)
                .deleted(),
            ..quiet()
        },
        Case {
            name: "another removal.when binds anew",
            object: latched().edit(|o| o.spec.removal = RemovalSpec::default()),
            state: State::Idle,
            ..held(Reason::Reconciled)
        },
        Case {
            name: "and binds the task that stands there now, as one never seen",
            object: latched().edit(|o| o.spec.removal = RemovalSpec::default()),
            nas: Some(lists(Task {
                unique_key: UniqueKey::new("k8"),
                ..row()
            })),
            state: State::Idle,
            ..held(Reason::Reconciled)
        },
        Case {
            name: "another spec.task binds anew",
            object: latched().edit(|o| {
                o.spec.task = TaskSelector {
                    unique_key: Some("k8".to_owned()),
                    ..TaskSelector::default()
                }
            }),
            nas: Some(lists(Task {
                unique_key: UniqueKey::new("k8"),
                ..row()
            })),
            state: State::Idle,
            ..held(Reason::RemovalNotConfirmed)
        },
        Case {
            name: "a run that goes on under the restored task is nobody's",
            nas: Some(lists(doing("backingup"))),
            knowledge: Knowledge {
                history_read_behind: Some(ResultId(10)),
                ..Knowledge::default()
            },
            object: latched().cancel("c").cancel_receipt("c", NothingToCancel),
            cancel: Some(("c", NothingToCancel)),
            ..quiet()
        },
    ]);
}

/// A BackupServer as a live read gives it.
fn live_server(change: impl FnOnce(&mut BackupServer)) -> BackupServer {
    let spec = serde_json::json!({
        "url": "https://nas.example.org:5001",
        "credentials": { "secretRef": { "name": "nas" } },
        "removals": { "allowed": true },
    });
    let mut server = BackupServer::new("nas", serde_json::from_value(spec).unwrap());
    server.metadata.uid = Some("server".to_owned());
    change(&mut server);
    server
}

fn used(count: i32, since: i64) -> impl FnOnce(&mut BackupServer) {
    move |server| {
        let window_start = Some(status_time(at(since)));
        server.status.get_or_insert_default().removals = Some(RemovalsStatus { window_start, count });
    }
}

/// Name, object, server and NAS task as read live; the window's start and count to reserve, or why not.
type LastLook = (
    &'static str,
    BackupTask,
    BackupServer,
    Option<Task>,
    Result<(i64, i32), Reason>,
);

#[test]
fn the_last_look_judges_what_is_there_now() {
    let ready = || now_asked().intent(open(IntentAction::Remove));
    let idle = || Some(row());
    let as_is = || live_server(|_| {});
    let keyed = |key: &str| {
        Some(Task {
            unique_key: UniqueKey::new(key),
            ..row()
        })
    };
    let withheld = |reason| Err::<(i64, i32), _>(reason);
    let rows: Vec<LastLook> = vec![
        ("nothing stands against it", ready(), as_is(), idle(), Ok((0, 1))),
        (
            "a window that runs",
            ready(),
            live_server(used(4, -100)),
            idle(),
            Ok((-100, 5)),
        ),
        (
            "a window that is over",
            ready(),
            live_server(used(5, -DAY)),
            idle(),
            Ok((0, 1)),
        ),
        (
            "one second before",
            ready(),
            live_server(used(5, 1 - DAY)),
            idle(),
            withheld(Reason::RemovalBreakerOpen),
        ),
        (
            "no intent",
            now_asked(),
            as_is(),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "somebody else's intent",
            now_asked().intent(Intent {
                id: "other".to_owned(),
                ..open(IntentAction::Remove)
            }),
            as_is(),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "asked no more",
            ready().removal(RemovalWhen::Never, "k7"),
            as_is(),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "on deletion, not deleted",
            ready().removal(RemovalWhen::OnDelete, "k7"),
            as_is(),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "on deletion, deleted",
            deleting().intent(open(IntentAction::Remove)),
            as_is(),
            idle(),
            Ok((0, 1)),
        ),
        (
            "abandoned",
            deleting()
                .intent(open(IntentAction::Remove))
                .annotate(ANNOTATION_ABANDON, "true"),
            as_is(),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "suspended",
            ready().suspended(),
            as_is(),
            idle(),
            withheld(Reason::Suspended),
        ),
        (
            "suspended by annotation",
            ready().annotate(ANNOTATION_SUSPENDED, "true"),
            as_is(),
            idle(),
            withheld(Reason::Suspended),
        ),
        (
            "the server was made anew",
            ready(),
            live_server(|s| s.metadata.uid = Some("anew".to_owned())),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "mode Plan",
            ready(),
            live_server(|s| s.spec.mode = Mode::Plan),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "the server is being deleted",
            ready(),
            live_server(|s| s.metadata.deletion_timestamp = Some(status_time(at(-1)))),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "the task is gone",
            ready(),
            as_is(),
            None,
            withheld(Reason::TaskReplaced),
        ),
        (
            "another stands under its id",
            ready(),
            as_is(),
            keyed("k8"),
            withheld(Reason::TaskReplaced),
        ),
        (
            "it lost its uniqueKey",
            ready(),
            as_is(),
            keyed(""),
            withheld(Reason::TaskReplaced),
        ),
        (
            "confirmed for another",
            ready().removal(RemovalWhen::Now, "k8"),
            as_is(),
            idle(),
            withheld(Reason::RemovalNotConfirmed),
        ),
        (
            "notAfter has passed",
            ready().edit(|o| o.spec.removal.not_after = Some(status_time(at(-1)))),
            as_is(),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "the server forbids it",
            ready(),
            live_server(|s| s.spec.removals.allowed = false),
            idle(),
            withheld(Reason::RemovalNotAllowed),
        ),
        (
            "a run began",
            ready(),
            as_is(),
            Some(doing("backingup")),
            withheld(Reason::WaitingForRun),
        ),
        (
            "a row that nobody ended stood there when the intent was recorded",
            ready(),
            as_is(),
            Some(ended(result(10, crate::nas::status::INCOMPLETE))),
            Ok((0, 1)),
        ),
        (
            "a newer one may be a run",
            ready(),
            as_is(),
            Some(ended(result(11, crate::nas::status::INCOMPLETE))),
            withheld(Reason::WaitingForRun),
        ),
    ];
    for (name, object, server, task, expected) in rows {
        let queue = Queue::Read(Vec::new());
        let found = removal_clearance(
            &object,
            "i0",
            &server,
            task.as_ref().map(|task| (task, &queue)),
            at(0),
        );
        let found = found.map_err(|(reason, _)| reason);
        let expected = expected.map(|(start, count)| RemovalsStatus {
            window_start: Some(status_time(at(start))),
            count,
        });
        assert_eq!(found, expected, "{name}");
    }
}
