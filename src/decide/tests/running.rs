//! A trigger or a removal meets a run in progress; a run that goes on for too long.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    nas::status,
    observe::{Answered, Knowledge},
};

fn external() -> BackupTask {
    task().request("a").run(run_of(Origin::External, None))
}

fn meets(object: BackupTask) -> Case {
    Case {
        object,
        nas: Some(lists(doing("backingup"))),
        run: Some(Origin::External),
        reason: Reason::BackupRunning,
        state: State::Running,
        ..case()
    }
}

fn stopping(object: BackupTask, why: StopReason) -> BackupTask {
    object.status(|status| {
        if let Some(run) = &mut status.run {
            run.stopping = Some(why);
        }
    })
}

/// The run of token `a`, which began 90 seconds before every row.
fn own(limit: &str) -> Case {
    Case {
        object: running(None).active_deadline(limit),
        nas: Some(lists(doing("backingup"))),
        run: Some(Origin::Request),
        reason: Reason::BackupRunning,
        state: State::Running,
        request: Some(("a", Accepted)),
        ..case()
    }
}

#[test]
fn adopt_lets_the_run_in_progress_answer() {
    let adopting = || external().when_running(WhenRunning::Adopt);
    let adopted = || {
        adopting().receipt("a", Accepted).status(|status| {
            let run = status.run.as_mut().unwrap();
            run.triggers = vec![trigger(TriggerKind::Request, "a")];
            run.result_id = Some(11);
        })
    };
    check(vec![
        Case {
            name: "a due token joins the run in progress; nothing is sent",
            request: Some(("a", Accepted)),
            answers: Some(&[TriggerKind::Request]),
            ..meets(adopting())
        },
        Case {
            name: "it needs a read of this pass",
            fresh: false,
            needs: FRESH,
            ..meets(adopting())
        },
        Case {
            name: "a slot joins too, and is answered",
            object: task()
                .scheduled("0 * * * *", -7200, Some(-3600), 0)
                .run(run_of(Origin::External, None))
                .when_running(WhenRunning::Adopt),
            answers: Some(&[TriggerKind::Schedule]),
            last_slot: Some(at(0)),
            ..meets(task())
        },
        Case {
            name: "the result of the run answers the token",
            object: adopted(),
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            request: Some(("a", Succeeded)),
            last_result: Some(11),
            ..case()
        },
        Case {
            name: "a run that is being cancelled is not adopted",
            object: adopting(),
            nas: Some(lists(doing("canceling"))),
            run: Some(Origin::External),
            reason: Reason::WaitingForRun,
            state: State::Canceling,
            ..case()
        },
        Case {
            name: "in Plan nothing is receipted",
            server: mode(Mode::Plan),
            reason: Reason::Planned,
            answers: Some(&[]),
            ..meets(adopting())
        },
        Case {
            name: "a suspended object adopts nothing",
            object: adopting().suspended(),
            reason: Reason::Suspended,
            answers: Some(&[]),
            ..meets(task())
        },
        Case {
            name: "with nothing in progress a run is asked for as always",
            object: task().request("a").when_running(WhenRunning::Adopt),
            act: Want::Backup {
                attempt: 1,
                baseline: 10,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
    ]);
}

#[test]
fn replace_cancels_the_run_in_progress() {
    let replacing = || external().when_running(WhenRunning::Replace);
    check(vec![
        Case {
            name: "a due token cancels the run in progress and stays due",
            act: Want::Cancel { attempt: 1 },
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..meets(replacing())
        },
        Case {
            name: "it needs a read of this pass",
            fresh: false,
            needs: FRESH,
            ..meets(replacing())
        },
        Case {
            name: "while the cancel is under way nothing starts",
            object: stopping(replacing(), StopReason::Replace).intent(open(IntentAction::Cancel)),
            knowledge: answered(Answered::Applied),
            intent: true,
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..meets(task())
        },
        Case {
            name: "when the run has ended the token starts",
            object: stopping(replacing(), StopReason::Replace)
                .status(|status| status.run.as_mut().unwrap().result_id = Some(11))
                .intent(open(IntentAction::Cancel)),
            nas: Some(lists(ended(result(11, status::CANCELED)))),
            knowledge: answered(Answered::Applied),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            last_result: Some(11),
            ..case()
        },
        Case {
            name: "the run that answers a token is not replaced by it",
            object: running(None).when_running(WhenRunning::Replace),
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            ..meets(task())
        },
        Case {
            name: "another token replaces our own run, too",
            object: running(None).request("b").when_running(WhenRunning::Replace),
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            act: Want::Cancel { attempt: 1 },
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..meets(task())
        },
        Case {
            name: "a refused cancel is tried again later",
            object: stopping(replacing(), StopReason::Replace).intent(open(IntentAction::Cancel)),
            knowledge: answered(Answered::Refused(1011)),
            reason: Reason::CancelRefused,
            next_attempt: Some(at(300)),
            wake: Some(at(300)),
            ..meets(task())
        },
        Case {
            name: "in Plan it is only said",
            server: mode(Mode::Plan),
            reason: Reason::Planned,
            ..meets(replacing())
        },
        Case {
            name: "a removal with Replace cancels the run first",
            object: task()
                .removal(RemovalWhen::Now, "k7")
                .run(run_of(Origin::External, None))
                .when_running(WhenRunning::Replace),
            act: Want::Cancel { attempt: 1 },
            reason: Reason::WaitingForRun,
            state: State::Canceling,
            ..meets(task())
        },
        Case {
            name: "without Replace it waits",
            object: task()
                .removal(RemovalWhen::Now, "k7")
                .run(run_of(Origin::External, None)),
            reason: Reason::WaitingForRun,
            ..meets(task())
        },
    ]);
}

#[test]
fn a_run_that_goes_on_for_too_long() {
    let stopped = |why| stopping(running(Some(11)), why).active_deadline("1m");
    let ended_by = |name, why, code, outcome| Case {
        name,
        object: stopped(why).intent(open(IntentAction::Cancel)),
        nas: Some(lists(ended(result(11, code)))),
        knowledge: answered(Answered::Applied),
        request: Some(("a", outcome)),
        last_result: Some(11),
        ..case()
    };
    check(vec![
        Case {
            name: "a second before the deadline nothing happens",
            wake: Some(at(1)),
            ..own("91s")
        },
        Case {
            name: "at the deadline the run is cancelled",
            act: Want::Cancel { attempt: 1 },
            reason: Reason::CancelRequested,
            state: State::Canceling,
            events: Some(&[Reason::DeadlineExceeded, Reason::CancelRequested]),
            ..own("90s")
        },
        Case {
            name: "it needs a read of this pass",
            fresh: false,
            needs: FRESH,
            ..own("90s")
        },
        Case {
            name: "a queued run is not running",
            nas: Some(lists(doing("waiting"))),
            state: State::Waiting,
            ..own("1s")
        },
        Case {
            name: "a run that nobody here asked for counts as well",
            object: task().run(run_of(Origin::External, None)).active_deadline("90s"),
            act: Want::Cancel { attempt: 1 },
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..meets(task())
        },
        Case {
            name: "suspend holds the cancel back",
            object: running(None).active_deadline("90s").suspended(),
            reason: Reason::Suspended,
            ..own("90s")
        },
        Case {
            name: "in Plan it is only said",
            server: mode(Mode::Plan),
            reason: Reason::Planned,
            ..own("90s")
        },
        ended_by(
            "its end is DeadlineExceeded",
            StopReason::Deadline,
            status::CANCELED,
            DeadlineExceeded,
        ),
        ended_by(
            "a run that won counts as it ended",
            StopReason::Deadline,
            status::SUCCESS,
            Succeeded,
        ),
        ended_by(
            "a cancel token's is Canceled",
            StopReason::Request,
            status::CANCELED,
            Canceled,
        ),
        Case {
            object: stopped(StopReason::Deadline)
                .retries(1)
                .intent(open(IntentAction::Cancel)),
            nas: Some(lists(ended(crate::nas::ResultRow {
                time_end: Some(at(-10).as_second()),
                ..result(11, status::CANCELED)
            }))),
            next_attempt: Some(at(290)),
            ..ended_by(
                "retries apply",
                StopReason::Deadline,
                status::CANCELED,
                DeadlineExceeded,
            )
        },
        Case {
            name: "a cancel that certainly did not happen is asked for again",
            object: stopping(running(None), StopReason::Deadline)
                .active_deadline("90s")
                .intent(open(IntentAction::Cancel)),
            knowledge: call(Some(Answered::Unknown), -100, Some(-40)),
            act: Want::Cancel { attempt: 1 },
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..own("90s")
        },
        Case {
            name: "a token's cancel is sent once whatever became of it",
            object: stopping(running(None), StopReason::Request)
                .cancel("x")
                .cancel_receipt("x", Accepted)
                .intent(open(IntentAction::Cancel)),
            knowledge: call(Some(Answered::Unknown), -100, Some(-40)),
            cancel: Some(("x", Accepted)),
            ..own("1h")
        },
        Case {
            name: "one that was lost keeps no other token from the run",
            object: stopping(running(None), StopReason::Request)
                .cancel("y")
                .cancel_receipt("x", Accepted),
            act: Want::Cancel { attempt: 1 },
            cancel: Some(("y", Accepted)),
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..own("1h")
        },
        Case {
            name: "nor the deadline",
            object: stopping(running(None), StopReason::Request)
                .cancel("x")
                .cancel_receipt("x", Accepted)
                .active_deadline("10s"),
            act: Want::Cancel { attempt: 1 },
            cancel: Some(("x", Accepted)),
            reason: Reason::CancelRequested,
            state: State::Canceling,
            ..own("10s")
        },
        Case {
            name: "a run cancelled in the queue leaves no row",
            object: stopping(running(None), StopReason::Request)
                .cancel("x")
                .cancel_receipt("x", Accepted)
                .intent(open(IntentAction::Cancel)),
            results: Some(vec![result(10, status::SUCCESS)]),
            knowledge: Knowledge {
                quiet_since: Some(at(-60)),
                ..answered(Answered::Applied)
            },
            cancel: Some(("x", Canceled)),
            request: Some(("a", Canceled)),
            ..case()
        },
        Case {
            name: "the start that a trusted clock tells counts, not when the run was first seen",
            object: task().active_deadline("10m").run(Run {
                started_at: None,
                ..run_of(Origin::External, None)
            }),
            nas: Some(lists(crate::nas::Task {
                status: Some("backingup".to_owned()),
                last_result: Some(crate::nas::ResultRow {
                    time_start: Some(at(-500).as_second()),
                    ..result(11, status::INCOMPLETE)
                }),
                ..row()
            })),
            wake: Some(at(100)),
            ..meets(task())
        },
    ]);
}
