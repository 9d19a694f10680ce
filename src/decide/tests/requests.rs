//! Tokens that ask for a run: when they are due, what answers them, what keeps them waiting.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    nas::{job_action, status},
    observe::{Admission, Claim, Queue},
};

const BACKUP: Want = Want::Backup {
    attempt: 1,
    baseline: 10,
};

#[test]
fn a_token_asks_for_one_run() {
    check(vec![
        Case {
            name: "without a token nothing is asked",
            ..case()
        },
        Case {
            name: "a new token is accepted with its call",
            object: task().request("a"),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "a token on an object never seen before asks as well",
            object: new_task().request("a"),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            last_result: Some(10),
            ..case()
        },
        Case {
            name: "first sight of an object without a token starts nothing",
            object: new_task(),
            last_result: Some(10),
            ..case()
        },
        Case {
            name: "the token needs a read of this pass",
            object: task().request("a"),
            fresh: false,
            needs: FRESH,
            ..case()
        },
        Case {
            name: "a token that was answered asks no more",
            object: task().request("a").receipt("a", Succeeded),
            request: Some(("a", Succeeded)),
            ..case()
        },
        Case {
            name: "another token after an answered one asks again",
            object: task().request("b").receipt("a", Succeeded),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("b", Accepted)),
            ..case()
        },
        Case {
            name: "a token that was accepted and has neither call nor run is still due",
            object: task().request("a").receipt("a", Accepted),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "a token changed in mid-run waits and loses neither",
            object: running(Some(11)).request("b"),
            nas: Some(lists(ended(result(11, status::INCOMPLETE)))),
            reason: Reason::WaitingForRun,
            state: State::Running,
            run: Some(Origin::Request),
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "a token changed in mid-run starts once the run has ended",
            object: running(Some(11)).request("b"),
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("b", Accepted)),
            last_result: Some(11),
            ..case()
        },
        Case {
            name: "the annotation's token has its own receipt",
            object: task().annotate(ANNOTATION_BACKUP, "x"),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            annotation: Some(("x", Accepted)),
            ..case()
        },
        Case {
            name: "one run answers both tokens",
            object: task().request("a").annotate(ANNOTATION_BACKUP, "x"),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            annotation: Some(("x", Accepted)),
            ..case()
        },
        Case {
            name: "an empty annotation is no token",
            object: task().annotate(ANNOTATION_BACKUP, ""),
            ..case()
        },
        Case {
            name: "behind a version deletion no earlier row counts as the call's",
            object: task().request("a"),
            nas: Some(lists(ended(deletion(12)))),
            knowledge: crate::observe::Knowledge {
                history_read_behind: Some(crate::nas::ResultId(12)),
                ..Default::default()
            },
            act: Want::Backup {
                attempt: 1,
                baseline: 12,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "where the list shows no result the history has the baseline",
            object: task().request("a"),
            nas: Some(lists(crate::nas::Task {
                last_result: None,
                ..row()
            })),
            needs: HISTORY,
            ..case()
        },
        Case {
            name: "which may be a run of an earlier task of that number",
            object: task().request("a"),
            nas: Some(lists(crate::nas::Task {
                last_result: None,
                ..row()
            })),
            results: Some(vec![result(12, status::FAILED)]),
            act: Want::Backup {
                attempt: 1,
                baseline: 12,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "where that shows none either the last known one is the baseline",
            object: task().request("a"),
            results: Some(vec![]),
            nas: Some(lists(crate::nas::Task {
                last_result: None,
                ..row()
            })),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
    ]);
}

#[test]
fn a_request_ends_at_its_limit() {
    check(vec![
        Case {
            name: "a request past requestNotAfter is expired, never run",
            object: task().request("a").not_after(-1),
            request: Some(("a", Expired)),
            events: Some(&[Reason::RequestExpired]),
            ..case()
        },
        Case {
            name: "at the limit itself it still runs",
            object: task().request("a").not_after(0),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "a waiting request wakes the second after its limit",
            object: task().request("a").not_after(30),
            nas: Some(lists(doing("backingup"))),
            reason: Reason::WaitingForRun,
            state: State::Running,
            run: Some(Origin::External),
            wake: Some(at(31)),
            ..case()
        },
        Case {
            name: "a suspended request expires all the same",
            object: task().request("a").not_after(-1).suspended(),
            reason: Reason::Suspended,
            request: Some(("a", Expired)),
            ..case()
        },
        Case {
            name: "in Plan an expired request is neither planned nor answered",
            object: task().request("a").not_after(-1),
            server: mode(Mode::Plan),
            ..case()
        },
        Case {
            name: "a request refused for a while expires before the next attempt",
            object: task()
                .request("a")
                .receipt("a", Accepted)
                .not_after(-1)
                .status(|status| {
                    status.next_attempt_time = Some(time(at(100)));
                    status.refusals = Some(1);
                    status.refusals = Some(2);
                }),
            request: Some(("a", Expired)),
            ..case()
        },
        Case {
            name: "the limit does not bind the annotation's token",
            object: task().request("a").not_after(-1).annotate(ANNOTATION_BACKUP, "x"),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Expired)),
            annotation: Some(("x", Accepted)),
            ..case()
        },
    ]);
}

