//! A way to a NAS without a socket, for a NAS in the same process: sessions, encoding, parsing and the sorting of
//! answers stay what they are, only the bytes take another road. The simulation drives the shipped client this way.

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// HTTP status.
    pub status: u16,
    /// The clock of the NAS as it answered.
    pub date: Option<Timestamp>,
    /// The body.
    pub body: Vec<u8>,
}

/// Carries one form to a path below `/webapi/` and brings the answer back, or `None` where the connection ended
/// without a whole one. It waits for as long as it is left to; deadlines are the client's.
pub trait Carrier: Send + Sync {
    /// Carries one form.
    fn carry(&self, path: &str, form: String, token: Option<String>) -> BoxFuture<'static, Option<Carried>>;
}

/// A shared carrier.
pub type SharedCarrier = Arc<dyn Carrier>;
