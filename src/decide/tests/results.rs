//! From a run to its result: which row is its own, what a finished one means, what is kept.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    nas::{ResultId, ResultRow, Task, job_action, status},
    observe::{Inventory, Knowledge, Queue},
};

/// The run of token `a` goes on.
fn going_on() -> Case {
    Case {
        object: running(None),
        run: Some(Origin::Request),
        reason: Reason::BackupRunning,
        state: State::Running,
        request: Some(("a", Accepted)),
        ..case()
    }
}

/// The run of token `a` has ended.
fn over(outcome: ReceiptOutcome) -> Case {
    Case {
        run: None,
        reason: Reason::Reconciled,
        state: State::Idle,
        request: Some(("a", outcome)),
        ..going_on()
    }
}

/// It ended with a row of that status, which was there from its start.
fn ended_with(name: &'static str, code: i64, outcome: ReceiptOutcome) -> Case {
    Case {
        name,
        object: running(Some(11)),
        nas: Some(lists(ended(result(11, code)))),
        last_result: Some(11),
        ..over(outcome)
    }
}

fn history(rows: &[(i64, i64)]) -> Vec<ResultRow> {
    rows.iter().map(|(id, code)| result(*id, *code)).collect()
}

#[test]
fn the_meaning_of_a_result() {
    let partial_counts = |case: Case| Case {
        object: case.object.edit(|object| object.spec.partial_is_success = true),
        ..case
    };
    check(vec![
        Case {
            conditions: &[(
                ConditionType::LastBackupSucceeded,
                "True",
                Reason::BackupSucceeded,
            )],
            events: Some(&[Reason::BackupSucceeded]),
            ..ended_with("2 is a success", status::SUCCESS, Succeeded)
        },
        Case {
            conditions: &[(
                ConditionType::LastBackupSucceeded,
                "False",
                Reason::BackupPartiallySucceeded,
            )],
            ..ended_with("3 is a failure", status::PARTIAL, Failed)
        },
        Case {
            conditions: &[(
                ConditionType::LastBackupSucceeded,
                "True",
                Reason::BackupPartiallySucceeded,
            )],
            ..partial_counts(ended_with(
                "3 is a success with partialIsSuccess",
                status::PARTIAL,
                Succeeded,
            ))
        },
        Case {
            conditions: &[(ConditionType::LastBackupSucceeded, "False", Reason::BackupFailed)],
            events: Some(&[Reason::BackupFailed]),
            ..ended_with("4 is a failure", status::FAILED, Failed)
        },
        Case {
            conditions: &[(
                ConditionType::LastBackupSucceeded,
                "False",
                Reason::BackupCanceled,
            )],
            ..ended_with("5 is a cancelled run", status::CANCELED, Canceled)
        },
        ended_with("6 is a failure: nothing was backed up", status::NO_BACKUP, Failed),
        ended_with("0 is a run without a verdict", status::NONE, ResultUnknown),
        Case {
            conditions: &[(ConditionType::LastBackupSucceeded, "False", Reason::ResultUnknown)],
            ..ended_with("a number without a name is never a success", 99, ResultUnknown)
        },
        ended_with("a negative number neither", -2, ResultUnknown),
        partial_counts(ended_with("not even with partialIsSuccess", 7, ResultUnknown)),
    ]);
}

