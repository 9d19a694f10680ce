//! Logging in and out, and what a session is worth. A session opened with a token needs it on every call, if
//! the scenario says so. Passwords and codes are compared here and go nowhere else.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use totp_rs::{Builder, Secret};
use uuid::Uuid;

use super::answers::MissingToken;
use super::call::{Answer, ApiCall, Failure};
use super::core::Nas;
use super::encryption::decrypted;
use super::ledger::Origin;

/// Code of the second factor where the scenario gives no secret.
const FIXED_CODE: &str = "123456";

/// Cookie lifetime of a web login: seven days.
const COOKIE_SECONDS: u32 = 604_800;

/// An open session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Which login opened it, from 1.
    number: u64,
    pub(super) user: String,
    token: Option<String>,
    /// Milliseconds since 1970 at which it ends.
    expires: Option<i64>,
}

/// Open sessions, and what the second factor remembers.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: BTreeMap<String, Session>,
    /// Sessions opened so far.
    opened: u64,
    /// Device tokens that replace the second factor, by token.
    devices: BTreeMap<String, String>,
    /// Token handed out with a request for the second factor; stands for the password once.
    second_step: Option<String>,
    /// Failed logins since the lever last released them.
    failures: u32,
    /// Last step of the clock for which a code was used up.
    used_step: Option<u64>,
}

impl Sessions {
    pub(super) fn drop_all(&mut self) {
        self.open.clear();
    }

    pub(super) fn drop_one(&mut self, sid: Option<&str>) {
        if let Some(sid) = sid {
            self.open.remove(sid);
        }
    }

    pub(super) fn forget_failures(&mut self) {
        self.failures = 0;
    }

    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// Which login opened a session that lives.
    pub(super) fn number(&self, sid: Option<&str>) -> Option<u64> {
        self.open.get(sid?).map(|session| session.number)
    }
}

impl Nas {
    /// The account behind a call, or why there is none.
    pub(super) fn authorise(&mut self, call: &ApiCall) -> Result<String, Failure> {
        let (clock, enforced) = (self.clock, self.scenario.syno_token_enforced);
        self.sessions
            .open
            .retain(|_, session| session.expires.is_none_or(|end| clock < end));
        let Some(sid) = &call.sid else {
            return Err(Failure::code(119));
        };
        let behaviour = &self.scenario.behaviour;
        let session = self.sessions.open.get(sid);
        let session = session.ok_or(Failure::code(behaviour.dead_session.code()))?;
        if enforced && session.token.is_some() && session.token != call.token {
            let is_missing = call.token.is_none() && behaviour.missing_token == MissingToken::Error103;
            return Err(Failure::code(if is_missing { 103 } else { 119 }));
        }
        Ok(session.user.clone())
    }

    /// `SYNO.API.Auth` `login`.
    pub(super) fn login(&mut self, call: &ApiCall, cookies: &mut Vec<String>) -> Answer {
        if self.blocked {
            return Err(Failure::code(407));
        }
        if self.scenario.account_locked {
            return Err(Failure::code(411));
        }
        if let Some(code) = self.scenario.behaviour.login_answer {
            return Err(Failure::code(code));
        }
        if call.version.is_some_and(|version| version < 3) {
            // Old versions answer as if they did not have the method.
            return Err(Failure::code(103));
        }
        let call = &decrypted(call)?;
        let answer = self.open_for(call, cookies);
        if matches!(&answer, Err(Failure { code: 400 | 404, .. })) {
            self.sessions.failures += 1;
            let limit = self.scenario.behaviour.lockout_after;
            self.blocked |= limit.is_some_and(|limit| self.sessions.failures >= limit);
        }
        answer
    }

    fn open_for(&mut self, call: &ApiCall, cookies: &mut Vec<String>) -> Answer {
        let (Some(account), Some(password)) = (call.raw("account"), call.raw("passwd")) else {
            return Err(Failure::code(101));
        };
        let second_step = self.sessions.second_step.as_deref() == Some(password);
        if account != self.scenario.username || (password != self.scenario.password && !second_step) {
            return Err(Failure::code(400));
        }
        if self.scenario.behaviour.two_factor {
            self.check_second_factor(call)?;
            self.sessions.second_step = None;
        }
        let account = account.to_owned();
        Ok(Some(self.open_session(call, &account, cookies)))
    }

