//! Sessions that are over, tokens and rights that are refused, and a package that is stopped or upgraded.

use abb_operator::{
    api::{Reason, ReceiptOutcome, State},
    simulator::{Control, Fault, FaultKind, PackageState},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, server, story},
    INFO, OVERVIEW, TASKS, cancel,
    removals::remove_now,
    with,
};

fn code(code: i64) -> Fault {
    Fault::new(FaultKind::ErrorCode { code })
}

/// The codes that a session ends with, at each kind of call.
pub(super) fn codes(token: &Value) -> Vec<Scenario> {
    let at_list = [
        ("105 at a list", 105),
        ("106 at a list", 106),
        ("107 at a list", 107),
        ("119 at a list", 119),
        ("150 at a list", 150),
    ]
    .map(|(name, number)| Scenario {
        script: vec![
            (20, Do::Nas(Control::AddFault(code(number).on(TASKS, "list")))),
            (45, Do::SeeServer(Reason::Connected)),
        ],
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    let at_backup = [
        ("105 at a backup", 105),
        ("106 at a backup", 106),
        ("107 at a backup", 107),
        ("119 at a backup", 119),
        ("150 at a backup", 150),
    ]
    .map(|(name, number)| Scenario {
        nas: with(|nas| nas.faults = vec![code(number).on(TASKS, "backup")]),
        script: vec![(30, Do::See(Reason::BackupRunning))],
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    let at_the_queue = [
        ("105 at the queue", 105),
        ("106 at the queue", 106),
        ("107 at the queue", 107),
        ("119 at the queue", 119),
        ("150 at the queue", 150),
    ]
    .map(|(name, number)| Scenario {
        script: vec![(
            20,
            Do::Nas(Control::AddFault(code(number).on(OVERVIEW, "list_activity"))),
        )],
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    // The catalogue needs no login; what it does not tell is taken to be as usual.
    let without_a_login = [
        ("105 at the catalogue", 105),
        ("106 at the catalogue", 106),
        ("107 at the catalogue", 107),
        ("119 at the catalogue", 119),
        ("150 at the catalogue", 150),
    ]
    .map(|(name, number)| Scenario {
        nas: with(|nas| nas.faults = vec![code(number).on(INFO, "query")]),
        script: vec![(30, Do::SeeServer(Reason::Connected))],
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    at_list
        .into_iter()
        .chain(at_backup)
        .chain(at_the_queue)
        .chain(without_a_login)
        .collect()
}

/// Sessions that end at another moment.
pub(super) fn endings(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            // The token alone is refused, twice: the session is as good as before.
            nas: with(|nas| nas.faults = vec![code(119).on(TASKS, "backup").times(2)]),
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a token that is refused at a backup", token)
        },
        Scenario {
            nas: with(|nas| nas.session_seconds = Some(25)),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("sessions that live for half a minute", token)
        },
        Scenario {
            nas: with(|nas| nas.syno_token_enforced = false),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a NAS that asks for no token", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.tasks[0].run_seconds = Some(200.0);
                nas.faults = vec![Fault::new(FaultKind::ExpireSession).on(TASKS, "cancel")];
            }),
            script: vec![(60, Do::Edit("task-1", cancel))],
            answer: Some(ReceiptOutcome::Canceled),
            ..story("a session that is over at a cancel", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.faults = vec![Fault::new(FaultKind::ExpireSession).on(TASKS, "remove")];
            }),
            server: server(&json!({ "removals": { "allowed": true } })),
            script: vec![(10, Do::Edit("task-1", remove_now))],
            backups: 0,
            ends: State::Removed,
            lasts: 400,
            ..story("a session that is over at a removal", &json!({}))
        },
        Scenario {
            // A new session changes nothing: the account lacks the right, until somebody gives it.
            nas: with(|nas| nas.faults = vec![code(105).on(TASKS, "list").times(6)]),
            script: vec![(25, Do::SeeServer(Reason::PermissionDenied))],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a right that is missing for a while", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![code(105).on("SYNO.DSM.Info", "getinfo").times(0)]),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a NAS that does not tell who it is", token)
        },
    ]
}

/// A package that does not run, or not yet again.
pub(super) fn package(token: &Value) -> Vec<Scenario> {
    let package = |state| Do::Nas(Control::Package { state });
    vec![
        Scenario {
            script: vec![
                (0, package(PackageState::Stopped)),
                (100, Do::SeeServer(Reason::PackageNotRunning)),
                (300, package(PackageState::Running)),
            ],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a package that is stopped", token)
        },
        Scenario {
            script: vec![
                (30, package(PackageState::Stopped)),
                (55, Do::SeeServer(Reason::PackageNotRunning)),
                (300, package(PackageState::Running)),
            ],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a package that is stopped in mid-run", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![code(102).on(TASKS, "backup")]),
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a package that is stopped at a backup", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![code(1006).on(TASKS, "list").times(3)]),
            script: vec![(15, Do::SeeServer(Reason::PackageNotRunning))],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a package that prepares an upgrade", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![code(1006).on(TASKS, "backup")]),
            script: vec![(30, Do::See(Reason::BackupRefused))],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a backup that an upgrade to come refuses", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![code(1007).on(TASKS, "backup")]),
            script: vec![(30, Do::See(Reason::BackupRefused))],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a backup that an upgrade refuses", token)
        },
        Scenario {
            script: vec![
                (0, package(PackageState::Upgrading)),
                (100, Do::See(Reason::ServerNotReady)),
                (300, package(PackageState::Running)),
            ],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a package that is being upgraded", token)
        },
        Scenario {
            script: vec![
                (30, package(PackageState::Upgrading)),
                (300, package(PackageState::Running)),
            ],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a package that is upgraded in mid-run", token)
        },
    ]
}