#[test]
fn a_run_is_followed_to_its_row() {
    let deletion_behind = || lists(ended(deletion(12)));
    check(vec![
        Case {
            name: "a run in progress without a row goes on",
            nas: Some(lists(doing("backingup"))),
            ..going_on()
        },
        Case {
            name: "a row at the start is taken up",
            nas: Some(lists(ended(result(11, status::INCOMPLETE)))),
            ..going_on()
        },
        Case {
            name: "a row met only at its end: an earlier one may stand behind it",
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            needs: HISTORY,
            ..going_on()
        },
        Case {
            name: "it is ours when none does",
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            results: Some(history(&[(11, status::SUCCESS), (10, status::SUCCESS)])),
            last_result: Some(11),
            ..over(Succeeded)
        },
        Case {
            name: "of two new rows the first is ours, the second somebody else's",
            nas: Some(lists(ended(result(12, status::SUCCESS)))),
            results: Some(history(&[
                (12, status::SUCCESS),
                (11, status::FAILED),
                (10, status::SUCCESS),
            ])),
            last_result: Some(12),
            ..over(Failed)
        },
        Case {
            name: "where the history cannot be read the row in view has to do",
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            knowledge: Knowledge {
                history_unreadable: true,
                ..Knowledge::default()
            },
            last_result: Some(11),
            ..over(Succeeded)
        },
        Case {
            name: "its row behind a newer one is read from the history",
            object: running(Some(11)),
            nas: Some(lists(ended(result(12, status::SUCCESS)))),
            needs: HISTORY,
            last_result: Some(12),
            ..going_on()
        },
        Case {
            name: "its row behind a version deletion is read from the history",
            object: running(Some(11)),
            nas: Some(deletion_behind()),
            needs: HISTORY,
            ..going_on()
        },
        Case {
            name: "and counts as it stands there",
            object: running(Some(11)),
            nas: Some(deletion_behind()),
            results: Some(history(&[(11, status::SUCCESS), (10, status::SUCCESS)])),
            last_result: Some(11),
            ..over(Succeeded)
        },
        Case {
            name: "behind a deletion whose history was read nothing is asked again",
            object: task(),
            nas: Some(deletion_behind()),
            knowledge: Knowledge {
                history_read_behind: Some(ResultId(12)),
                ..Knowledge::default()
            },
            ..case()
        },
        Case {
            name: "a run that shows no more waits for a late row",
            knowledge: quiet_since(-59),
            ..going_on()
        },
        Case {
            name: "after the settling time the history is asked",
            knowledge: quiet_since(-60),
            needs: HISTORY,
            ..going_on()
        },
        Case {
            name: "a run without any row took place, its meaning is unknown",
            knowledge: quiet_since(-60),
            results: Some(history(&[(10, status::SUCCESS)])),
            last_result: Some(10),
            ..over(ResultUnknown)
        },
        Case {
            name: "a history that cannot be read is waited for",
            knowledge: Knowledge {
                history_unreadable: true,
                ..quiet_since(1 - DAY)
            },
            ..going_on()
        },
        Case {
            name: "for 24h at most",
            knowledge: Knowledge {
                history_unreadable: true,
                ..quiet_since(-DAY)
            },
            ..over(ResultUnknown)
        },
        Case {
            name: "an unfinished row is a run until the settling time is over",
            object: running(Some(11)),
            nas: Some(lists(ended(result(11, status::INCOMPLETE)))),
            knowledge: quiet_since(-59),
            ..going_on()
        },
        Case {
            name: "an unfinished row that stays is a run whose meaning is unknown",
            object: running(Some(11)),
            nas: Some(lists(ended(result(11, status::INCOMPLETE)))),
            knowledge: quiet_since(-60),
            last_result: Some(11),
            ..over(ResultUnknown)
        },
        Case {
            name: "the task missing from a list: the run is waited for",
            nas: Some(inventory(vec![])),
            knowledge: absent_since(-59),
            reason: Reason::TaskNotFound,
            state: State::Missing,
            ..going_on()
        },
        Case {
            name: "the task gone from two lists: the run went with it and holds no slot",
            nas: Some(inventory(vec![])),
            knowledge: absent_since(-60),
            reason: Reason::TaskNotFound,
            state: State::Missing,
            ..over(ResultUnknown)
        },
    ]);
}

