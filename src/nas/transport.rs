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

/// The most bytes that are read of one answer. A list of thousands of tasks with versions stays far below.
pub(super) const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// The header of the token that DSM wants next to the session.
pub(super) const TOKEN_HEADER: &str = "x-syno-token";

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A complete HTTP answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) date: Option<Timestamp>,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
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

/// Posts a form and reads the whole answer, all within `after`.
pub(super) async fn post(
    pool: &reqwest::Client,
    url: Url,
    body: String,
    token: Option<&HeaderValue>,
    call: Call,
    after: Duration,
) -> Result<Reply, Error> {
    let exchange = async {
        let mut request = pool.post(url).header(CONTENT_TYPE, FORM).body(body);
        if let Some(token) = token {
            request = request.header(TOKEN_HEADER, token);
        }
        read(request.send().await?).await
    };
    match tokio::time::timeout(after, exchange).await {
        Ok(Ok(Some(reply))) => Ok(reply),
        Ok(Ok(None)) => Err(Error::Unexpected {
            call,
            what: format!("more than {MAX_ANSWER} bytes"),
        }),
        Ok(Err(error)) => Err(sort(&error.without_url(), call, after)),
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
) -> Result<Reply, Error> {
    let token = token.and_then(|token| token.to_str().ok()).map(str::to_owned);
    match tokio::time::timeout(after, carrier.carry(path, body, token)).await {
        Ok(Some(Carried { status, date, body })) => Ok(Reply {
            status,
            date,
            content_type: None,
            body,
        }),
        Ok(None) => Err(Error::Unreachable {
            call,
            source: Cause::of(&std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
        }),
        Err(_) => Err(Error::Timeout { call, after }),
    }
}

/// `None` where the answer has more bytes than any should.
async fn read(mut response: reqwest::Response) -> Result<Option<Reply>, reqwest::Error> {
    let status = response.status().as_u16();
    let date = response.headers().get(DATE).and_then(http_date);
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok().map(str::to_owned));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(Reply {
        status,
        date,
        content_type,
        body,
    }))
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
