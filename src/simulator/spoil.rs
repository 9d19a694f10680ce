//! What a fault does to a call: nothing happens, or it happens later, or it happens and the answer is spoilt.
//! Whether the effect takes place is the point of each fault, and is decided here.

use serde_json::{Value, json};

use super::call::{Answer, ApiCall, Delivery, Failure, Reply};
use super::core::{LONGEST, Late, Nas, outcome};
use super::faults::FaultKind;

impl Nas {
    /// Deals with a call that a fault hits; the reply, and the outcome to record.
    pub(super) fn suffer(&mut self, seq: u64, call: &ApiCall, fault: FaultKind) -> (Reply, String) {
        match fault {
            FaultKind::LoseReplyBefore => (Reply::of(Delivery::Lost), "lost".to_owned()),
            FaultKind::Hang => (Reply::of(Delivery::Hang), "hang".to_owned()),
            FaultKind::Html => (Reply::of(Delivery::Html), "html".to_owned()),
            FaultKind::Http { status } => (Reply::of(Delivery::Status(status)), format!("http {status}")),
            FaultKind::RedirectTo { url } => (Reply::of(Delivery::Redirect(url)), "redirect".to_owned()),
            FaultKind::ErrorCode { code } => (self.refusal(code), code.to_string()),
            FaultKind::ExpireSession => {
                self.sessions.drop_one(call.sid.as_deref());
                (self.refusal(119), "119".to_owned())
            }
            FaultKind::Delay {
                milliseconds,
                before_effect: true,
            } => self.postpone(seq, call, milliseconds, true),
            FaultKind::LateEffect { milliseconds } => self.postpone(seq, call, milliseconds, false),
            FaultKind::Delay {
                milliseconds,
                before_effect: false,
            } => self.perform_then(call, |nas, answer, done| {
                (
                    Reply {
                        hold_milliseconds: milliseconds,
                        ..Reply::json(nas.envelope(answer))
                    },
                    done,
                )
            }),
            FaultKind::LoseReplyAfter => self.perform_then(call, |_, _, done| {
                (Reply::of(Delivery::Lost), format!("lost {done}"))
            }),
            FaultKind::EmptyBody => self.perform_then(call, |_, _, done| {
                (Reply::of(Delivery::Empty), format!("empty {done}"))
            }),
            FaultKind::Oversize { bytes } => self.perform_then(call, |nas, answer, done| {
                let body = nas.envelope(answer);
                let delivery = Delivery::Oversize { body, bytes };
                (Reply::of(delivery), format!("oversize {done}"))
            }),
            FaultKind::Slow { bytes_per_second } => self.perform_then(call, |nas, answer, done| {
                let body = nas.envelope(answer);
                let delivery = Delivery::Slow {
                    body,
                    bytes_per_second,
                };
                (Reply::of(delivery), format!("slow {done}"))
            }),
            FaultKind::CutBody => self.perform_then(call, |nas, answer, done| {
                (
                    Reply::of(Delivery::Cut(nas.envelope(answer))),
                    format!("cut {done}"),
                )
            }),
            FaultKind::ErrorCodeAfter { code } => {
                self.perform_then(call, |nas, _, done| (nas.refusal(code), format!("{code} {done}")))
            }
            FaultKind::WrongType => self.perform_then(call, |_, _, done| {
                let body = json!({"data": "unexpected", "success": "yes"});
                (Reply::json(body), format!("wrong type {done}"))
            }),
            FaultKind::MissingRows { task_ids } => self.perform_then(call, |nas, answer, done| {
                drop_rows(answer, &task_ids);
                (Reply::json(nas.envelope(answer)), done)
            }),
            FaultKind::ShortPage { rows } => self.perform_then(call, |nas, answer, done| {
                for_rows(answer, |list, _| list.truncate(rows));
                (Reply::json(nas.envelope(answer)), done)
            }),
        }
    }

    fn refusal(&self, code: i64) -> Reply {
        Reply::json(self.envelope(&Err(Failure::code(code))))
    }

    /// Lets the effect take place, then spoils the answer.
    fn perform_then(
        &mut self,
        call: &ApiCall,
        spoil: impl FnOnce(&Self, &mut Answer, String) -> (Reply, String),
    ) -> (Reply, String) {
        let (mut answer, cookies) = self.perform(call);
        let done = outcome(&answer);
        let (reply, outcome) = spoil(self, &mut answer, done);
        (Reply { cookies, ..reply }, outcome)
    }

    /// Checks a call now and lets its effect take place later.
    fn postpone(&mut self, seq: u64, call: &ApiCall, milliseconds: u64, wanted: bool) -> (Reply, String) {
        let due = self
            .clock
            .saturating_add(i64::try_from(milliseconds).unwrap_or(LONGEST).min(LONGEST));
        match self.admit(call) {
            Err(failure) if wanted => {
                let answer = Err(failure);
                let reply = Reply {
                    hold_milliseconds: milliseconds,
                    ..Reply::json(self.envelope(&answer))
                };
                return (reply, outcome(&answer));
            }
            Err(failure) => return (Reply::of(Delivery::Lost), format!("lost {}", failure.code)),
            Ok(user) => self.late.push(Late {
                due,
                seq,
                call: call.clone(),
                user,
                wanted,
            }),
        }
        if wanted {
            (
                Reply::of(Delivery::Later {
                    ticket: seq,
                    milliseconds,
                }),
                "pending".to_owned(),
            )
        } else {
            (Reply::of(Delivery::Lost), "lost pending".to_owned())
        }
    }
}

/// Leaves the rows of some tasks out of a list, and out of its total.
fn drop_rows(answer: &mut Answer, task_ids: &[i64]) {
    for_rows(answer, |list, total| {
        let before = list.len();
        list.retain(|row| !row["task_id"].as_i64().is_some_and(|id| task_ids.contains(&id)));
        *total -= i64::try_from(before - list.len()).unwrap_or_default();
    });
}

/// Changes the rows and the total of a list; what is no list stays as it is.
fn for_rows(answer: &mut Answer, change: impl Fn(&mut Vec<Value>, &mut i64)) {
    let Ok(Some(Value::Object(data))) = answer else {
        return;
    };
    for rows in ["tasks", "results", "logs", "activity_list", "devices", "versions"] {
        let counter = if data.contains_key("total") {
            "total"
        } else {
            "count"
        };
        let mut total = data.get(counter).and_then(Value::as_i64).unwrap_or_default();
        if let Some(Value::Array(list)) = data.get_mut(rows) {
            change(list, &mut total);
            data.insert(counter.to_owned(), json!(total));
        }
    }
}