#[test]
fn runs_that_nobody_here_asked_for() {
    let external = || Case {
        run: Some(Origin::External),
        reason: Reason::BackupRunning,
        state: State::Running,
        ..case()
    };
    check(vec![
        Case {
            name: "the NAS's own run shows as running",
            nas: Some(lists(doing("backingup"))),
            ..external()
        },
        Case {
            name: "one that waits shows as waiting",
            nas: Some(with_queue(row(), job(job_action::BACKUP, 2))),
            state: State::Waiting,
            ..external()
        },
        Case {
            name: "one that a person cancels shows as canceling",
            nas: Some(with_queue(row(), job(job_action::BACKUP, 4))),
            state: State::Canceling,
            ..external()
        },
        Case {
            name: "a restore is no run",
            nas: Some(with_queue(row(), job(job_action::RESTORE_FILE, 3))),
            ..case()
        },
        Case {
            name: "one behind a version deletion follows its own row, not the oldest",
            nas: Some(lists(Task {
                last_result: Some(deletion(12)),
                ..doing("backingup")
            })),
            results: Some(history(&[(10, status::SUCCESS), (9, status::FAILED)])),
            ..external()
        },
        Case {
            name: "one that ended between two polls is recorded",
            nas: Some(lists(ended(result(11, status::FAILED)))),
            last_result: Some(11),
            events: Some(&[Reason::BackupFailed]),
            ..case()
        },
        Case {
            name: "one that follows at once on the run in flight is another run",
            object: running(Some(11)),
            nas: Some(lists(Task {
                last_result: Some(result(11, status::SUCCESS)),
                ..doing("backingup")
            })),
            request: Some(("a", Succeeded)),
            last_result: Some(11),
            ..external()
        },
        Case {
            name: "a row that never finished is none, once seen quiet for the settling time",
            nas: Some(lists(ended(result(11, status::INCOMPLETE)))),
            knowledge: quiet_since(-60),
            last_result: Some(10),
            ..case()
        },
        Case {
            name: "a restore never overwrites the last result",
            nas: Some(lists(ended(ResultRow {
                job_action: job_action::RESTORE_DEVICE,
                ..result(11, status::FAILED)
            }))),
            results: Some(history(&[(10, status::SUCCESS)])),
            last_result: Some(10),
            ..case()
        },
        Case {
            name: "behind the first row ever seen, when it is no success, the history is read",
            object: new_task(),
            nas: Some(lists(ended(result(11, status::FAILED)))),
            needs: HISTORY,
            last_result: Some(11),
            ..case()
        },
        Case {
            name: "also when the first look could not read the NAS",
            object: new_task().status(|status| status.observed_generation = Some(1)),
            nas: Some(lists(ended(result(11, status::FAILED)))),
            needs: HISTORY,
            last_result: Some(11),
            ..case()
        },
        Case {
            name: "a task without any result has none",
            object: new_task(),
            nas: Some(lists(Task {
                last_result: None,
                ..row()
            })),
            conditions: &[(ConditionType::LastBackupSucceeded, "Unknown", Reason::NoResult)],
            ..case()
        },
    ]);
}

#[test]
fn history_is_kept_to_its_limit() {
    let rows = history(&[
        (13, status::SUCCESS),
        (12, status::FAILED),
        (11, status::FAILED),
        (10, status::SUCCESS),
    ]);
    for (limit, kept) in [
        (0, vec![]),
        (1, vec![13]),
        (3, vec![13, 12, 11]),
        (50, vec![13, 12, 11, 10]),
    ] {
        let row = Case {
            object: task().edit(|object| object.spec.history_limit = limit),
            nas: Some(lists(ended(result(13, status::SUCCESS)))),
            results: Some(rows.clone()),
            ..case()
        };
        let (_, after) = row.decide(&row.object, &row.knowledge);
        let ids: Vec<i64> = after.history.iter().map(|entry| entry.result.result_id).collect();
        assert_eq!(ids, kept, "limit {limit}");
        assert_eq!(
            (after.last_result.unwrap().result_id, after.consecutive_failures),
            (13, Some(0))
        );
    }
}

