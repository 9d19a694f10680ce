//! The judge: an append-only list of what took effect, and beside it the list of requests. An effect is
//! entered when it takes place, never for a request that was refused or lost on the way in. Clients of the
//! API can read neither list.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who caused an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// A call to the web API.
    Api,
    /// The task's own schedule, or the NAS itself.
    Schedule,
    /// A person at the console.
    Person,
}

/// One thing that happened on the NAS.
///
/// Kinds: `login`, `logout`, `backup` (a run queued or started), `cancel` (one that hit a run), `remove` (one
/// accepted), `create` and `set` (a task made or changed), `delete-version` (a deletion of versions begun) and
/// `set-settings`; and, as consequences rather than requests, `run-started`, `run-ended`, `removed`,
/// `version-deleted` and `rebooted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// Position in the ledger, from 1.
    pub seq: u64,
    /// True time, RFC 3339.
    pub at: String,
    /// Time on the clock of the NAS, seconds since 1970.
    pub nas_time: i64,
    /// What happened.
    pub kind: String,
    /// Task it happened to.
    pub task_id: Option<i64>,
    /// That task's `unikey` at the time.
    pub unique_key: Option<String>,
    /// That task's name at the time.
    pub task_name: Option<String>,
    /// Result row of the run, once it has one.
    pub result_id: Option<i64>,
    /// Job it belongs to; the same for a backup, its start and its end.
    pub job_id: Option<i64>,
    /// Result status, with `run-ended` and `version-deleted` only.
    pub status: Option<i64>,
    /// Account that asked for it.
    pub user: Option<String>,
    /// Who caused it.
    pub origin: Origin,
}

/// One request as it arrived, without fields and secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// Number of the request, from 1, never reused.
    pub seq: u64,
    /// True time of arrival, RFC 3339 with microseconds: when the last byte of it had come in.
    pub at: String,
    /// API asked for.
    pub api: String,
    /// Method asked for.
    pub method: String,
    /// Version asked for.
    pub version: Option<i64>,
    /// `ok`, an error code, or how the answer was spoilt (`lost`, `hang`, `html`, `empty`, `cut`, `redirect`,
    /// `oversize`, `slow`, `http 502`, `pending`), in the latter case followed by the true outcome where there was one.
    pub outcome: String,
    /// Address of the caller.
    pub remote: String,
    /// Which login opened the session it came in with, counted from 1; none without a living session.
    #[serde(default)]
    pub session: Option<u64>,
}

/// The two lists.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    effects: Vec<Effect>,
    requests: Vec<RequestRecord>,
    next_request: u64,
}

impl Ledger {
    pub(super) fn effects(&self) -> &[Effect] {
        &self.effects
    }

    pub(super) fn requests(&self) -> &[RequestRecord] {
        &self.requests
    }

    /// Appends an effect; its number is given here.
    pub(super) fn enter(&mut self, mut effect: Effect) {
        effect.seq = self.effects.len() as u64 + 1;
        self.effects.push(effect);
    }

    /// Appends a request whose outcome is not known yet and returns its number.
    pub(super) fn arrive(&mut self, mut record: RequestRecord) -> u64 {
        self.next_request += 1;
        record.seq = self.next_request;
        self.requests.push(record);
        self.next_request
    }

    /// Sets the outcome of a request, unless the requests were forgotten meanwhile.
    pub(super) fn answered(&mut self, seq: u64, outcome: String) {
        if let Some(record) = self.requests.iter_mut().rev().find(|record| record.seq == seq) {
            record.outcome = outcome;
        }
    }

    pub(super) fn forget_requests(&mut self) {
        self.requests.clear();
    }
}

/// RFC 3339 text of a time in milliseconds since 1970.
pub(super) fn rfc3339(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

/// The same of a time in microseconds since 1970.
pub(super) fn rfc3339_micros(microseconds: i64) -> String {
    Timestamp::from_microsecond(microseconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}
