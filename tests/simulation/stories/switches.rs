//! What a NAS may be like: how a dead session answers, who may use the package, an upgrade that fails, a catalogue that
//! lacks something, answers that lead elsewhere or never end.

use abb_operator::{
    api::{Reason, ReceiptOutcome, State},
    simulator::{Control, DeadSession, DsmGeneration, Fault, FaultKind, MissingToken, PackageState},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, server, story},
    TASKS, behaving, cancel,
    removals::remove_now,
    slow, with,
};

fn behaviour(of: Value) -> Do {
    Do::Nas(Control::Behaviour(of))
}

/// What a session that is gone answers: 105, 106, 107 or 119.
pub(super) fn sessions(token: &Value) -> Vec<Scenario> {
    use DeadSession::{Error105, Error106, Error107, Error119};
    let reboots = [
        ("a reboot after which sessions answer 105", Error105),
        ("a reboot after which sessions answer 106", Error106),
        ("a reboot after which sessions answer 107", Error107),
        ("a reboot after which sessions answer 119", Error119),
    ]
    .map(|(name, code)| Scenario {
        nas: behaving(|b| b.dead_session = code),
        script: vec![
            (25, Do::Nas(Control::Reboot)),
            (45, Do::SeeServer(Reason::Connected)),
            (210, Do::Entries("login", 2)),
        ],
        answer: Some(ReceiptOutcome::Failed),
        ..story(name, token)
    });
    let expiries = [
        ("an expiry after which sessions answer 105", Error105),
        ("an expiry after which sessions answer 106", Error106),
        ("an expiry after which sessions answer 107", Error107),
        ("an expiry after which sessions answer 119", Error119),
    ]
    .map(|(name, code)| Scenario {
        nas: behaving(|b| b.dead_session = code),
        script: vec![
            (25, Do::Nas(Control::ExpireSessions)),
            (45, Do::SeeServer(Reason::Connected)),
            (210, Do::Entries("login", 2)),
        ],
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    let short = [
        ("sessions of half a minute that answer 105", Error105),
        ("sessions of half a minute that answer 106", Error106),
        ("sessions of half a minute that answer 107", Error107),
        ("sessions of half a minute that answer 119", Error119),
    ]
    .map(|(name, code)| Scenario {
        nas: with(|nas| {
            nas.behaviour.dead_session = code;
            nas.session_seconds = Some(25);
        }),
        script: vec![(
            150,
            Do::Edit("task-1", |task| task.spec.triggers.request = Some("b".to_owned())),
        )],
        lasts: 400,
        backups: 2,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    reboots.into_iter().chain(expiries).chain(short).collect()
}

pub(super) fn rights(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            nas: behaving(|b| b.missing_token = MissingToken::Error103),
            script: vec![
                (25, Do::Nas(Control::ExpireSessions)),
                (200, Do::NeverAnswered("list", "103")),
                (200, Do::NeverAnswered("backup", "103")),
            ],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a missing token looks like a missing method", token)
        },
        Scenario {
            nas: behaving(|b| b.permission = false),
            script: vec![
                (30, Do::SeeServer(Reason::PermissionDenied)),
                (1000, Do::SeeServer(Reason::PermissionDenied)),
                (1000, Do::Entries("login", 2)),
                (1000, behaviour(json!({ "permission": true }))),
            ],
            lasts: 2000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a right that is given later", token)
        },
        Scenario {
            script: vec![
                (25, behaviour(json!({ "permission": false }))),
                (300, Do::SeeServer(Reason::PermissionDenied)),
                (300, behaviour(json!({ "permission": true }))),
            ],
            lasts: 1000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a right that is taken in mid-run and given back", token)
        },
        Scenario {
            script: vec![
                (
                    25,
                    behaviour(json!({ "permission": false, "deadSession": "Error105" })),
                ),
                (25, Do::Nas(Control::ExpireSessions)),
                (300, Do::SeeServer(Reason::PermissionDenied)),
                (300, behaviour(json!({ "permission": true }))),
                (300, Do::Nas(Control::ExpireSessions)),
            ],
            lasts: 1000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("105 for a right and for a session", token)
        },
    ]
}

pub(super) fn upgrades(token: &Value) -> Vec<Scenario> {
    use PackageState::{Running, UpgradeFailed, UpgradeInitialising, Upgrading};
    let package = |state| Do::Nas(Control::Package { state });
    let seen = |second| (second, Do::SeeServer(Reason::PackageNotRunning));
    let at_first = [
        ("an upgrade that is about to begin (1006)", UpgradeInitialising),
        ("an upgrade that has failed (1008)", UpgradeFailed),
    ]
    .map(|(name, state)| Scenario {
        nas: with(|nas| nas.package = state),
        script: vec![seen(100), (300, package(Running))],
        lasts: 700,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    let in_mid_run = [
        (
            "an upgrade that is about to begin in mid-run (1006)",
            UpgradeInitialising,
        ),
        ("an upgrade that has failed in mid-run (1008)", UpgradeFailed),
    ]
    .map(|(name, state)| Scenario {
        script: vec![(25, package(state)), seen(45), (300, package(Running))],
        lasts: 700,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    let refused = |code| Fault::new(FaultKind::ErrorCode { code }).on(TASKS, "backup");
    let rest = [
        Scenario {
            script: vec![
                (25, package(UpgradeInitialising)),
                (60, package(Upgrading)),
                (120, package(UpgradeFailed)),
                (240, package(Upgrading)),
                (300, package(Running)),
            ],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("an upgrade that fails once", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![refused(1008)]),
            // Somebody has to repair the package: nothing waits for that.
            script: vec![(30, Do::See(Reason::BackupRefused))],
            lasts: 700,
            backups: 0,
            answer: Some(ReceiptOutcome::Failed),
            ..story("a backup that a failed upgrade refuses", token)
        },
    ];
    at_first.into_iter().chain(in_mid_run).chain(rest).collect()
}

/// A NAS that offers less, and answers that no client should take.
pub(super) fn catalogues(token: &Value) -> Vec<Scenario> {
    let old = || behaving(|b| b.dsm_generation = DsmGeneration::Dsm6);
    let mut stories = vec![
        Scenario {
            nas: behaving(|b| b.compound = false),
            script: vec![(30, Do::Answered("request", "102"))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a NAS that takes one call at a time", token)
        },
        Scenario {
            // The session is over when the first call of a life that asks for several at once comes.
            nas: with(|nas| {
                nas.behaviour.compound_checks_inside = true;
                nas.session_seconds = Some(25);
                nas.faults = vec![slow("list", TASKS, 40_000).times(1)];
            }),
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a dead session that shows only inside of several calls", token)
        },
        Scenario {
            nas: behaving(|b| b.compound_checks_inside = true),
            script: vec![(25, Do::Nas(Control::Reboot)), (210, Do::Entries("login", 2))],
            answer: Some(ReceiptOutcome::Failed),
            ..story("a reboot of a NAS that checks each of several calls", token)
        },
        Scenario {
            nas: old(),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("an old NAS", token)
        },
        Scenario {
            nas: {
                let mut nas = old();
                nas.tasks[0].run_seconds = Some(200.0);
                nas
            },
            script: vec![(60, Do::Edit("task-1", cancel))],
            answer: Some(ReceiptOutcome::Canceled),
            ..story("a cancel at an old NAS", token)
        },
        Scenario {
            nas: old(),
            server: server(&json!({ "removals": { "allowed": true } })),
            script: vec![(10, Do::Edit("task-1", remove_now))],
            backups: 0,
            ends: State::Removed,
            lasts: 400,
            ..story("a removal at an old NAS", &json!({}))
        },
        Scenario {
            // Sessions end with the upgrade of the system, and logins are served elsewhere.
            nas: old(),
            script: vec![
                (100, behaviour(json!({ "dsmGeneration": "Dsm7" }))),
                (100, Do::Nas(Control::Reboot)),
                (
                    150,
                    Do::Edit("task-1", |task| task.spec.triggers.request = Some("b".to_owned())),
                ),
            ],
            lasts: 500,
            backups: 2,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("an old NAS that becomes a new one", token)
        },
    ];
    let elsewhere = || FaultKind::RedirectTo {
        url: "https://elsewhere.example/".to_owned(),
    };
    let large = || FaultKind::Oversize { bytes: 80_000_000 };
    let trickling = |bytes_per_second| FaultKind::Slow { bytes_per_second };
    let at_list = [
        ("a list that leads elsewhere", elsewhere()),
        ("a list that is too large", large()),
        // Longer than `timeouts.list`, and within it.
        ("a list that trickles for too long", trickling(5)),
        ("a list that trickles", trickling(500)),
    ];
    stories.extend(at_list.map(|(name, kind)| {
        let fault = Fault::new(kind).on(TASKS, "list").times(2);
        Scenario {
            script: vec![(20, Do::Nas(Control::AddFault(fault)))],
            lasts: 900,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story(name, token)
        }
    }));
    let at_backup = [
        ("a backup that leads elsewhere", elsewhere()),
        ("a backup whose reply is too large", large()),
        ("a backup whose reply trickles for too long", trickling(1)),
    ];
    stories.extend(at_backup.map(|(name, kind)| Scenario {
        nas: with(|nas| nas.faults = vec![Fault::new(kind).on(TASKS, "backup")]),
        lasts: 500,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    }));
    stories
}
