//! Logins that are refused: until the Secret is mended, until the NAS is, until a block runs out.

use abb_operator::{
    api::{Reason, ReceiptOutcome},
    simulator::{Control, Fault, FaultKind},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, server, story},
    AUTH, behaving, with,
};

const WRONG: &[(&str, &str)] = &[("password", "wrong")];
const RIGHT: &[(&str, &str)] = &[("password", "simulated-password")];

fn refused(code: i64, times: u32) -> Fault {
    let refused = FaultKind::ErrorCode { code };
    Fault::new(refused).on(AUTH, "login").times(times)
}

/// The reason that shows while logins are refused; the token stays due.
pub(super) fn logins(token: &Value) -> Vec<Scenario> {
    let two_factor = |on: bool| Do::Nas(Control::Behaviour(json!({ "twoFactor": on })));
    let password = |password: &str| {
        Do::Nas(Control::Password {
            password: password.to_owned(),
        })
    };
    let ended = || Do::Nas(Control::ExpireSessions);
    vec![
        Scenario {
            secret: WRONG,
            script: vec![
                (60, Do::SeeServer(Reason::CredentialsRejected)),
                (300, Do::Secret(RIGHT)),
                (320, Do::SeeServer(Reason::Connected)),
            ],
            lasts: 500,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a wrong password that the Secret mends", token)
        },
        Scenario {
            secret: WRONG,
            script: vec![
                (60, Do::SeeServer(Reason::CredentialsRejected)),
                (300, password("wrong")),
                (3500, Do::SeeServer(Reason::CredentialsRejected)),
            ],
            lasts: 4000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a wrong password that the NAS mends", token)
        },
        Scenario {
            script: vec![
                (30, password("another")),
                (30, ended()),
                (55, Do::SeeServer(Reason::CredentialsRejected)),
                (200, Do::Secret(&[("password", "another")])),
            ],
            lasts: 500,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a password that changes in mid-run", token)
        },
        Scenario {
            nas: behaving(|b| b.two_factor = true),
            script: vec![
                (60, Do::SeeServer(Reason::SecondFactorRequired)),
                (300, two_factor(false)),
                // Whatever is changed of the used keys asks again.
                (
                    310,
                    Do::Secret(&[("device-name", "operator"), ("device-id", "none")]),
                ),
            ],
            lasts: 500,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a second factor that is asked for", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.behaviour.two_factor = true;
                // The Secret holds a seed of another account.
                nas.totp_secret = Some("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned());
            }),
            secret: &[("otp-secret", "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK")],
            script: vec![
                (60, Do::SeeServer(Reason::SecondFactorRequired)),
                (300, two_factor(false)),
            ],
            lasts: 4000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a second factor that is wrong", token)
        },
        Scenario {
            server: server(&json!({ "polling": { "active": "1m" } })),
            script: vec![
                (20, Do::Nas(Control::Block { on: true })),
                (20, ended()),
                (200, Do::See(Reason::ServerNotReady)),
                (300, Do::Nas(Control::Block { on: false })),
            ],
            lasts: 4000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a login that is blocked for a while", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![refused(411, 1)]),
            script: vec![(60, Do::SeeServer(Reason::AccountBlocked))],
            lasts: 4000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("an account that is locked for a while", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![refused(402, 1)]),
            script: vec![(60, Do::SeeServer(Reason::PermissionDenied))],
            lasts: 4000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("an account that may not log in for a while", token)
        },
        Scenario {
            // The run goes on meanwhile, and is found when the block is over.
            nas: with(|nas| nas.tasks[0].run_seconds = Some(2000.0)),
            script: vec![
                (30, Do::Nas(Control::Block { on: true })),
                (30, Do::Nas(Control::Reboot)),
                (300, Do::Nas(Control::Block { on: false })),
            ],
            lasts: 4000,
            answer: Some(ReceiptOutcome::Failed),
            ..story("a reboot and a block in mid-run", token)
        },
    ]
}
