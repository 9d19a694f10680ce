//! The simulated NAS without sockets: forms in, bytes out, on a clock of one's choice. What a fault does to the
//! connection, it does here too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderMap;

use super::call::{Delivery, Script};
use super::core::Nas;
use super::server::read_call;
use super::wire::{endless, time_for};
use crate::clock::Clock;
use crate::nas::{Carried, Carrier};

/// Longest body that is handed over.
const OVERSIZE: usize = 1 << 27;

/// A NAS in the same process. Clones share it.
#[derive(Clone, Debug)]
pub struct DirectNas {
    nas: Arc<Mutex<Nas>>,
    clock: Clock,
}

impl DirectNas {
    /// A NAS that lives by a clock.
    #[must_use]
    pub fn new(nas: Nas, clock: Clock) -> Self {
        Self {
            nas: Arc::new(Mutex::new(nas)),
            clock,
        }
    }

    /// The state machine, brought up to now.
    pub fn lock(&self) -> MutexGuard<'_, Nas> {
        let mut nas = self.nas.lock().unwrap_or_else(PoisonError::into_inner);
        nas.advance(self.clock.now());
        nas
    }
}

impl Carrier for DirectNas {
    fn carry(&self, path: &str, form: String, token: Option<String>) -> BoxFuture<'static, Option<Carried>> {
        let this = self.clone();
        let script = match path {
            "query.cgi" => Script::Query,
            "auth.cgi" => Script::Auth,
            _ => Script::Entry,
        };
        Box::pin(async move {
            let mut call = read_call("", form.as_bytes(), &HeaderMap::new());
            call.script = script;
            call.token = token.or(call.token);
            if !this.lock().power() {
                return None;
            }
            let mut reply = this.lock().handle(&call, this.clock.now());
            if let Delivery::Later { ticket, milliseconds } = reply.delivery {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                reply = this.lock().collect(ticket, this.clock.now());
            }
            tokio::time::sleep(Duration::from_millis(reply.hold_milliseconds)).await;
            let body = match reply.delivery {
                Delivery::Json(body) => body.to_string(),
                Delivery::Empty => String::new(),
                Delivery::Html => "<!DOCTYPE html>".to_owned(),
                Delivery::Redirect(_) => return Some(this.answer(302, String::new())),
                // As much as shows that it is too large; the rest would only cost memory.
                Delivery::Oversize { body, bytes } => {
                    let bytes = usize::try_from(bytes).unwrap_or(OVERSIZE).min(OVERSIZE);
                    let (mut text, unit) = endless(&body);
                    text.extend(std::iter::repeat_n(unit.as_str(), bytes / unit.len() + 1));
                    text.truncate(bytes);
                    text
                }
                Delivery::Slow {
                    body,
                    bytes_per_second,
                } => {
                    let text = body.to_string();
                    tokio::time::sleep(time_for(text.len(), bytes_per_second)).await;
                    text
                }
                Delivery::Status(status) => return Some(this.answer(status, String::new())),
                Delivery::Hang => std::future::pending().await,
                Delivery::Cut(_) | Delivery::Lost | Delivery::Later { .. } => return None,
            };
            Some(this.answer(200, body))
        })
    }
}

impl DirectNas {
    fn answer(&self, status: u16, body: String) -> Carried {
        Carried {
            status,
            date: self.lock().told_time(),
            body: body.into_bytes(),
        }
    }
}