#[test]
fn a_lowered_limit_shortens_the_history_at_once() {
    let seen = Case {
        nas: Some(lists(ended(result(11, status::FAILED)))),
        ..case()
    };
    let (_, two) = seen.decide(&seen.object, &seen.knowledge);
    assert_eq!((two.history.len(), two.consecutive_failures), (2, Some(1)));
    let object = BackupTask {
        status: Some(two),
        ..seen.object.clone()
    }
    .edit(|object| object.spec.history_limit = 1);
    let (_, one) = seen.decide(&object, &seen.knowledge);
    assert_eq!(one.history.len(), 1);
    assert_eq!(
        one.last_success.unwrap().result_id,
        10,
        "the newest success outlives the history"
    );
}

/// What a process remembers from reads: rows of observation, each with what it makes of the times it keeps.
#[test]
fn reads_that_prove_an_absence() {
    let unreadable = |task| with_queue(task, Queue::Unreadable);
    let incomplete = || Inventory {
        complete: false,
        ..inventory(vec![])
    };
    let unfinished = || ended(result(11, status::INCOMPLETE));
    // name, read, first absence of the call, quiet since, absent since; all were set 30 seconds before.
    let (kept, new, none) = (Some(at(-30)), Some(at(0)), None);
    for (name, seen, before, absence, quiet, absent) in [
        (
            "an idle task keeps the times",
            lists(row()),
            kept,
            kept,
            kept,
            none,
        ),
        ("an idle task sets them", lists(row()), none, new, new, none),
        (
            "a run resets them",
            lists(doing("backingup")),
            kept,
            none,
            none,
            none,
        ),
        (
            "a task that is not listed shows nothing of its run",
            inventory(vec![]),
            kept,
            none,
            none,
            kept,
        ),
        (
            "an incomplete list proves no absence of the task",
            incomplete(),
            kept,
            none,
            none,
            none,
        ),
        (
            "an unreadable queue sets no absence",
            unreadable(row()),
            none,
            none,
            new,
            none,
        ),
        (
            "an unreadable queue takes none back",
            unreadable(row()),
            kept,
            kept,
            kept,
            none,
        ),
        (
            "an unfinished row that is new ends the quiet before it",
            unreadable(unfinished()),
            kept,
            kept,
            none,
            none,
        ),
        (
            "an unfinished row is quiet with the queue",
            lists(unfinished()),
            none,
            new,
            new,
            none,
        ),
        (
            "an unfinished row is not, without it",
            unreadable(unfinished()),
            none,
            none,
            none,
            none,
        ),
    ] {
        let object = asked();
        let mut knowledge = call(None, -60, None);
        knowledge.call.as_mut().unwrap().first_absence = before;
        knowledge.quiet_since = before;
        knowledge.absent_since = before;
        let bound = crate::observe::bind(&object, Some(&seen), Some("S1"));
        knowledge.note(&object, &bound, &seen);
        let again = knowledge.quiet_since;
        knowledge.note(&object, &bound, &seen);
        assert_eq!(knowledge.quiet_since, again, "seen again: {name}");
        assert_eq!(knowledge.call.unwrap().first_absence, absence, "call: {name}");
        assert_eq!(
            (knowledge.quiet_since, knowledge.absent_since),
            (quiet, absent),
            "{name}"
        );
    }
}

#[test]
fn since_when_an_open_call_finds_nothing_readable() {
    let unreadable = |task| with_queue(task, Queue::Unreadable);
    let hidden = || ended(deletion(12));
    let (kept, new, none) = (Some(at(-30)), Some(at(0)), None);
    // name, read, whether the history behind it could be read where it was asked for, before, after.
    for (name, seen, history, before, after) in [
        ("an unreadable queue sets it", unreadable(row()), None, none, new),
        ("and keeps it", unreadable(row()), None, kept, kept),
        ("a readable queue ends it", lists(row()), None, kept, none),
        (
            "not where the history is hidden",
            lists(hidden()),
            None,
            kept,
            kept,
        ),
        ("which is read", lists(hidden()), Some(true), kept, none),
        ("or not", lists(hidden()), Some(false), kept, kept),
        ("for the first time", lists(hidden()), Some(false), none, new),
        (
            "a history alone does not end it",
            unreadable(hidden()),
            Some(true),
            kept,
            kept,
        ),
        (
            "a task that is not listed shows nothing",
            inventory(vec![]),
            None,
            kept,
            kept,
        ),
        (
            "a queue that was not asked for neither",
            with_queue(row(), Queue::NotAsked),
            None,
            kept,
            kept,
        ),
    ] {
        let object = asked();
        let mut knowledge = call(None, -60, None);
        knowledge.call.as_mut().unwrap().unreadable_since = before;
        let bound = crate::observe::bind(&object, Some(&seen), Some("S1"));
        knowledge.note(&object, &bound, &seen);
        if let Some(readable) = history {
            knowledge.note_history(&seen, None, readable);
        }
        assert_eq!(knowledge.call.unwrap().unreadable_since, after, "{name}");
    }
}

