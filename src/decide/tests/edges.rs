//! Where two things meet: an edit and a run, a token and a hold, a row without an end, a list in part, another task
//! under the old object.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    decide::Needs,
    nas::{LogRow, ResultRow, Task, TaskId, UniqueKey, log_type, status},
    observe::{Answered, Bound, Claim, Inventory, Knowledge, Queue, bind, claims},
};

const BACKUP: Want = Want::Backup {
    attempt: 1,
    baseline: 10,
};

fn leak(second: i64) -> &'static str {
    token_at(second).leak()
}

fn attic(result: ResultRow) -> Task {
    Task {
        id: TaskId(8),
        name: "attic".to_owned(),
        unique_key: UniqueKey::new("k8"),
        last_result: Some(result),
        ..row()
    }
}

fn moved_to_attic(object: BackupTask) -> BackupTask {
    object.edit(|object| {
        object.spec.task = TaskSelector {
            name: Some("attic".to_owned()),
            ..TaskSelector::default()
        };
    })
}

#[test]
fn another_task_under_the_same_object() {
    check(vec![
        Case {
            name: "its token is not satisfied by a run of the task before",
            object: moved_to_attic(task()).request(leak(-7200)),
            nas: Some(inventory(vec![row(), attic(result(9, status::FAILED))])),
            results: Some(vec![result(9, status::FAILED)]),
            act: Want::Backup {
                attempt: 1,
                baseline: 9,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some((leak(-7200), Accepted)),
            last_result: Some(9),
            ..case()
        },
        Case {
            name: "its age counts from its own success",
            object: moved_to_attic(task()).max_age("2h"),
            nas: Some(inventory(vec![row(), attic(result(8, status::SUCCESS))])),
            last_result: Some(8),
            next_run: Some(at(3400)),
            ..case()
        },
        Case {
            name: "a run of the task before is not answered by a result of the next",
            object: moved_to_attic(running(None)),
            nas: Some(inventory(vec![
                doing("backingup"),
                attic(result(12, status::SUCCESS)),
            ])),
            request: Some(("a", ResultUnknown)),
            last_result: Some(12),
            ..case()
        },
        Case {
            name: "another selector of the same task changes nothing",
            object: running(Some(11)).edit(|object| {
                object.spec.task = TaskSelector {
                    id: Some(7),
                    ..TaskSelector::default()
                };
            }),
            nas: Some(lists(doing("backingup"))),
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            reason: Reason::BackupRunning,
            state: State::Running,
            last_result: Some(10),
            ..case()
        },
    ]);
}

#[test]
fn what_a_list_in_part_shows() {
    let part = |tasks| {
        Some(Inventory {
            complete: false,
            ..inventory(tasks)
        })
    };
    let waits = || Case {
        reason: Reason::ServerNotReady,
        state: State::Unknown,
        conditions: &[(ConditionType::Ready, "True", Reason::ServerNotReady)],
        without: &[ConditionType::Stalled],
        ..case()
    };
    check(vec![
        Case {
            name: "a name that was found once may be there twice: nothing is bound or started",
            object: new_task().request("a"),
            nas: part(vec![row()]),
            ..waits()
        },
        Case {
            name: "a bound task that is not in it is not missing",
            nas: part(vec![]),
            ..waits()
        },
        Case {
            name: "nor replaced by one of its name",
            nas: part(vec![Task {
                name: "office".to_owned(),
                ..attic(result(9, status::SUCCESS))
            }]),
            ..waits()
        },
        Case {
            name: "a bound task that is in it runs",
            object: task().request("a"),
            nas: part(vec![row()]),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
    ]);
}

#[test]
fn a_rebind_annotation_left_behind_says_nothing() {
    let left = task().annotate(ANNOTATION_REBIND, "k8");
    let nas = inventory(vec![row(), attic(result(9, status::SUCCESS))]);
    let id = |object: &BackupTask, nas: &Inventory| match bind(object, Some(nas), Some("S1")) {
        Bound::To(task) => Some(task.id.0),
        _ => None,
    };
    assert_eq!(id(&left, &nas), Some(7), "the bound one is there");
    let gone = inventory(vec![attic(result(9, status::SUCCESS))]);
    assert_eq!(id(&left, &gone), Some(8), "the bound one is gone");
    assert_eq!(id(&task(), &gone), None, "nobody named the other");
}

#[test]
fn a_history_that_hides_a_success() {
    let failed = || Some(lists(ended(result(11, status::FAILED))));
    let unreadable = || Knowledge {
        history_unreadable: true,
        ..Knowledge::default()
    };
    check(vec![
        Case {
            name: "a token that is a time waits for a history that cannot be read",
            object: new_task().request(leak(-7200)),
            nas: failed(),
            knowledge: unreadable(),
            reason: Reason::ServerNotReady,
            ..case()
        },
        Case {
            name: "so does an age",
            object: new_task().max_age("2h"),
            nas: failed(),
            knowledge: unreadable(),
            reason: Reason::ServerNotReady,
            ..case()
        },
        Case {
            name: "it is asked for later, too",
            object: task().max_age("2h").status(|status| {
                status.last_success = None;
                status.last_result.as_mut().unwrap().status_code = status::FAILED;
                status.history.clear();
            }),
            nas: Some(lists(ended(result(10, status::FAILED)))),
            needs: HISTORY,
            ..case()
        },
        Case {
            name: "and the success in it is taken up",
            object: task().max_age("2h").status(|status| {
                status.last_success = None;
                status.last_result.as_mut().unwrap().status_code = status::FAILED;
                status.history.clear();
            }),
            nas: Some(lists(ended(result(10, status::FAILED)))),
            results: Some(vec![result(10, status::FAILED), result(8, status::SUCCESS)]),
            next_run: Some(at(3400)),
            conditions: &[(ConditionType::Fresh, "True", Reason::WithinMaxAge)],
            ..case()
        },
    ]);
}

#[test]
fn a_cancel_token_is_for_the_run_in_flight_when_it_is_first_seen() {
    let held = || running(None).cancel("c").cancel_receipt("c", Accepted);
    check(vec![
        Case {
            name: "seen while suspended and idle it finds nothing, then and later",
            object: task().cancel("c").suspended(),
            reason: Reason::Suspended,
            cancel: Some(("c", NothingToCancel)),
            ..case()
        },
        Case {
            name: "that needs a read of this pass",
            object: task().cancel("c").suspended(),
            fresh: false,
            needs: FRESH,
            reason: Reason::Suspended,
            ..case()
        },
        Case {
            name: "held back in mid-run it is sent once nothing holds it any more",
            object: held(),
            nas: Some(lists(doing("backingup"))),
            act: Want::Cancel { attempt: 1 },
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            cancel: Some(("c", Accepted)),
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..case()
        },
        Case {
            name: "unless its run has ended meanwhile",
            object: held(),
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            results: Some(vec![result(11, status::SUCCESS)]),
            request: Some(("a", Succeeded)),
            cancel: Some(("c", NothingToCancel)),
            last_result: Some(11),
            ..case()
        },
        Case {
            name: "while the NAS cannot be read, the run that was seen last is the one",
            object: running(None).cancel("c"),
            nas: Some(lists(doing("backingup"))),
            reach: failing(1),
            fresh: false,
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            cancel: Some(("c", Accepted)),
            reason: Reason::ServerNotReady,
            state: State::Running,
            ..case()
        },
        Case {
            name: "and without one nobody can tell yet",
            object: task().cancel("c"),
            reach: failing(1),
            fresh: false,
            reason: Reason::ServerNotReady,
            ..case()
        },
        Case {
            name: "in Plan an idle task's token is not answered",
            object: task().cancel("c"),
            server: mode(Mode::Plan),
            ..case()
        },
    ]);
}

#[test]
fn runs_that_end_without_a_result() {
    let lost = |id| {
        task().status(|status| {
            let last = status.last_result.as_mut().unwrap();
            last.result_id = id;
            last.status_code = status::INCOMPLETE;
            last.status = ResultStatus::Incomplete;
            last.origin = Origin::Request;
            let entry = HistoryEntry {
                result: last.clone(),
                triggers: vec![trigger(TriggerKind::Request, "a")],
                outcome: Some(ResultUnknown),
            };
            status.history.insert(0, entry);
        })
    };
    let unfinished = || Some(lists(ended(result(11, status::INCOMPLETE))));
    check(vec![
        Case {
            name: "an age waits for its backoff after one",
            object: task().max_age("30m").status(|status| {
                status.last_run_end_time = Some(time(at(-100)));
            }),
            next_attempt: Some(at(200)),
            ..case()
        },
        Case {
            name: "a second later it is due",
            object: task().max_age("30m").status(|status| {
                status.last_run_end_time = Some(time(at(-300)));
            }),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            ..case()
        },
        Case {
            name: "a row that was given up on is no run, in no process",
            object: lost(11).request("b"),
            nas: unfinished(),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("b", Accepted)),
            ..case()
        },
        Case {
            name: "its end is news all the same",
            object: lost(11),
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            last_result: Some(11),
            conditions: &[(
                ConditionType::LastBackupSucceeded,
                "True",
                Reason::BackupSucceeded,
            )],
            ..case()
        },
        Case {
            name: "a failed row without an end is tried again after the backoff from now",
            object: running(Some(11)).retries(1),
            nas: Some(lists(ended(ResultRow {
                time_end: None,
                ..result(11, status::FAILED)
            }))),
            request: Some(("a", Failed)),
            last_result: Some(11),
            next_attempt: Some(at(300)),
            ..case()
        },
        Case {
            name: "an unfinished row alone is not adopted",
            object: task().request("b").when_running(WhenRunning::Adopt),
            nas: unfinished(),
            run: Some(Origin::External),
            reason: Reason::WaitingForRun,
            state: State::Running,
            ..case()
        },
        Case {
            name: "nor cancelled for a replacement",
            object: task().request("b").when_running(WhenRunning::Replace),
            nas: unfinished(),
            run: Some(Origin::External),
            reason: Reason::WaitingForRun,
            state: State::Running,
            ..case()
        },
    ]);
}

#[test]
fn what_counts_as_a_success_is_edited() {
    let partial = |counts: bool| {
        task()
            .max_age("2h")
            .retries(3)
            .status(|status| {
                let last = status.last_result.as_mut().unwrap();
                last.result_id = 11;
                last.status_code = status::PARTIAL;
                last.status = ResultStatus::PartialSuccess;
                status.retry_attempt = Some(1);
                status.last_failure_time = Some(time(at(0)));
            })
            .edit(|object| object.spec.partial_is_success = counts)
    };
    let nas = || Some(lists(ended(result(11, status::PARTIAL))));
    check(vec![
        Case {
            name: "a partial success that does not count leaves the older one, and its retry",
            object: partial(false),
            nas: nas(),
            next_attempt: Some(at(300)),
            ..case()
        },
        Case {
            name: "once it counts it is fresh, and no retry follows",
            object: partial(true),
            nas: nas(),
            next_run: Some(at(3600)),
            conditions: &[(
                ConditionType::LastBackupSucceeded,
                "True",
                Reason::BackupPartiallySucceeded,
            )],
            ..case()
        },
        Case {
            name: "once it does not any more the one before counts",
            object: partial(false).status(|status| status.last_success = status.last_result.clone()),
            nas: nas(),
            conditions: &[(ConditionType::Fresh, "True", Reason::WithinMaxAge)],
            ..case()
        },
        Case {
            name: "which may stand in the NAS's history only",
            object: partial(false).status(|status| {
                status.last_success = status.last_result.clone();
                status.history.clear();
            }),
            nas: nas(),
            needs: HISTORY,
            ..case()
        },
    ]);
}

#[test]
fn tokens_and_what_came_before_them() {
    check(vec![
        Case {
            name: "one that comes too late but is satisfied is satisfied",
            object: new_task().request(leak(-7200)).not_after(-1),
            request: Some((leak(-7200), AlreadySatisfied)),
            ..case()
        },
        Case {
            name: "one that is not has expired",
            object: new_task().request(leak(-3599)).not_after(-1),
            request: Some((leak(-3599), Expired)),
            ..case()
        },
        Case {
            name: "what only a generous reader takes for a time is opaque",
            object: task().request("20100101T000000Z"),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("20100101T000000Z", Accepted)),
            ..case()
        },
        Case {
            name: "a new one that is satisfied already ends an unknown outcome as well",
            object: task()
                .request(leak(-7200))
                .receipt("before", OutcomeUnknown)
                .status(|status| status.unsettled = Some("i0".to_owned())),
            request: Some((leak(-7200), AlreadySatisfied)),
            without: &[ConditionType::Stalled],
            ..case()
        },
        Case {
            name: "a token that joins a pending attempt has all its own attempts before it",
            object: running(Some(11)).retries(1).status(|status| {
                status.retry_attempt = Some(1);
                let retry = TriggerRef {
                    kind: TriggerKind::Retry,
                    token: None,
                    slot: None,
                };
                status.run.as_mut().unwrap().triggers.push(retry);
            }),
            nas: Some(lists(ended(result(11, status::FAILED)))),
            request: Some(("a", Failed)),
            last_result: Some(11),
            // Result 11 ended 3450 seconds ago: the next attempt is due.
            needs: FRESH,
            fresh: false,
            ..case()
        },
        Case {
            name: "a start in the future satisfies nothing",
            object: task().request(leak(-10)),
            nas: Some(Inventory {
                nas_time: None,
                ..lists(ended(ResultRow {
                    time_start: Some(at(7200).as_second()),
                    time_end: Some(at(7250).as_second()),
                    ..result(11, status::SUCCESS)
                }))
            }),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some((leak(-10), Accepted)),
            ..case()
        },
    ]);
}

