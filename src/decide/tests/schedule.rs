//! Slots of the schedule: when one is due, what answers it, what is skipped. Every row takes place at 08:00:00 UTC.

use super::fixtures::*;
use crate::{
    api::{ReceiptOutcome::*, *},
    nas::status,
    observe::Answered,
};

const HOURLY: &str = "0 * * * *";
const BACKUP: Want = Want::Backup {
    attempt: 1,
    baseline: 10,
};

fn starts() -> Case {
    Case {
        act: BACKUP,
        answers: Some(&[TriggerKind::Schedule]),
        reason: Reason::BackupRequested,
        state: State::Waiting,
        ..case()
    }
}

fn slot(second: i64) -> TriggerRef {
    TriggerRef {
        kind: TriggerKind::Schedule,
        token: None,
        slot: Some(time(at(second))),
    }
}

fn with(object: BackupTask, change: impl FnOnce(&mut Triggers)) -> BackupTask {
    object.edit(|object| change(&mut object.spec.triggers))
}

fn duration(text: &str) -> GoDuration {
    GoDuration::try_from(text.to_owned()).unwrap()
}

/// The call of the slot of 08:00 is open, recorded 100 seconds ago.
fn slot_asked() -> BackupTask {
    let intent = Intent {
        triggers: vec![slot(0)],
        ..open(IntentAction::Backup)
    };
    task().scheduled(HOURLY, -7200, Some(-3600), 0).intent(intent)
}

#[test]
fn when_a_slot_is_due() {
    check(vec![
        Case {
            name: "first sight of a schedule starts nothing, however many slots have passed",
            object: new_task().schedule(HOURLY),
            wake: Some(at(3600)),
            next_run: Some(at(3600)),
            last_result: Some(10),
            ..case()
        },
        Case {
            name: "slots before the schedule changed do not exist",
            object: task()
                .scheduled("30 * * * *", -7200, None, -5400)
                .schedule(HOURLY),
            wake: Some(at(3600)),
            next_run: Some(at(3600)),
            ..case()
        },
        Case {
            name: "slots before the zone changed do not exist",
            object: with(task().scheduled(HOURLY, -7200, None, -3600), |triggers| {
                triggers.time_zone = "Asia/Kolkata".to_owned();
            }),
            wake: Some(at(1800)),
            next_run: Some(at(1800)),
            ..case()
        },
        Case {
            name: "a second before the slot nothing is asked",
            object: task().scheduled(HOURLY, -7200, Some(-3600), 0),
            now: at(-1),
            wake: Some(at(0)),
            next_run: Some(at(0)),
            ..case()
        },
        Case {
            name: "at the slot a run is asked for",
            object: task().scheduled(HOURLY, -7200, Some(-3600), 0),
            due: Some(at(0)),
            ..starts()
        },
        Case {
            name: "a slot needs a read of this pass",
            object: task().scheduled(HOURLY, -7200, Some(-3600), 0),
            fresh: false,
            needs: FRESH,
            ..case()
        },
        Case {
            name: "of a thousand missed slots the newest is caught up, once",
            object: task().scheduled("* * * * *", -60_000, Some(-59_940), -59_880),
            due: Some(at(0)),
            ..starts()
        },
        Case {
            name: "a slot answered while the operator was down is not asked again",
            object: task().scheduled(HOURLY, -7200, Some(0), 3600),
            next_run: Some(at(3600)),
            ..case()
        },
        Case {
            name: "no slot passed while the operator was down",
            object: task().scheduled(HOURLY, -7200, Some(-3600), 0),
            now: at(-3000),
            next_run: Some(at(0)),
            ..case()
        },
        Case {
            name: "a suspended object keeps its slot",
            object: task().scheduled(HOURLY, -7200, Some(-3600), 0).suspended(),
            reason: Reason::Suspended,
            next_run: Some(at(0)),
            ..case()
        },
        Case {
            name: "in Plan the slot is shown and not answered",
            object: task().scheduled(HOURLY, -7200, Some(-3600), 0),
            server: mode(Mode::Plan),
            reason: Reason::Planned,
            ..case()
        },
        Case {
            name: "in Observe it is not even planned",
            object: task().scheduled(HOURLY, -7200, Some(-3600), 0),
            server: mode(Mode::Observe),
            reason: Reason::Observing,
            ..case()
        },
        Case {
            name: "one run answers token and slot",
            object: task().scheduled(HOURLY, -7200, Some(-3600), 0).request("a"),
            answers: Some(&[TriggerKind::Request, TriggerKind::Schedule]),
            request: Some(("a", Accepted)),
            ..starts()
        },
        Case {
            name: "without a schedule its record goes",
            object: task().scheduled(HOURLY, -7200, None, 0).edit(|object| {
                object.spec.triggers.schedule = None;
            }),
            ..case()
        },
    ]);
}

