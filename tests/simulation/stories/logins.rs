//! Logins that are refused for a while.

use abb_operator::{
    api::{Reason, ReceiptOutcome},
    simulator::Control,
};
use serde_json::{Value, json};

use super::super::scenarios::{Do, Scenario, server, story};

pub(super) fn logins(token: &Value) -> Vec<Scenario> {
    vec![Scenario {
        server: server(&json!({ "polling": { "active": "1m" } })),
        script: vec![
            (20, Do::Nas(Control::Block { on: true })),
            (20, Do::Nas(Control::ExpireSessions)),
            (200, Do::See(Reason::ServerNotReady)),
            (300, Do::Nas(Control::Block { on: false })),
        ],
        lasts: 4000,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story("a login that is blocked for a while", token)
    }]
}