#[test]
fn reads_that_are_older_than_what_is_due() {
    let begun = |second| {
        Some(Inventory {
            begun: at(second),
            nas_time: Some(at(second)),
            ..lists(row())
        })
    };
    check(vec![
        Case {
            name: "a list that began before the slot is read once more",
            object: task().scheduled("0 * * * *", -7200, Some(-3600), 0),
            nas: begun(-1),
            needs: FRESH,
            ..case()
        },
        Case {
            name: "one that began with it is not",
            object: task().scheduled("0 * * * *", -7200, Some(-3600), 0),
            nas: begun(0),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            ..case()
        },
        Case {
            name: "an age that has just lapsed needs one, too",
            object: task().max_age("1h"),
            nas: begun(-1),
            needs: FRESH,
            ..case()
        },
        Case {
            name: "a token was seen before the list was asked for",
            object: task().request("a"),
            nas: begun(-1),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
    ]);
}

#[test]
fn cancels_that_are_refused_leave_no_trace_on_the_next_run() {
    let refused = |why| {
        running(None)
            .status(|status| status.run.as_mut().unwrap().stopping = Some(why))
            .intent(open(IntentAction::Cancel))
    };
    check(vec![
        Case {
            name: "a token's: the deadline acts all the same",
            object: refused(StopReason::Request)
                .cancel("c")
                .cancel_receipt("c", Accepted)
                .active_deadline("10s"),
            nas: Some(lists(doing("backingup"))),
            knowledge: call(Some(Answered::Refused(1036)), -10, None),
            act: Want::Cancel { attempt: 1 },
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            cancel: Some(("c", Failed)),
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..case()
        },
        Case {
            name: "the deadline's: the run that is due next is not put off",
            object: running(Some(11)).request("b").status(|status| {
                status.refusals = Some(2);
                status.next_attempt_time = Some(time(at(300)));
                let ready = ConditionType::Ready;
                let reason = Reason::CancelRefused;
                set_condition(
                    &mut status.conditions,
                    ready,
                    Some(true),
                    reason,
                    "1036",
                    Some(1),
                    at(-10),
                );
            }),
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            request: Some(("b", Accepted)),
            reason: Reason::BackupRequested,
            state: State::Waiting,
            last_result: Some(11),
            ..case()
        },
        Case {
            name: "a queue that cannot be read proves nothing of a lost cancel",
            object: refused(StopReason::Request),
            nas: Some(with_queue(doing("backingup"), Queue::Unreadable)),
            knowledge: call(Some(Answered::Unknown), -100, Some(-40)),
            intent: true,
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..case()
        },
    ]);
}

#[test]
fn a_yes_that_only_the_log_takes_back() {
    let asked = || {
        task()
            .request("a")
            .receipt("a", Accepted)
            .intent(open(IntentAction::Backup))
    };
    let applied = |settles_from| call(Some(Answered::Applied), settles_from, None);
    let log = |kinds: &[i64]| {
        let row = |kind: &i64| LogRow {
            log_type: *kind,
            log_time: Some(at(-90).as_second()),
            task_id: Some(TaskId(7)),
        };
        Some(kinds.iter().map(row).collect::<Vec<_>>())
    };
    let waits = || Case {
        object: asked(),
        log: None,
        knowledge: applied(-80),
        intent: true,
        request: Some(("a", Accepted)),
        reason: Reason::BackupRequested,
        state: State::Waiting,
        ..case()
    };
    let ignored = |name, kind| Case {
        name,
        log: log(&[kind]),
        intent: false,
        reason: Reason::BackupRefused,
        state: State::Idle,
        next_attempt: Some(at(300)),
        ..waits()
    };
    let since = Needs {
        log_since: Some(at(-100).as_second()),
        ..Needs::default()
    };
    check(vec![
        Case {
            name: "before the call's deadline no log is read",
            knowledge: applied(1),
            ..waits()
        },
        Case {
            name: "after it, where no run shows, the log since the intent is",
            needs: since,
            ..waits()
        },
        Case {
            name: "not while the queue cannot be read",
            nas: Some(with_queue(row(), Queue::Unreadable)),
            ..waits()
        },
        Case {
            name: "a log without a word of it proves nothing",
            log: log(&[]),
            ..waits()
        },
        Case {
            name: "one that tells of a start neither",
            log: log(&[log_type::IGNORED_BY_WINDOW, log_type::STARTED]),
            ..waits()
        },
        ignored(
            "a closed window is a refusal that passes",
            log_type::IGNORED_BY_WINDOW,
        ),
        ignored("so is another backup", log_type::ANOTHER_BACKUP),
        ignored("the same backup", log_type::SAME_BACKUP),
        ignored("a restore", log_type::CONFLICT_WITH_RESTORE),
        ignored("a verification", log_type::VERIFICATION),
        ignored("a deletion", log_type::DELETION),
        Case {
            name: "a run that shows counts whatever the log says",
            nas: Some(lists(doing("backingup"))),
            log: log(&[log_type::SAME_BACKUP]),
            intent: false,
            run: Some(Origin::Request),
            reason: Reason::BackupRunning,
            state: State::Running,
            ..waits()
        },
    ]);
}

#[test]
fn a_successor_acts_while_the_deleted_object_is_held() {
    let named = |name: &str, created: i64| {
        task().edit(|object| {
            object.metadata.name = Some(name.to_owned());
            object.metadata.uid = Some(format!("uid-{name}"));
            object.metadata.creation_timestamp = Some(time(at(created)));
        })
    };
    let deleted = |object: BackupTask| object.edit(|o| o.metadata.deletion_timestamp = Some(time(at(-5))));
    let (elder, younger) = (named("elder", -900), named("younger", -800));
    let gone = deleted(elder.clone());
    let nas = lists(row());
    let owner = |first: &BackupTask, second: &BackupTask| {
        let bound = [first, second].map(|object| (object, bind(object, Some(&nas), Some("S1"))));
        claims(&bound)
            .into_iter()
            .map(|claim| claim.owner)
            .collect::<Vec<_>>()
    };
    assert_eq!(owner(&elder, &younger), [None, Some("elder".to_owned())]);
    assert_eq!(owner(&gone, &younger), [Some("younger".to_owned()), None]);
    let open_call = gone.clone().intent(open(IntentAction::Cancel));
    assert_eq!(owner(&open_call, &younger), [None, Some("elder".to_owned())]);
    assert_eq!(
        owner(&gone, &deleted(younger.clone())),
        [None, Some("elder".to_owned())]
    );
    check(vec![Case {
        name: "and the deleted one says that nothing is removed",
        object: deleted(task())
            .removal(RemovalWhen::OnDelete, "k7")
            .edit(|object| object.metadata.finalizers = Some(vec![FINALIZER.to_owned()])),
        claim: Claim {
            owner: Some("younger".to_owned()),
            other: Some("younger".to_owned()),
        },
        finalizer: true,
        reason: Reason::RemovalNotAllowed,
        conditions: &[(ConditionType::Stalled, "True", Reason::RemovalNotAllowed)],
        ..case()
    }]);
}

#[test]
fn what_must_not_happen_on_half_a_view() {
    let deleted = || {
        task()
            .removal(RemovalWhen::OnDelete, "k7")
            .edit(|object| object.metadata.deletion_timestamp = Some(time(at(-5))))
            .edit(|object| object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]))
    };
    let held = |accepted: Option<i64>, run: Option<i64>| {
        let receipt = Receipt {
            result_id: accepted,
            ..receipt("c", Accepted)
        };
        running(run)
            .cancel("c")
            .status(|status| status.receipts.get_or_insert_default().cancel = Some(receipt))
    };
    let next_runs = |id| {
        Some(lists(Task {
            last_result: Some(result(id, status::INCOMPLETE)),
            ..doing("backingup")
        }))
    };
    let running_on = || Case {
        run: Some(Origin::Request),
        request: Some(("a", Accepted)),
        cancel: Some(("c", Accepted)),
        reason: Reason::BackupRunning,
        state: State::Running,
        ..case()
    };
    check(vec![
        Case {
            name: "nothing is removed on a list in part: somebody unseen may declare the task",
            object: deleted(),
            nas: Some(Inventory {
                complete: false,
                ..lists(row())
            }),
            versions: Some(vec![version(false)]),
            finalizer: true,
            reason: Reason::ServerNotReady,
            ..case()
        },
        Case {
            name: "a held cancel goes to the run that it was for",
            object: held(Some(11), Some(11)),
            nas: next_runs(11),
            act: Want::Cancel { attempt: 1 },
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..running_on()
        },
        Case {
            name: "a row that shows only now is looked behind first",
            object: held(None, Some(12)),
            nas: next_runs(12),
            needs: HISTORY,
            ..running_on()
        },
        Case {
            name: "where the history cannot be read it is not sent",
            object: held(None, Some(12)),
            nas: next_runs(12),
            knowledge: Knowledge {
                history_unreadable: true,
                ..Knowledge::default()
            },
            ..running_on()
        },
        Case {
            name: "a newer run than its own is left alone",
            object: held(Some(11), Some(11)),
            nas: next_runs(12),
            knowledge: Knowledge {
                history_unreadable: true,
                ..Knowledge::default()
            },
            ..running_on()
        },
        Case {
            name: "a further attempt is not taken back by what the log said of the first",
            object: task().request("a").receipt("a", Accepted).intent(Intent {
                attempt: 2,
                ..open(IntentAction::Backup)
            }),
            // Sent 30 seconds ago, 70 after the first.
            knowledge: call(Some(Answered::Applied), -10, None),
            log: None,
            needs: Needs {
                log_since: Some(at(-32).as_second()),
                ..Needs::default()
            },
            intent: true,
            request: Some(("a", Accepted)),
            reason: Reason::BackupRequested,
            state: State::Waiting,
            ..case()
        },
        Case {
            name: "nor by older rows that a clock that was set back brings into view",
            object: task().request("a").receipt("a", Accepted).intent(Intent {
                attempt: 2,
                ..open(IntentAction::Backup)
            }),
            nas: Some(Inventory {
                nas_time: Some(at(-7200)),
                ..lists(row())
            }),
            knowledge: call(Some(Answered::Applied), -10, None),
            log: None,
            needs: Needs {
                log_since: Some(at(-100).as_second()),
                ..Needs::default()
            },
            intent: true,
            request: Some(("a", Accepted)),
            reason: Reason::BackupRequested,
            state: State::Waiting,
            ..case()
        },
        Case {
            name: "a deadline's cancel that was lost leaves the token's as sent",
            object: running(Some(11))
                .cancel("c")
                .cancel_receipt("c", Accepted)
                .status(|status| status.run.as_mut().unwrap().stopping = Some(StopReason::Deadline))
                .intent(open(IntentAction::Cancel)),
            nas: Some(lists(doing("backingup"))),
            knowledge: call(Some(Answered::Unknown), -100, Some(-40)),
            ..running_on()
        },
        Case {
            name: "a start that the NAS does not tell keeps the skew that is known",
            object: task().request(leak(-10)),
            nas: Some(Inventory {
                nas_time: Some(at(7200)),
                ..lists(ended(ResultRow {
                    time_start: None,
                    time_end: Some(at(7100).as_second()),
                    ..result(11, status::SUCCESS)
                }))
            }),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some((leak(-10), Accepted)),
            ..case()
        },
        Case {
            name: "a cancel under way when the object comes to mean another task: nobody can tell",
            object: moved_to_attic(
                running(Some(11))
                    .cancel("c")
                    .cancel_receipt("c", Accepted)
                    .intent(open(IntentAction::Cancel)),
            ),
            nas: Some(inventory(vec![
                doing("backingup"),
                attic(result(12, status::SUCCESS)),
            ])),
            knowledge: call(Some(Answered::Applied), -10, None),
            request: Some(("a", ResultUnknown)),
            cancel: Some(("c", OutcomeUnknown)),
            ..case()
        },
        Case {
            name: "a package that is stopped in that moment leaves the token due",
            object: task()
                .request("a")
                .receipt("a", Accepted)
                .intent(open(IntentAction::Backup)),
            knowledge: call(Some(Answered::Refused(102)), -10, None),
            request: Some(("a", Accepted)),
            reason: Reason::BackupRefused,
            without: &[ConditionType::Stalled],
            next_attempt: Some(at(300)),
            ..case()
        },
    ]);
}