#[test]
fn a_token_that_is_a_time() {
    let leak = |second| -> &'static str { Box::leak(token_at(second).into_boxed_str()) };
    check(vec![
        Case {
            name: "is not due before it",
            object: task().request(leak(10)),
            wake: Some(at(10)),
            ..case()
        },
        Case {
            name: "is due at it",
            object: task().request(leak(0)),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some((leak(0), Accepted)),
            ..case()
        },
        Case {
            name: "is satisfied by a successful run that started at it",
            object: task().request(leak(-3600)),
            request: Some((leak(-3600), AlreadySatisfied)),
            ..case()
        },
        Case {
            name: "is not satisfied by one that started a second earlier",
            object: task().request(leak(-3599)),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some((leak(-3599), Accepted)),
            ..case()
        },
        Case {
            name: "is satisfied at first sight, so that a cluster created anew repeats nothing",
            object: new_task().request(leak(-7200)),
            request: Some((leak(-7200), AlreadySatisfied)),
            ..case()
        },
        Case {
            name: "is satisfied by a success that stands behind a failure",
            object: new_task().request(leak(-7200)),
            nas: Some(lists(ended(result(11, status::FAILED)))),
            results: Some(vec![result(11, status::FAILED), result(10, status::SUCCESS)]),
            request: Some((leak(-7200), AlreadySatisfied)),
            last_result: Some(11),
            ..case()
        },
        Case {
            name: "waits for the result of a run in progress",
            object: task().request(leak(-100)),
            nas: Some(lists(doing("backingup"))),
            reason: Reason::WaitingForRun,
            state: State::Running,
            run: Some(Origin::External),
            ..case()
        },
        Case {
            name: "is not satisfied by a run first seen after its end, while the clocks differed by more than 5 s",
            object: task().request(leak(-7200)).success_seen(Some(6), false),
            nas: Some(crate::observe::Inventory {
                nas_time: Some(at(6)),
                ..lists(row())
            }),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some((leak(-7200), Accepted)),
            ..case()
        },
        Case {
            name: "is satisfied by a run that was seen in flight, by its corrected time",
            object: task().request(leak(-3606)).success_seen(Some(6), true),
            request: Some((leak(-3606), AlreadySatisfied)),
            ..case()
        },
        Case {
            name: "is not satisfied by one that began before it by the corrected time",
            object: task().request(leak(-3605)).success_seen(Some(6), true),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some((leak(-3605), Accepted)),
            ..case()
        },
        Case {
            name: "is judged by NAS times as they are while the clocks differ by 5 s",
            object: task().request(leak(-3605)),
            nas: Some(crate::observe::Inventory {
                nas_time: Some(at(5)),
                ..lists(row())
            }),
            request: Some((leak(-3605), AlreadySatisfied)),
            ..case()
        },
        Case {
            name: "is not answered in Plan",
            object: task().request(leak(-7200)),
            server: mode(Mode::Plan),
            ..case()
        },
    ]);
}

