//! Replies that are lost, late, slow or no answer at all: to a call, to the list, to the history.

use abb_operator::{
    api::{ReceiptOutcome, State},
    simulator::{BackupWhileRunning, Control, Fault, FaultKind, ResultRowAt},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, server, story},
    LOGS, TASKS, cancel, deletes_a_version,
    removals::remove_now,
    with,
};

fn slow(milliseconds: u64, before_effect: bool) -> FaultKind {
    FaultKind::Delay {
        milliseconds,
        before_effect,
    }
}

fn late(milliseconds: u64) -> FaultKind {
    FaultKind::LateEffect { milliseconds }
}

/// The replies to `backup`.
pub(super) fn to_backup(token: &Value) -> Vec<Scenario> {
    use FaultKind::{CutBody, EmptyBody, Hang, Html, Http, LoseReplyAfter, LoseReplyBefore, WrongType};
    [
        ("a backup whose reply is lost before the effect", LoseReplyBefore),
        ("a backup whose reply is lost after the effect", LoseReplyAfter),
        ("a backup whose effect is late", late(70_000)),
        ("a backup whose reply is slow", slow(15_000, false)),
        (
            "a backup whose reply comes after its deadline",
            slow(40_000, false),
        ),
        (
            "a backup that is carried out after its deadline",
            slow(40_000, true),
        ),
        ("a backup that is never answered", Hang),
        ("a backup whose reply is cut", CutBody),
        ("a backup whose reply is a login page", Html),
        ("a backup whose reply is empty", EmptyBody),
        ("a backup whose reply has the wrong type", WrongType),
        ("a backup that a gateway answers", Http { status: 502 }),
    ]
    .map(|(name, kind)| Scenario {
        nas: with(|nas| nas.faults = vec![Fault::new(kind).on(TASKS, "backup")]),
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    })
    .into()
}

/// The replies to `cancel` and `remove`.
pub(super) fn to_stops(token: &Value) -> Vec<Scenario> {
    use FaultKind::{LoseReplyAfter, LoseReplyBefore};
    let cancels = [
        // It is sent once for a token; a run that it did not reach ends by itself.
        (
            "a cancel whose reply is lost before the effect",
            LoseReplyBefore,
            ReceiptOutcome::Succeeded,
        ),
        (
            "a cancel whose reply is lost after the effect",
            LoseReplyAfter,
            ReceiptOutcome::Canceled,
        ),
        (
            "a cancel whose effect is late",
            late(60_000),
            ReceiptOutcome::Canceled,
        ),
    ]
    .map(|(name, kind, answer)| Scenario {
        nas: with(|nas| {
            nas.tasks[0].run_seconds = Some(300.0);
            nas.faults = vec![Fault::new(kind).on(TASKS, "cancel")];
        }),
        script: vec![(60, Do::Edit("task-1", cancel))],
        answer: Some(answer),
        ..story(name, token)
    });
    let removals = [
        ("a removal whose reply is lost before the effect", LoseReplyBefore),
        ("a removal whose reply is lost after the effect", LoseReplyAfter),
        ("a removal whose effect is late", late(60_000)),
    ]
    .map(|(name, kind)| Scenario {
        nas: with(|nas| nas.faults = vec![Fault::new(kind).on(TASKS, "remove")]),
        server: server(&json!({ "removals": { "allowed": true } })),
        script: vec![(10, Do::Edit("task-1", remove_now))],
        backups: 0,
        ends: State::Removed,
        lasts: 400,
        ..story(name, &json!({}))
    });
    cancels.into_iter().chain(removals).collect()
}

/// The replies to `list` in mid-run.
pub(super) fn to_list(token: &Value) -> Vec<Scenario> {
    use FaultKind::{CutBody, EmptyBody, Html, Http, LoseReplyBefore, WrongType};
    [
        ("a list whose reply is lost", LoseReplyBefore),
        // Longer than `timeouts.list`.
        ("a list that takes too long", slow(150_000, false)),
        ("a list that is cut", CutBody),
        ("a list that is a login page", Html),
        ("a list that is empty", EmptyBody),
        ("a list of the wrong type", WrongType),
        ("a list that a gateway answers", Http { status: 503 }),
    ]
    .map(|(name, kind)| {
        let fault = Fault::new(kind).on(TASKS, "list").times(2);
        Scenario {
            script: vec![(20, Do::Nas(Control::AddFault(fault)))],
            lasts: 500,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story(name, token)
        }
    })
    .into()
}

/// The replies to `list_result`, where only it can show how a run has ended.
pub(super) fn to_history(token: &Value) -> Vec<Scenario> {
    use FaultKind::{CutBody, EmptyBody, Html, Http, LoseReplyBefore, WrongType};
    [
        ("a history whose reply is lost", LoseReplyBefore),
        // Longer than `timeouts.request`.
        ("a history that takes too long", slow(30_000, false)),
        ("a history that is cut", CutBody),
        ("a history that is a login page", Html),
        ("a history that is empty", EmptyBody),
        ("a history of the wrong type", WrongType),
        ("a history that a gateway answers", Http { status: 500 }),
    ]
    .map(|(name, kind)| {
        let fault = Fault::new(kind).on(LOGS, "list_result").times(2);
        Scenario {
            nas: with(|nas| nas.tasks[0].run_seconds = Some(55.0)),
            script: vec![(52, Do::Nas(Control::AddFault(fault))), (57, deletes_a_version())],
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story(name, token)
        }
    })
    .into()
}

/// A lost reply together with something else that hides the run.
pub(super) fn together(token: &Value) -> Vec<Scenario> {
    let lost = |kind| Fault::new(kind).on(TASKS, "backup");
    vec![
        Scenario {
            nas: with(|nas| {
                nas.behaviour.result_row = ResultRowAt::AtEnd;
                nas.behaviour.emit_status = false;
                nas.behaviour.start_delay_seconds = 100.0;
                nas.faults = vec![lost(FaultKind::LoseReplyAfter)];
            }),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a lost reply, a queue and no row before the end", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.tasks[0].run_seconds = Some(3.0);
                nas.faults = vec![lost(FaultKind::LoseReplyAfter)];
            }),
            script: vec![(5, deletes_a_version())],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a lost reply and a version deletion over the whole run", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![lost(FaultKind::ErrorCodeAfter { code: 1202 })]),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a conflict that is with our own run", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.behaviour.backup_while_running = BackupWhileRunning::SuccessLogOnly;
                nas.faults = vec![lost(FaultKind::LoseReplyBefore).times(3)];
            }),
            lasts: 600,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("three backups in a row that are lost before the effect", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![lost(late(70_000))]),
            script: vec![(30, Do::Nas(Control::Reboot))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a reboot before a late effect", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![lost(FaultKind::LoseReplyAfter)]),
            script: vec![(30, Do::Nas(Control::Reboot))],
            answer: Some(ReceiptOutcome::Failed),
            ..story("a lost reply, and a reboot ends the run", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![lost(FaultKind::LoseReplyAfter)]),
            script: vec![(
                25,
                Do::Nas(Control::Clock {
                    offset_seconds: -7200,
                }),
            )],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a lost reply, and the clock jumps back", token)
        },
    ]
}
