//! Moves the bytes of reads and logins. Connections are pooled; nothing is retried, redirected or sent to a proxy.
//!
//! Mutations never pass through here: a pool may send a request again on another connection.

use std::time::Duration;

use http::HeaderValue;
use http::header::{CONTENT_TYPE, DATE};
use jiff::Timestamp;
use rustls::ClientConfig;
use url::Url;

use super::carrier::{Carried, SharedCarrier};
use super::error::{Call, Cause, Error};
use super::tls::certificate_fault;

/// Bytes of a list of tasks that are read at most, uncompressed. 10,000 tasks with two devices each have 30 MB.
const MOST_OF_LIST: usize = 64 * 1024 * 1024;
/// Bytes of any other answer that are read at most, uncompressed. It is held as a whole.
pub(super) const MOST_OF_ANSWER: usize = 16 * 1024 * 1024;
/// An answer that is there as a whole is passed on in pieces of that many bytes, as a socket brings them.
const PIECE: usize = 64 * 1024;

/// The header of the token that DSM wants next to the session.
pub(super) const TOKEN_HEADER: &str = "x-syno-token";

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A complete HTTP answer without its body.
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) date: Option<Timestamp>,
    pub(super) content_type: Option<String>,
}

/// Takes the HTTP status and the next piece of a body. After an error nothing more is read, and the connection is dropped.
pub(super) type Take<'a> = dyn FnMut(u16, &[u8]) -> Result<(), Error> + Send + 'a;

/// Bytes of the answer to a call that are read at most.
pub(super) fn most_of(call: Call) -> usize {
    match call.method {
        "list" | "list_with_device" if call.api == "SYNO.ActiveBackup.Task" => MOST_OF_LIST,
        _ => MOST_OF_ANSWER,
    }
}

/// The pool. It has no timeouts of its own: each request has one for everything, from the connection to the last byte.
pub(super) fn pool(tls: ClientConfig) -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .gzip(true)
        .no_proxy()
        .referer(false)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // DSM closes idle connections after 20 seconds; using one that it is about to close costs a failed read.
        .pool_idle_timeout(Duration::from_secs(15))
        .user_agent(concat!("abb-operator/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::Configuration {
            what: Cause::of(&error.without_url()).to_string(),
        })
}

/// Posts a form and passes the answer on as it arrives, all within `after`.
pub(super) async fn post(
    pool: &reqwest::Client,
    url: Url,
    body: String,
    token: Option<&HeaderValue>,
    call: Call,
    after: Duration,
    take: &mut Take<'_>,
) -> Result<Head, Error> {
    let sorted = |error: reqwest::Error| sort(&error.without_url(), call, after);
    let exchange = async {
        let mut request = pool.post(url).header(CONTENT_TYPE, FORM).body(body);
        if let Some(token) = token {
            request = request.header(TOKEN_HEADER, token);
        }
        let mut response = request.send().await.map_err(sorted)?;
        let content_type = response.headers().get(CONTENT_TYPE);
        let head = Head {
            status: response.status().as_u16(),
            date: response.headers().get(DATE).and_then(http_date),
            content_type: content_type.and_then(|value| value.to_str().ok().map(str::to_owned)),
        };
        while let Some(piece) = response.chunk().await.map_err(sorted)? {
            take(head.status, &piece)?;
        }
        Ok(head)
    };
    match tokio::time::timeout(after, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Timeout { call, after }),
    }
}

/// The same without a socket.
pub(super) async fn carry(
    carrier: &SharedCarrier,
    path: &str,
    body: String,
    token: Option<&HeaderValue>,
    call: Call,
    after: Duration,
    take: &mut Take<'_>,
) -> Result<Head, Error> {
    let token = token.and_then(|token| token.to_str().ok()).map(str::to_owned);
    match tokio::time::timeout(after, carrier.carry(path, body, token)).await {
        Ok(Some(Carried { status, date, body })) => {
            body.chunks(PIECE).try_for_each(|piece| take(status, piece))?;
            Ok(Head {
                status,
                date,
                content_type: None,
            })
        }
        Ok(None) => Err(Error::Unreachable {
            call,
            source: Cause::of(&std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
        }),
        Err(_) => Err(Error::Timeout { call, after }),
    }
}

/// The time of a `Date` header.
pub(super) fn http_date(value: &HeaderValue) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(value.to_str().ok()?).ok()?;
    Some(zoned.timestamp())
}

fn sort(error: &reqwest::Error, call: Call, after: Duration) -> Error {
    if let Some(source) = certificate_fault(error) {
        Error::CertificateRejected { call, source }
    } else if error.is_timeout() {
        Error::Timeout { call, after }
    } else if error.is_decode() {
        Error::Unexpected {
            call,
            what: "a body that cannot be decoded or is cut short".to_owned(),
        }
    } else {
        Error::Unreachable {
            call,
            source: Cause::of(error),
        }
    }
}