    /// `SYNO.API.Auth.UIConfig` `get`: what the page of a web login reads first. Clients that follow it take a key
    /// from the cookie; the answer to the login does not go on with it.
    pub(super) fn login_page(&self, cookies: &mut Vec<String>) -> Value {
        let key = Sha256::digest(self.scenario.serial.as_bytes());
        let key = URL_SAFE_NO_PAD.encode(key);
        cookies.push(format!("_SSID={key}; path=/; HttpOnly"));
        json!({"dsm_version": self.scenario.dsm_version, "hostname": "synology01"})
    }

    fn check_second_factor(&mut self, call: &ApiCall) -> Result<(), Failure> {
        let device = call.raw("device_id").or(call.raw("did"));
        let known = device.and_then(|device| self.sessions.devices.get(device));
        if known.is_some() && known.map(String::as_str) == call.raw("device_name") {
            return Ok(());
        }
        let Some(code) = call.raw("otp_code").filter(|code| !code.is_empty()) else {
            let token = Uuid::new_v4().simple().to_string();
            let errors = json!({"token": token, "types": [{"type": "authenticator"}, {"type": "otp"}]});
            self.sessions.second_step = Some(token);
            return Err(Failure {
                code: 403,
                errors: Some(errors),
            });
        };
        let Some(secret) = &self.scenario.totp_secret else {
            return if code == FIXED_CODE {
                Ok(())
            } else {
                Err(Failure::code(404))
            };
        };
        let secret = Secret::try_from_base32(secret).map_err(|_| Failure::code(404))?;
        let seconds = u64::try_from(self.nas_time()).unwrap_or_default();
        let step = Builder::new()
            .with_secret(secret)
            .build_noncompliant()
            .check(code, seconds);
        match step {
            Some(step) if self.sessions.used_step.is_none_or(|used| used < step) => {
                self.sessions.used_step = Some(step);
                Ok(())
            }
            _ => Err(Failure::code(404)),
        }
    }

    fn open_session(&mut self, call: &ApiCall, account: &str, cookies: &mut Vec<String>) -> Value {
        // As long as a real one: 86 characters that need no escaping.
        let sid: String = (0..3)
            .map(|_| Uuid::new_v4().simple().to_string())
            .collect::<String>()
            .chars()
            .take(86)
            .collect();
        let token = call
            .flag("enable_syno_token")
            .then(|| Uuid::new_v4().simple().to_string()[..13].to_owned());
        let mut data = json!({"account": account, "is_portal_port": false, "sid": sid});
        if let Some(token) = &token {
            data["synotoken"] = json!(token);
        }
        if let (true, Some(name)) = (call.flag("enable_device_token"), call.raw("device_name")) {
            let device = Uuid::new_v4().simple().to_string();
            self.sessions.devices.insert(device.clone(), name.to_owned());
            let field = if call.version == Some(7) {
                "device_id"
            } else {
                "did"
            };
            data[field] = json!(device);
        } else {
            data["did"] = json!("");
        }
        if call.raw("format") != Some("sid") {
            cookies.push(format!("id={sid}; max-age={COOKIE_SECONDS}; path=/; HttpOnly"));
        }
        cookies.push(format!("_SSID={}; path=/; HttpOnly", Uuid::new_v4().simple()));
        let lifetime = self
            .scenario
            .session_seconds
            .map(|seconds| i64::from(seconds) * 1000);
        self.sessions.opened += 1;
        let session = Session {
            number: self.sessions.opened,
            user: account.to_owned(),
            token,
            expires: lifetime.map(|life| self.clock + life),
        };
        self.sessions.open.insert(sid, session);
        self.enter_plain("login", Some(account), Origin::Api);
        data
    }

    /// `SYNO.API.Auth` `logout`: success whether or not there was a session.
    pub(super) fn logout(&mut self, call: &ApiCall) {
        let session = call.sid.as_ref().and_then(|sid| self.sessions.open.remove(sid));
        if let Some(session) = session {
            self.enter_plain("logout", Some(&session.user), Origin::Api);
        }
    }
}