#[test]
fn slots_that_are_too_old() {
    let late = |deadline: &str, now: i64| Case {
        object: with(task().scheduled(HOURLY, -7200, Some(-3600), 0), |triggers| {
            triggers.starting_deadline = Some(duration(deadline));
        }),
        now: at(now),
        ..case()
    };
    check(vec![
        Case {
            name: "at the deadline a slot still starts",
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            ..late("10m", 600)
        },
        Case {
            name: "a second later it is skipped",
            last_slot: Some(at(0)),
            next_run: Some(at(3600)),
            events: Some(&[Reason::SlotSkipped]),
            ..late("10m", 601)
        },
        Case {
            name: "a slot that waits wakes for its deadline",
            admission: crate::observe::Admission::Queued {
                position: 1,
                limit: 5,
            },
            reason: Reason::Queued,
            wake: Some(at(601)),
            ..late("10m", 5)
        },
        Case {
            name: "none of a thousand that passed the deadline is caught up",
            object: with(
                task().scheduled("0 0 * * *", -100_000_000, None, -99_990_000),
                |triggers| triggers.starting_deadline = Some(duration("1h")),
            ),
            last_slot: Some(at(-28_800)),
            ..case()
        },
        Case {
            name: "in Observe nothing is skipped either",
            server: mode(Mode::Observe),
            reason: Reason::Observing,
            last_slot: Some(at(-3600)),
            ..late("10m", 601)
        },
    ]);
}

#[test]
fn slots_with_jitter() {
    let jittered = |now: i64| Case {
        object: with(task().scheduled(HOURLY, -7200, Some(-3600), 0), |triggers| {
            triggers.jitter = duration("30m");
        }),
        now: at(now),
        ..case()
    };
    // Drawn from "u1" and the slot; any other draw would do, but it must stay the same in every version.
    let delay = 1_619;
    check(vec![
        Case {
            name: "before its delay has passed a slot is not due",
            wake: Some(at(delay)),
            next_run: Some(at(delay)),
            ..jittered(delay - 1)
        },
        Case {
            name: "then it is",
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            due: Some(at(delay)),
            ..jittered(delay)
        },
        Case {
            name: "while the newest slot is still delayed the one before is caught up",
            object: with(task().scheduled(HOURLY, -9000, Some(-7200), -3600), |triggers| {
                triggers.jitter = duration("30m");
            }),
            answers: Some(&[TriggerKind::Schedule]),
            now: at(1),
            act: BACKUP,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            ..case()
        },
    ]);
}

