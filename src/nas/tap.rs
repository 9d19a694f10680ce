//! What went over the wire, for a recording: the fields of a request without its session and its secrets, and the bytes
//! of the answer as they came. What is kept of it is for the listener to decide.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::error::Call;
use super::request::{Request, Value};
use super::transport::Head;

/// One request and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct RawExchange<'a> {
    /// API and method.
    pub call: Call,
    /// The version it was asked at.
    pub version: i64,
    /// The fields as sent; a secret one is an empty text here.
    pub fields: &'a [(&'a str, &'a str)],
    /// Our clock, just before the request was sent.
    pub begun: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// `None` where no whole answer came.
    pub answer: Option<RawAnswer<'a>>,
}

/// A complete HTTP answer.
#[derive(Debug, Clone, Copy)]
pub struct RawAnswer<'a> {
    /// HTTP status.
    pub status: u16,
    /// The clock of the NAS as it answered.
    pub date: Option<Timestamp>,
    /// The header, where there is one.
    pub content_type: Option<&'a str>,
    /// The body. It holds secrets.
    pub body: &'a [u8],
}

/// Called after each exchange, the login included; it must not block.
pub type Tap = Arc<dyn Fn(&RawExchange<'_>) + Send + Sync>;

impl Request {
    /// Shows one exchange of this request.
    pub(super) fn show(
        &self,
        tap: &Tap,
        begun: Timestamp,
        took: Duration,
        (head, body): (Option<&Head>, &[u8]),
    ) {
        let fields: Vec<(&str, &str)> = self
            .fields
            .iter()
            .map(|(name, value)| match value {
                Value::Plain(text) => (name.as_ref(), text.as_str()),
                Value::Secret(_) => (name.as_ref(), ""),
            })
            .collect();
        tap(&RawExchange {
            call: self.call,
            version: self.version,
            fields: &fields,
            begun,
            took,
            answer: head.map(|head| RawAnswer {
                status: head.status,
                date: head.date,
                content_type: head.content_type.as_deref(),
                body,
            }),
        });
    }
}