#[test]
fn the_last_result_says_more_than_the_same_row_of_the_history() {
    let full = ResultRow {
        transferred_bytes: Some(4096),
        ..result(11, status::SUCCESS)
    };
    let row = Case {
        object: running(None),
        nas: Some(lists(ended(full))),
        results: Some(history(&[(11, status::SUCCESS), (10, status::SUCCESS)])),
        ..case()
    };
    let (_, after) = row.decide(&row.object, &row.knowledge);
    assert_eq!(after.last_result.unwrap().transferred_bytes, Some(4096));
}

/// A backup that began at a second of the NAS's clock and took 50 s.
fn began(id: i64, code: i64, second: i64) -> ResultRow {
    let start = at(second).as_second();
    ResultRow {
        time_start: Some(start),
        time_end: (code != status::INCOMPLETE).then_some(start + 50),
        ..result(id, code)
    }
}

#[test]
fn a_clock_that_only_results_tell() {
    // Token `a` was asked for 100 seconds ago; one hour after the run's start, our clock, its result has aged.
    let asked = |skew| {
        let run = Run {
            requested_at: Some(time(at(-100))),
            clock_skew_seconds: skew,
            ..run_of(Origin::Request, Some(11))
        };
        task()
            .request("a")
            .receipt("a", Accepted)
            .run(run)
            .edit(|object| object.spec.triggers.max_age = GoDuration::try_from("1h".to_owned()).ok())
    };
    let untold = |task| {
        Some(Inventory {
            nas_time: None,
            ..lists(task)
        })
    };
    let done = |name, start: i64, fresh_until: i64| Case {
        name,
        object: asked(None),
        nas: untold(ended(began(11, status::SUCCESS, start))),
        request: Some(("a", Succeeded)),
        last_result: Some(11),
        next_run: Some(at(fresh_until)),
        ..case()
    };
    check(vec![
        done(
            "a start just before the run was asked for is believed",
            -220,
            3380,
        ),
        done("one long before that shows a clock behind", -221, 3500),
        done("hours behind", -10_000, 3500),
        done("one just ahead is believed", 5, 3605),
        done("one further ahead shows a clock ahead", 6, 3500),
        done("hours ahead", 10_000, 3500),
        Case {
            object: asked(Some(-9000)),
            ..done("what was told at first sight is kept where it fits", -9050, 3550)
        },
        Case {
            object: asked(Some(7200)),
            ..done("a clock that jumped before the first sight", -90, 3510)
        },
        Case {
            name: "a clock that nobody tells runs no deadline out",
            object: asked(None)
                .status(|status| status.run.as_mut().unwrap().started_at = None)
                .edit(|object| {
                    object.spec.triggers.max_age = None;
                    object.spec.active_deadline = GoDuration::try_from("10s".to_owned()).ok();
                }),
            nas: untold(Task {
                last_result: Some(began(11, status::INCOMPLETE, -90)),
                ..doing("backingup")
            }),
            request: Some(("a", Accepted)),
            run: Some(Origin::Request),
            reason: Reason::BackupRunning,
            state: State::Running,
            wake: Some(at(10)),
            ..case()
        },
    ]);
}
