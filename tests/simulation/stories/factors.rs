//! Second factors with a true seed, and logins that are refused with a code of every kind: none may be repeated so often
//! that the NAS blocks them.

use abb_operator::{
    api::{Reason, ReceiptOutcome},
    simulator::{self, Control},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, story},
    behaving, with,
};

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const ANOTHER: &str = "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK";
const WITH_SEED: &[(&str, &str)] = &[("otp-secret", SEED)];
const WITH_ANOTHER: &[(&str, &str)] = &[("otp-secret", ANOTHER)];
const RIGHT: &[(&str, &str)] = &[("password", "simulated-password")];

/// A NAS that takes the codes of a seed.
fn seeded() -> simulator::Scenario {
    with(|nas| {
        nas.behaviour.two_factor = true;
        nas.totp_secret = Some(SEED.to_owned());
    })
}

/// The story of the seed, for other tests.
pub fn with_seed(name: &'static str, token: &Value) -> Scenario {
    Scenario {
        nas: seeded(),
        secret: WITH_SEED,
        lasts: 400,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    }
}

/// A seed that is changed at the NAS, and at that second in the Secret.
#[allow(dead_code, reason = "the test's")]
pub fn reseeded(mended: u64) -> Scenario {
    Scenario {
        script: vec![
            (200, settings(json!({ "totpSecret": ANOTHER }))),
            (200, ended()),
            (mended, Do::SeeServer(Reason::SecondFactorRequired)),
            (mended, Do::Secret(WITH_ANOTHER)),
        ],
        ..with_seed("a seed that is changed", &json!({}))
    }
}

fn ended() -> Do {
    Do::Nas(Control::ExpireSessions)
}

fn settings(of: Value) -> Do {
    Do::Nas(Control::Settings(of))
}

fn behaviour(of: Value) -> Do {
    Do::Nas(Control::Behaviour(of))
}

pub(super) fn seeds(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            script: vec![
                (400, Do::NeverAnswered("login", "403")),
                (400, Do::NeverAnswered("login", "404")),
                (400, Do::Entries("login", 1)),
            ],
            ..with_seed("a second factor with its seed", token)
        },
        Scenario {
            // The session ends in the step of the code that opened it, twice.
            script: vec![
                (32, ended()),
                (65, ended()),
                (400, Do::NeverAnswered("login", "404")),
                (400, Do::Entries("login", 3)),
            ],
            ..with_seed("sessions that end within the step of their code", token)
        },
        Scenario {
            script: vec![
                (200, settings(json!({ "totpSecret": ANOTHER }))),
                (200, ended()),
                (350, Do::SeeServer(Reason::SecondFactorRequired)),
                (605, Do::Secret(WITH_ANOTHER)),
                (616, Do::SeeServer(Reason::Connected)),
                (700, Do::Entries("login", 2)),
            ],
            lasts: 800,
            ..with_seed("a seed that is changed and mended", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.behaviour.two_factor = true;
                nas.behaviour.lockout_after = Some(3);
                nas.totp_secret = Some(SEED.to_owned());
            }),
            secret: WITH_ANOTHER,
            script: vec![
                (100, Do::SeeServer(Reason::SecondFactorRequired)),
                (305, Do::Secret(WITH_SEED)),
                (316, Do::SeeServer(Reason::Connected)),
                (700, Do::NeverAnswered("login", "407")),
                (700, Do::Entries("login", 1)),
                (700, Do::Nas(Control::Block { on: false })),
            ],
            lasts: 800,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a wrong seed that is mended before the NAS blocks", token)
        },
        Scenario {
            // Codes of another time are wrong ones.
            script: vec![
                (100, Do::SeeServer(Reason::SecondFactorRequired)),
                (300, Do::Nas(Control::Clock { offset_seconds: 0 })),
            ],
            nas: {
                let mut nas = seeded();
                nas.clock_offset_seconds = -7200;
                nas
            },
            lasts: 4000,
            ..with_seed("a second factor by a NAS clock hours behind", token)
        },
        Scenario {
            script: vec![
                (60, Do::Nas(Control::Reboot)),
                (400, Do::NeverAnswered("login", "404")),
                (400, Do::Entries("login", 2)),
            ],
            answer: Some(ReceiptOutcome::Failed),
            ..with_seed("a reboot of a NAS with a second factor", token)
        },
    ]
}

pub(super) fn codes(token: &Value) -> Vec<Scenario> {
    let of = |code: i64| behaviour(json!({ "loginAnswer": code }));
    let none = || behaviour(json!({ "loginAnswer": null }));
    let mut stories: Vec<Scenario> = [
        (
            "an account that is disabled (401)",
            401,
            Reason::CredentialsRejected,
        ),
        (
            "a password that has expired (408)",
            408,
            Reason::CredentialsRejected,
        ),
    ]
    .into_iter()
    .map(|(name, code, reason)| Scenario {
        nas: behaving(|b| b.login_answer = Some(code)),
        script: vec![
            (60, Do::SeeServer(reason)),
            (300, none()),
            (3500, Do::SeeServer(reason)),
            (3500, Do::Entries("login", 0)),
        ],
        lasts: 4000,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    })
    .collect();
    stories.extend([
        Scenario {
            script: vec![
                (25, of(408)),
                (25, ended()),
                (60, Do::SeeServer(Reason::CredentialsRejected)),
                (300, none()),
                (
                    300,
                    Do::Nas(Control::Password {
                        password: "new".to_owned(),
                    }),
                ),
                (301, Do::Secret(&[("password", "new")])),
                (320, Do::SeeServer(Reason::Connected)),
            ],
            lasts: 600,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a password that expires in mid-run and is changed", token)
        },
        Scenario {
            nas: with(|nas| nas.account_locked = true),
            script: vec![
                (60, Do::SeeServer(Reason::AccountBlocked)),
                (300, settings(json!({ "accountLocked": false }))),
                (3500, Do::Entries("login", 0)),
            ],
            lasts: 4000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("an account that is locked, then unlocked", token)
        },
        Scenario {
            script: vec![
                (25, settings(json!({ "accountLocked": true }))),
                (25, ended()),
                (60, Do::SeeServer(Reason::AccountBlocked)),
                (300, settings(json!({ "accountLocked": false }))),
            ],
            lasts: 4000,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("an account that is locked in mid-run, then unlocked", token)
        },
        Scenario {
            nas: behaving(|b| b.lockout_after = Some(3)),
            secret: &[("password", "wrong")],
            script: vec![
                (200, Do::Secret(&[("password", "wrong again")])),
                (400, Do::Secret(RIGHT)),
                (420, Do::SeeServer(Reason::Connected)),
                (700, Do::NeverAnswered("login", "407")),
                (700, Do::Entries("login", 1)),
                (700, Do::Nas(Control::Block { on: false })),
            ],
            lasts: 800,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("two wrong passwords where the third one blocks", token)
        },
        Scenario {
            nas: behaving(|b| b.lockout_after = Some(3)),
            secret: &[("password", "wrong")],
            script: vec![
                // A label, another key: nothing of it is tried.
                (200, Do::Secret(&[])),
                (400, Do::Secret(&[("comment", "seen")])),
                (9000, Do::NeverAnswered("login", "407")),
                (9000, Do::Secret(RIGHT)),
                (9020, Do::SeeServer(Reason::Connected)),
                (9020, Do::Nas(Control::Block { on: false })),
            ],
            lasts: 9300,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a wrong password for hours where the third one blocks", token)
        },
    ]);
    stories
}