#[test]
fn what_keeps_a_due_token_waiting() {
    check(vec![
        Case {
            name: "a run in progress",
            object: task().request("a"),
            nas: Some(lists(doing("backingup"))),
            reason: Reason::WaitingForRun,
            state: State::Running,
            run: Some(Origin::External),
            ..case()
        },
        Case {
            name: "a run that shows in the queue alone",
            object: task().request("a"),
            nas: Some(with_queue(row(), job(job_action::BACKUP, 1))),
            reason: Reason::WaitingForRun,
            state: State::Waiting,
            run: Some(Origin::External),
            ..case()
        },
        Case {
            name: "an unfinished row that may be a run",
            object: task().request("a"),
            nas: Some(lists(ended(result(11, status::INCOMPLETE)))),
            reason: Reason::WaitingForRun,
            state: State::Running,
            run: Some(Origin::External),
            ..case()
        },
        Case {
            name: "not an unfinished row that stayed for the settling time",
            object: task().request("a"),
            nas: Some(lists(ended(result(11, status::INCOMPLETE)))),
            knowledge: quiet_since(-SETTLE),
            act: Want::Backup {
                attempt: 1,
                baseline: 11,
            },
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "suspend",
            object: task().request("a").suspended(),
            reason: Reason::Suspended,
            ..case()
        },
        Case {
            name: "the annotation that suspends",
            object: task().request("a").annotate(ANNOTATION_SUSPENDED, "true"),
            reason: Reason::Suspended,
            ..case()
        },
        Case {
            name: "not an annotation that says something else",
            object: task().request("a").annotate(ANNOTATION_SUSPENDED, "false"),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "Plan: what would be sent stands in the condition and in one Event",
            object: task().request("a"),
            server: mode(Mode::Plan),
            reason: Reason::Planned,
            conditions: &[(ConditionType::Ready, "True", Reason::Planned)],
            events: Some(&[Reason::Planned]),
            ..case()
        },
        Case {
            name: "Observe: nothing is even planned",
            object: task().request("a"),
            server: mode(Mode::Observe),
            reason: Reason::Observing,
            ..case()
        },
        Case {
            name: "an older object that acts for the same task",
            object: task().request("a"),
            claim: Claim {
                owner: Some("elder".to_owned()),
                other: None,
            },
            reason: Reason::TaskClaimed,
            conditions: &[(ConditionType::Stalled, "True", Reason::TaskClaimed)],
            ..case()
        },
        Case {
            name: "a NAS that could not be read",
            object: task().request("a"),
            reach: failing(1),
            reason: Reason::ServerNotReady,
            ..case()
        },
        Case {
            name: "a BackupServer that is being deleted",
            object: task().request("a"),
            server: crate::observe::ServerFacts {
                deleting: true,
                ..server()
            },
            reason: Reason::ServerNotReady,
            ..case()
        },
        Case {
            name: "its place in the server's queue",
            object: task().request("a"),
            admission: Admission::Queued {
                position: 2,
                limit: 5,
            },
            reason: Reason::Queued,
            ..case()
        },
        Case {
            name: "the next attempt after a refusal",
            object: task().request("a").receipt("a", Accepted).status(|status| {
                status.next_attempt_time = Some(time(at(1)));
                status.refusals = Some(1);
            }),
            reason: Reason::BackupRefused,
            request: Some(("a", Accepted)),
            wake: Some(at(1)),
            ..case()
        },
        Case {
            name: "not the next attempt once its time has come",
            object: task().request("a").receipt("a", Accepted).status(|status| {
                status.next_attempt_time = Some(time(at(0)));
                status.refusals = Some(1);
            }),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "not a queue that cannot be read",
            object: task().request("a"),
            nas: Some(with_queue(row(), Queue::Unreadable)),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
        Case {
            name: "the deletion of its object",
            object: task().request("a").edit(|object| {
                object.metadata.deletion_timestamp = Some(time(at(0)));
            }),
            ..case()
        },
        Case {
            name: "a removal that is asked for now",
            object: task().request("a").removal(RemovalWhen::Now, "wrong"),
            reason: Reason::RemovalNotConfirmed,
            ..case()
        },
        Case {
            name: "not a removal whose time has passed",
            object: task()
                .request("a")
                .removal(RemovalWhen::Now, "k7")
                .edit(|o| o.spec.removal.not_after = Some(time(at(-1)))),
            act: BACKUP,
            reason: Reason::RemovalNotAllowed,
            state: State::Waiting,
            request: Some(("a", Accepted)),
            ..case()
        },
    ]);
}
