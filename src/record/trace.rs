//! The file of a recording: JSON lines, a header and then one exchange per line. It holds what `redact` left over.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::redact::{NotJson, Redactor};
use crate::nas::{RawAnswer, RawExchange};

/// What the first line says it is.
pub const FORMAT: &str = "abb-operator/v1";

/// The longest line that is read: as long as an answer may be, with room for what stands around it.
const LONGEST_LINE: usize = 80 * 1024 * 1024;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// [`FORMAT`].
    pub trace: String,
    /// The day it was made on.
    pub recorded: String,
    /// The NAS, as far as it told.
    #[serde(default)]
    pub dsm: DsmHeader,
}

/// What a NAS is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DsmHeader {
    /// Such as `DS918+`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Such as `DSM 7.2.1-69057 Update 5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Milliseconds from the start of the recording to the request.
    pub at: u64,
    /// Such as `SYNO.ActiveBackup.Task`.
    pub api: String,
    /// The version it was asked at.
    pub version: i64,
    /// Such as `list`.
    pub method: String,
    /// The other fields of the request, redacted, without those of the session.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// HTTP status; absent where no whole answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Seconds that the clock of the NAS was ahead of the recorder's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_offset: Option<i64>,
    /// The media type of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The answer, redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What came instead of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_json: Option<NotJson>,
    /// How long it took.
    pub milliseconds: u64,
}

impl Exchange {
    /// What may be kept of an exchange; nothing of a login.
    pub(super) fn of(raw: &RawExchange<'_>, start: jiff::Timestamp, redactor: &mut Redactor) -> Option<Self> {
        let RawExchange {
            call,
            version,
            fields,
            begun,
            took,
            answer,
        } = *raw;
        if call.api == "SYNO.API.Auth" {
            return None;
        }
        let mut exchange = Self {
            at: milliseconds(begun.duration_since(start).unsigned_abs()),
            api: call.api.to_owned(),
            version,
            method: call.method.to_owned(),
            fields: redactor.fields(fields.iter().copied()),
            status: None,
            date_offset: None,
            content_type: None,
            body: None,
            no_json: None,
            milliseconds: milliseconds(took),
        };
        if let Some(RawAnswer {
            status,
            date,
            content_type,
            body,
        }) = answer
        {
            exchange.status = Some(status);
            exchange.date_offset = date.map(|date| date.duration_since(begun).as_secs());
            exchange.content_type = content_type.and_then(media_type);
            match redactor.body(body) {
                Ok(body) => exchange.body = Some(body),
                Err(not_json) => exchange.no_json = Some(not_json),
            }
        }
        Some(exchange)
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `application/json` of `application/json; charset="UTF-8"`.
fn media_type(header: &str) -> Option<String> {
    let kind = header.split(';').next().unwrap_or_default().trim();
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || b"+-.".contains(&byte))
    };
    (kind.len() <= 40 && kind.split('/').count() == 2 && kind.split('/').all(plain)).then(|| kind.to_owned())
}

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file could not be read.
    #[error("failed to read the recording")]
    Read(#[source] std::io::Error),
    /// A line is not what it should be.
    #[error("failed to read line {line} of the recording")]
    Line {
        /// Which one, from 1.
        line: usize,
        /// Reason.
        #[source]
        source: serde_json::Error,
    },
    /// The first line is another.
    #[error("failed to read the recording: its first line is no header of {FORMAT:?}")]
    Header,
    /// A line is longer than any answer.
    #[error("failed to read line {line} of the recording: it is too long")]
    TooLong {
        /// Which one, from 1.
        line: usize,
    },
}

/// A whole recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The first line.
    pub header: Header,
    /// The others, in order.
    pub exchanges: Vec<Exchange>,
}

impl Trace {
    /// Reads a recording. Empty lines are passed over; a last line that was cut off is an error.
    pub fn read(reader: impl BufRead) -> Result<Self, TraceError> {
        let (mut header, mut exchanges) = (None, Vec::new());
        for (place, text) in reader.lines().enumerate() {
            let line = place + 1;
            let text = text.map_err(TraceError::Read)?;
            if text.len() > LONGEST_LINE {
                return Err(TraceError::TooLong { line });
            }
            if header.is_none() {
                let first: Header = serde_json::from_str(&text).map_err(|_| TraceError::Header)?;
                if first.trace != FORMAT {
                    return Err(TraceError::Header);
                }
                header = Some(first);
            } else if !text.trim().is_empty() {
                exchanges
                    .push(serde_json::from_str(&text).map_err(|source| TraceError::Line { line, source })?);
            }
        }
        let header = header.ok_or(TraceError::Header)?;
        Ok(Self { header, exchanges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HEADER: &str = r#"{"trace":"abb-operator/v1","recorded":"2026-11-25","dsm":{"model":"DS918+"}}"#;

    fn read(text: &str) -> Result<Trace, TraceError> {
        Trace::read(text.as_bytes())
    }

    #[test]
    fn a_header_and_exchanges() {
        let line = r#"{"at":5,"api":"A","version":1,"method":"list","fields":{"a":"1"},"status":200,"body":{"success":true},"milliseconds":7}"#;
        let trace = read(&format!("{HEADER}\n{line}\n\n")).unwrap();
        assert_eq!(trace.header.dsm.model.as_deref(), Some("DS918+"));
        assert_eq!(trace.exchanges[0].body, Some(json!({"success": true})));
        assert_eq!(
            serde_json::to_string(&trace.exchanges[0]).unwrap(),
            line,
            "what is written is what is read"
        );
    }

    #[test]
    fn what_is_no_recording() {
        for text in ["", "{}", "text", r#"{"trace":"abb-operator/v2","recorded":""}"#] {
            assert!(matches!(read(text), Err(TraceError::Header)), "{text}");
        }
        let cut = format!("{HEADER}\n{{\"at\":5,");
        assert!(matches!(read(&cut), Err(TraceError::Line { line: 2, .. })));
    }

    #[test]
    fn media_types() {
        assert_eq!(
            media_type("application/json; charset=\"UTF-8\"").as_deref(),
            Some("application/json")
        );
        for odd in ["", "peterm", "a/b/c", "text/HOST", "text/fs01"] {
            assert_eq!(media_type(odd), None, "{odd}");
        }
    }
}
