//! A loopback proxy between the operator and what it talks to: it passes requests on, and at a chosen one commits it
//! and withholds the answer, or tells the test that the answer has gone out. There the test kills the operator.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Passed on like any other.
    Pass,
    /// Passed on and carried out; the answer never comes. The test is told.
    Withhold,
    /// Passed on and answered. The test is told.
    Tell,
}

/// Judges a request by method, path and body.
pub type Rule = dyn Fn(&str, &str, &str) -> Verdict + Send + Sync;

/// A running proxy; ends when dropped.
pub struct Proxy {
    pub url: String,
    reached: watch::Receiver<usize>,
    server: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Proxy {
    /// Passes on to `upstream`, such as `https://127.0.0.1:6443`.
    pub async fn start(upstream: &str, rule: Box<Rule>) -> Self {
        abb_operator::install_crypto();
        let client = reqwest::Client::builder()
            .no_proxy()
            .danger_accept_invalid_certs(true)
            .retry(reqwest::retry::never())
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (told, reached) = watch::channel(0);
        let shared = Arc::new((client, upstream.trim_end_matches('/').to_owned(), rule, told));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move {
                        let (client, upstream, rule, told) = shared.as_ref();
                        Ok::<_, Infallible>(pass_on(client, upstream, rule, told, request).await)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, reached, server }
    }

    /// Waits until a request with a verdict other than `Pass` was carried out.
    pub async fn reached(&mut self) {
        let waited = tokio::time::timeout(
            crate::harness::PATIENCE,
            self.reached.wait_for(|count| *count > 0),
        )
        .await;
        waited.expect("the chosen request was never sent").unwrap();
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

async fn pass_on(
    client: &reqwest::Client,
    upstream: &str,
    rule: &Rule,
    told: &watch::Sender<usize>,
    request: Request<Incoming>,
) -> Answer {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return broken();
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let verdict = rule(parts.method.as_str(), path, &String::from_utf8_lossy(&body));
    let mut headers = parts.headers.clone();
    headers.remove(http::header::HOST);
    let sent = client
        .request(parts.method.clone(), format!("{upstream}{path}"))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = sent else { return broken() };
    match verdict {
        Verdict::Withhold => {
            // Carried out: its answer is here and stays here.
            let _ = answer.bytes().await;
            told.send_modify(|count| *count += 1);
            return std::future::pending().await;
        }
        Verdict::Pass | Verdict::Tell => {}
    }
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.clone_from(answer.headers());
        headers.remove(http::header::TRANSFER_ENCODING);
        headers.remove(http::header::CONTENT_LENGTH);
        headers.remove(http::header::CONTENT_ENCODING);
    }
    let told = (verdict == Verdict::Tell).then(|| told.clone());
    let chunks = futures::stream::unfold((answer, told), |(mut answer, told)| async move {
        if let Ok(Some(chunk)) = answer.chunk().await {
            return Some((Ok::<_, Infallible>(Frame::data(chunk)), (answer, told)));
        }
        if let Some(told) = &told {
            told.send_modify(|count| *count += 1);
        }
        None
    });
    response
        .body(BodyExt::boxed_unsync(StreamBody::new(chunks)))
        .unwrap_or_else(|_| broken())
}

fn broken() -> Answer {
    let mut response = Response::new(BodyExt::boxed_unsync(http_body_util::Empty::new()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
