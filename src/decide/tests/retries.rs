//! Further attempts after a failed run: how many, when, and what ends them.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    nas::{ResultRow, Task, status},
};

/// Result 11, which ended at that second.
fn row_11(code: i64, ended_at: i64) -> Task {
    ended(ResultRow {
        time_start: Some(at(ended_at - 50).as_second()),
        time_end: Some(at(ended_at).as_second()),
        ..result(11, code)
    })
}

fn retry() -> TriggerRef {
    TriggerRef {
        kind: TriggerKind::Retry,
        token: None,
        slot: None,
    }
}

/// Token `a` was answered by a run that failed.
fn answered_badly() -> BackupTask {
    let receipt = Receipt {
        result_id: Some(9),
        ..receipt("a", Failed)
    };
    task()
        .request("a")
        .status(|status| status.receipts.get_or_insert_default().request = Some(receipt))
}

fn attempt(object: BackupTask, number: i32) -> BackupTask {
    object.status(|status| status.retry_attempt = Some(number))
}

/// The run of token `a` has failed at that second; attempt `number` is pending.
fn failed(ended_at: i64, number: i32) -> Case {
    Case {
        object: attempt(
            answered_badly().retries(3).failed(ended_at, i64::from(number)),
            number,
        ),
        nas: Some(lists(row_11(status::FAILED, ended_at))),
        request: Some(("a", Failed)),
        ..case()
    }
}

fn starts(case: Case) -> Case {
    Case {
        act: Want::Backup {
            attempt: 1,
            baseline: 11,
        },
        answers: Some(&[TriggerKind::Retry]),
        reason: Reason::BackupRequested,
        state: State::Waiting,
        ..case
    }
}

fn over(name: &'static str, object: BackupTask, code: i64, outcome: ReceiptOutcome) -> Case {
    Case {
        name,
        object,
        nas: Some(lists(row_11(code, -10))),
        request: Some(("a", outcome)),
        last_result: Some(11),
        ..case()
    }
}

#[test]
fn a_failed_run_is_tried_again() {
    let own = |retries| running(Some(11)).retries(retries);
    let retried = |number, retries| {
        attempt(
            answered_badly().retries(retries).run(Run {
                triggers: vec![retry()],
                ..run_of(Origin::Retry, Some(11))
            }),
            number,
        )
    };
    check(vec![
        Case {
            next_attempt: Some(at(290)),
            wake: Some(at(290)),
            next_run: Some(at(290)),
            ..over(
                "a failed run is to be tried again after retryBackoff",
                own(1),
                status::FAILED,
                Failed,
            )
        },
        over("without retries it is not", own(0), status::FAILED, Failed),
        over(
            "a success needs no other attempt",
            own(1),
            status::SUCCESS,
            Succeeded,
        ),
        over(
            "a cancelled run is not tried again",
            own(1),
            status::CANCELED,
            Canceled,
        ),
        over(
            "nor one whose result means nothing known",
            own(1),
            99,
            ResultUnknown,
        ),
        Case {
            next_attempt: Some(at(290)),
            ..over(
                "a partial success is tried again",
                own(1),
                status::PARTIAL,
                Failed,
            )
        },
        over(
            "unless it counts as a success",
            own(1).edit(|object| object.spec.partial_is_success = true),
            status::PARTIAL,
            Succeeded,
        ),
        Case {
            request: None,
            ..over(
                "a run that nobody here asked for is not tried again",
                task().retries(1).run(run_of(Origin::External, Some(11))),
                status::FAILED,
                Failed,
            )
        },
        Case {
            next_attempt: Some(at(590)),
            ..over(
                "the second attempt comes after twice the time",
                retried(1, 2),
                status::FAILED,
                Failed,
            )
        },
        over(
            "after the last attempt there is none",
            retried(2, 2),
            status::FAILED,
            Failed,
        ),
        over(
            "an attempt that succeeds ends them",
            retried(1, 2),
            status::SUCCESS,
            Failed,
        ),
    ]);
}

#[test]
fn when_an_attempt_starts() {
    check(vec![
        Case {
            name: "not before its time",
            next_attempt: Some(at(1)),
            wake: Some(at(1)),
            ..failed(-299, 1)
        },
        Case {
            name: "at its time, as a run of its own kind",
            due: Some(at(0)),
            ..starts(failed(-300, 1))
        },
        Case {
            name: "a new token does not wait for it, and begins a count of its own",
            object: failed(-299, 2).object.request("b"),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            answers: Some(&[TriggerKind::Request]),
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("b", Accepted)),
            ..failed(-299, 2)
        },
        Case {
            name: "fewer retries in the spec end it",
            object: failed(-300, 2).object.retries(1),
            ..failed(-300, 2)
        },
        Case {
            name: "a success from elsewhere ends it",
            nas: Some(lists(result_12())),
            last_result: Some(12),
            ..failed(-300, 1)
        },
        Case {
            name: "suspend holds it",
            object: failed(-300, 1).object.suspended(),
            reason: Reason::Suspended,
            ..failed(-300, 1)
        },
        Case {
            name: "an unknown outcome holds it",
            object: failed(-300, 1)
                .object
                .status(|status| status.unsettled = Some("i0".to_owned())),
            reason: Reason::OutcomeUnknown,
            ..failed(-300, 1)
        },
    ]);
}

fn result_12() -> Task {
    ended(result(12, status::SUCCESS))
}