#[test]
fn what_answers_a_slot() {
    check(vec![
        Case {
            name: "the run that shows answers it",
            object: slot_asked(),
            nas: Some(lists(doing("backingup"))),
            knowledge: answered(Answered::Applied),
            reason: Reason::BackupRunning,
            state: State::Running,
            run: Some(Origin::Schedule),
            last_slot: Some(at(0)),
            next_run: Some(at(3600)),
            ..case()
        },
        Case {
            name: "while its call is open it is not due again",
            object: slot_asked(),
            knowledge: answered(Answered::Applied),
            intent: true,
            reason: Reason::BackupRequested,
            state: State::Waiting,
            last_slot: Some(at(-3600)),
            ..case()
        },
        Case {
            name: "the next slot that comes in mid-run waits",
            object: task()
                .scheduled(HOURLY, -7200, Some(-3600), 0)
                .run(run_of(Origin::Schedule, None)),
            nas: Some(lists(doing("backingup"))),
            reason: Reason::WaitingForRun,
            state: State::Running,
            run: Some(Origin::Schedule),
            ..case()
        },
        Case {
            name: "a refusal that passes leaves it due",
            object: slot_asked(),
            knowledge: answered(Answered::Refused(1105)),
            reason: Reason::BackupRefused,
            wake: Some(at(300)),
            next_attempt: Some(at(300)),
            next_run: Some(at(0)),
            last_slot: Some(at(-3600)),
            ..case()
        },
        Case {
            name: "a refusal that lasts leaves it due too, and stalls meanwhile",
            object: slot_asked(),
            knowledge: answered(Answered::Refused(1036)),
            reason: Reason::BackupRefused,
            conditions: &[(ConditionType::Stalled, "True", Reason::BackupRefused)],
            next_attempt: Some(at(300)),
            last_slot: Some(at(-3600)),
            ..case()
        },
        Case {
            name: "it is tried again after the backoff",
            object: task().scheduled(HOURLY, -7200, Some(-3600), 0).status(|status| {
                status.refusals = Some(1);
                status.next_attempt_time = Some(time(at(0)));
            }),
            ..starts()
        },
        Case {
            name: "an outcome that cannot be found out answers it and holds what comes by itself",
            object: slot_asked(),
            server: crate::observe::ServerFacts {
                serial: Some("S2".to_owned()),
                ..server()
            },
            reason: Reason::TaskReplaced,
            state: State::Missing,
            last_slot: Some(at(0)),
            ..case()
        },
        Case {
            name: "the slot after an unknown outcome does not start",
            object: task()
                .scheduled(HOURLY, -7200, Some(-3600), 0)
                .status(|status| status.unsettled = Some("i0".to_owned())),
            reason: Reason::OutcomeUnknown,
            conditions: &[(ConditionType::Stalled, "True", Reason::OutcomeUnknown)],
            ..case()
        },
        Case {
            name: "a new token moves it, and answers the slot as well",
            object: task()
                .scheduled(HOURLY, -7200, Some(-3600), 0)
                .request("b")
                .status(|status| status.unsettled = Some("i0".to_owned())),
            answers: Some(&[TriggerKind::Request, TriggerKind::Schedule]),
            request: Some(("b", Accepted)),
            ..starts()
        },
        Case {
            name: "the result of its run names the schedule",
            object: task()
                .scheduled(HOURLY, -7200, Some(0), 3600)
                .run(run_of(Origin::Schedule, Some(11))),
            nas: Some(lists(ended(result(11, status::SUCCESS)))),
            last_result: Some(11),
            ..case()
        },
    ]);
}

#[test]
fn a_schedule_that_cannot_be_used() {
    let invalid = |name, expression: &str, zone: &str| Case {
        name,
        object: with(task().schedule(expression), |triggers| {
            zone.clone_into(&mut triggers.time_zone);
        }),
        reason: Reason::InvalidSchedule,
        conditions: &[(ConditionType::Stalled, "True", Reason::InvalidSchedule)],
        ..case()
    };
    check(vec![
        invalid("31 February", "0 0 31 2 *", "Etc/UTC"),
        invalid("a zone that does not exist", "0 0 * * *", "Mars/Olympus"),
        invalid("a reversed range", "0 9-5 * * *", "Etc/UTC"),
        Case {
            act: BACKUP,
            request: Some(("a", Accepted)),
            state: State::Waiting,
            object: task().schedule("0 0 31 2 *").request("a"),
            ..invalid("the other triggers go on", "0 0 31 2 *", "Etc/UTC")
        },
    ]);
}
