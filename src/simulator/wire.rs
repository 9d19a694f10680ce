//! Replies as bytes, with the headers of the real thing: whole or in part, at once or slowly, compressed or not.

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{Stream, stream};
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, LOCATION, SERVER,
    SET_COOKIE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use serde_json::Value;

use super::call::{Delivery, Reply};
use super::core::Nas;

/// Time between the first half of a cut body and the end, so that the half is really sent.
const CUT_PAUSE: Duration = Duration::from_millis(20);

/// Answers up to this length are never compressed.
const COMPRESSED_FROM: usize = 1024;

/// Bytes sent at a time of an answer that is too large.
const PIECE: usize = 1 << 16;

/// Pieces in which a slow answer is sent each second.
const PIECES_PER_SECOND: u64 = 20;

pub(super) type Body = UnsyncBoxBody<Bytes, Spoilt>;

/// The connection is to end without a further byte; hyper does that when a service fails.
#[derive(Debug, thiserror::Error)]
#[error("the simulated NAS ends the connection here")]
pub(super) struct Spoilt;

/// How answers are sent at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    date: Option<Timestamp>,
    gzip: bool,
    chunked: bool,
    text_plain: bool,
}

impl Manner {
    /// The same, as far as a client accepts it.
    pub(super) fn for_client(mut self, headers: &HeaderMap) -> Self {
        let accepted = headers
            .get(ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        self.gzip &= accepted.contains("gzip");
        self
    }
}

impl Nas {
    /// How answers are sent at the moment.
    pub(super) fn manner(&self) -> Manner {
        let behaviour = &self.scenario.behaviour;
        Manner {
            date: self.told_time(),
            gzip: behaviour.gzip,
            chunked: behaviour.chunked,
            text_plain: behaviour.text_plain,
        }
    }
}

/// Sends a reply, or the lack of one.
pub(super) async fn deliver(reply: Reply, manner: Manner) -> Result<Response<Body>, Spoilt> {
    let mut response = match reply.delivery {
        Delivery::Json(body) => full(&body, manner),
        Delivery::Cut(body) => cut(&body),
        Delivery::Empty => Response::new(whole(Bytes::new())),
        Delivery::Html => {
            return plain(
                StatusCode::OK,
                "text/html; charset=\"UTF-8\"",
                "<!DOCTYPE html><html><head><title>Sign in</title></head><body></body></html>",
            );
        }
        Delivery::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            return plain(status, "text/html", "<html><body><h1>nginx</h1></body></html>");
        }
        Delivery::Redirect(url) => {
            let mut response = plain(StatusCode::FOUND, "text/html", "")?;
            if let Ok(url) = HeaderValue::from_str(&url) {
                response.headers_mut().insert(LOCATION, url);
            }
            return Ok(response);
        }
        Delivery::Oversize { body, bytes } => streamed(oversize(&body, bytes)),
        Delivery::Slow {
            body,
            bytes_per_second,
        } => streamed(slow(&body, bytes_per_second)),
        Delivery::Hang => std::future::pending().await,
        Delivery::Lost | Delivery::Later { .. } => return Err(Spoilt),
    };
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(if manner.text_plain {
            "text/plain; charset=\"UTF-8\""
        } else {
            "application/json; charset=\"UTF-8\""
        }),
    );
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("max-age=0, no-cache, no-store"),
    );
    headers.insert(SERVER, HeaderValue::from_static("nginx"));
    headers.insert(
        HeaderName::from_static("keep-alive"),
        HeaderValue::from_static("timeout=20"),
    );
    if let Some(date) = manner.date.and_then(http_date) {
        headers.insert(DATE, date);
    }
    for cookie in reply.cookies {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

fn http_date(time: Timestamp) -> Option<HeaderValue> {
    HeaderValue::from_str(&time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

/// A whole body, compressed where that is worth it.
fn full(body: &Value, manner: Manner) -> Response<Body> {
    let text = body.to_string().into_bytes();
    let zipped = if manner.gzip && text.len() > COMPRESSED_FROM {
        zip(&text)
    } else {
        None
    };
    let is_zipped = zipped.is_some();
    let body = Bytes::from(zipped.unwrap_or(text));
    let mut response = if manner.chunked {
        streamed(stream::iter([Ok(Frame::data(body))]))
    } else {
        Response::new(whole(body))
    };
    if is_zipped {
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn zip(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

fn streamed(frames: impl Stream<Item = Result<Frame<Bytes>, Spoilt>> + Send + 'static) -> Response<Body> {
    Response::new(StreamBody::new(frames).boxed_unsync())
}

/// Announces a whole body and sends half of it.
fn cut(body: &Value) -> Response<Body> {
    let text = body.to_string();
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let mut response = streamed(stream::unfold(Some(half), |half| async move {
        if let Some(half) = half {
            return Some((Ok(Frame::data(half)), None));
        }
        tokio::time::sleep(CUT_PAUSE).await;
        Some((Err(Spoilt), None))
    }));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    response
}

/// How an answer begins that never ends, and what it repeats: the rows of a list, or blanks. Both are ASCII.
pub(super) fn endless(body: &Value) -> (String, String) {
    let rows = body["data"]["tasks"].as_array().filter(|rows| !rows.is_empty());
    let text = rows.map(|rows| {
        let parts = rows.iter().flat_map(|row| [row.to_string(), ",".to_owned()]);
        parts.collect::<String>()
    });
    match text.filter(|text| text.is_ascii()) {
        Some(text) => ("{\"success\":true,\"data\":{\"tasks\":[".to_owned(), text),
        None => (String::new(), " ".to_owned()),
    }
}

/// A text of this many bytes, made as it is sent.
fn oversize(body: &Value, bytes: u64) -> impl Stream<Item = Result<Frame<Bytes>, Spoilt>> + Send + use<> {
    let (head, unit) = endless(body);
    let piece = Bytes::from(unit.repeat(PIECE / unit.len() + 1));
    stream::unfold((Bytes::from(head), bytes), move |(head, left)| {
        let next = if head.is_empty() { piece.clone() } else { head };
        async move {
            if left == 0 {
                return None;
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(next.len());
            let frame = Frame::data(next.slice(..length));
            Some((Ok(frame), (Bytes::new(), left - length as u64)))
        }
    })
}

/// A body, a little at a time.
fn slow(
    body: &Value,
    bytes_per_second: u64,
) -> impl Stream<Item = Result<Frame<Bytes>, Spoilt>> + Send + use<> {
    let rest = Bytes::from(body.to_string());
    let rate = bytes_per_second.max(1);
    let piece = usize::try_from(rate / PIECES_PER_SECOND).unwrap_or(PIECE).max(1);
    stream::unfold(rest, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let part = rest.split_to(piece.min(rest.len()));
        tokio::time::sleep(time_for(part.len(), rate)).await;
        Some((Ok(Frame::data(part)), rest))
    })
}

/// Time that a slow answer takes for so many bytes.
pub(super) fn time_for(bytes: usize, bytes_per_second: u64) -> Duration {
    let milliseconds = (bytes as u64).saturating_mul(1000) / bytes_per_second.max(1);
    Duration::from_millis(milliseconds)
}

/// A page that is no answer of the API.
#[allow(clippy::unnecessary_wraps, reason = "stands where an answer may also be lost")]
pub(super) fn plain(
    status: StatusCode,
    content_type: &'static str,
    text: &'static str,
) -> Result<Response<Body>, Spoilt> {
    let mut response = Response::new(whole(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
        .headers_mut()
        .insert(SERVER, HeaderValue::from_static("nginx"));
    Ok(response)
}
