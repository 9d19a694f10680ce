//! Faults: what goes wrong, at which calls and how often. A fault is data of the scenario; the state machine
//! picks at most one for each call that comes in, in the order in which they were added. The parts of a compound
//! request are not matched, only the request as a whole.

use serde::{Deserialize, Serialize};

use super::call::ApiCall;

/// Something that goes wrong at matching calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// API it hits; every API when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Method it hits; every method when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Matching calls that pass unharmed before the first one is hit.
    #[serde(default)]
    pub after: u32,
    /// Calls that are hit; 0 is for ever.
    #[serde(default = "once")]
    pub times: u32,
    /// What goes wrong.
    pub kind: FaultKind,
}

/// Ways in which a call goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum FaultKind {
    /// No effect; the connection ends without an answer.
    LoseReplyBefore,
    /// The effect takes place; the connection ends without an answer.
    LoseReplyAfter,
    /// The answer is late.
    Delay {
        /// How late, in milliseconds; not shortened by the time scale.
        milliseconds: u64,
        /// Whether the effect is late, too. It takes place even if the client has left.
        #[serde(default)]
        before_effect: bool,
    },
    /// No effect; answers this code.
    ErrorCode {
        /// Error code of the envelope.
        code: i64,
    },
    /// The effect takes place; answers this code all the same.
    ErrorCodeAfter {
        /// Error code of the envelope.
        code: i64,
    },
    /// The caller's session is dropped; answers 119, no effect.
    ExpireSession,
    /// No effect; answers this HTTP status, as a reverse proxy would.
    Http {
        /// HTTP status.
        status: u16,
    },
    /// No effect; answers a login page.
    Html,
    /// The effect takes place; the body is empty.
    EmptyBody,
    /// The effect takes place; the body breaks off in the middle.
    CutBody,
    /// The effect takes place; `data` is of another type than it should be.
    WrongType,
    /// Rows of these tasks are missing from a list that otherwise looks whole.
    MissingRows {
        /// Tasks left out.
        task_ids: Vec<i64>,
    },
    /// A list shows only its first rows, `total` still counts all.
    ShortPage {
        /// Rows shown.
        rows: usize,
    },
    /// The connection ends without an answer; the effect comes later.
    LateEffect {
        /// Milliseconds from the call to its effect; not shortened by the time scale.
        milliseconds: u64,
    },
    /// No effect; the connection stays open without an answer.
    Hang,
    /// No effect; sends the client elsewhere with HTTP status 302.
    RedirectTo {
        /// Where to.
        url: String,
    },
    /// The effect takes place; the answer is larger than any client should take.
    Oversize {
        /// Bytes of the answer.
        bytes: u64,
    },
    /// The effect takes place; the answer trickles in.
    Slow {
        /// Bytes sent each second; at least 1.
        bytes_per_second: u64,
    },
}

fn once() -> u32 {
    1
}

impl Fault {
    /// A fault that hits the next call of any kind once.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self {
            api: None,
            method: None,
            after: 0,
            times: 1,
            kind,
        }
    }

    /// The same fault, for one method of one API.
    #[must_use]
    pub fn on(mut self, api: &str, method: &str) -> Self {
        self.api = Some(api.to_owned());
        self.method = Some(method.to_owned());
        self
    }

    /// The same fault, after this many matching calls have passed.
    #[must_use]
    pub fn after(mut self, calls: u32) -> Self {
        self.after = calls;
        self
    }

    /// The same fault, for this many calls; 0 is for ever.
    #[must_use]
    pub fn times(mut self, calls: u32) -> Self {
        self.times = calls;
        self
    }

    fn matches(&self, call: &ApiCall) -> bool {
        self.api.as_ref().is_none_or(|api| *api == call.api)
            && self.method.as_ref().is_none_or(|method| *method == call.method)
    }
}

/// The faults still to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self { waiting: faults }
    }

    pub(super) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn waiting(&self) -> &[Fault] {
        &self.waiting
    }

    /// The fault that hits this call, if any. Every matching fault before it counts the call as passed.
    pub(super) fn hit(&mut self, call: &ApiCall) -> Option<FaultKind> {
        for index in 0..self.waiting.len() {
            let fault = &mut self.waiting[index];
            if !fault.matches(call) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            let kind = fault.kind.clone();
            match fault.times {
                0 => {}
                1 => drop(self.waiting.remove(index)),
                _ => fault.times -= 1,
            }
            return Some(kind);
        }
        None
    }
}
