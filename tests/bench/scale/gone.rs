//! A proxy in front of the API server that can say "410 Gone" to whoever watches BackupTasks, as an API server says whose
//! history no longer reaches back so far: the one way to see what listing everything again costs in memory.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{ground::Ground, harness::eventually_within};

/// The event that ends a watch whose version is too old.
const GONE: &str = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\
     \"message\":\"too old resource version\",\"reason\":\"Expired\",\"code\":410}}\n";

/// A running proxy; ends when dropped.
pub struct Gone {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    url: String,
}

struct Shared {
    client: reqwest::Client,
    upstream: String,
    /// How often everything was declared gone.
    times: watch::Sender<usize>,
    /// Watches that were told, and bytes that went through to the client.
    told: watch::Sender<usize>,
    bytes: watch::Sender<usize>,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Gone {
    pub async fn start(upstream: &str) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .danger_accept_invalid_certs(true)
            .retry(reqwest::retry::never())
            .build()
            .unwrap();
        let shared = Arc::new(Shared {
            client,
            upstream: upstream.trim_end_matches('/').to_owned(),
            times: watch::channel(0).0,
            told: watch::channel(0).0,
            bytes: watch::channel(0).0,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                let service = service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move { Ok::<_, Infallible>(pass_on(shared, request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { shared, server, url }
    }

    /// A kubeconfig of the operator's account that leads through this proxy.
    pub fn kubeconfig(&self, ground: &Ground) -> PathBuf {
        let text = std::fs::read_to_string(ground.namespace.operator_kubeconfig_path()).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["clusters"][0]["cluster"] = json!({ "server": self.url });
        let path = ground.directory().join("through-proxy.kubeconfig");
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// Tells every watch of BackupTasks that it is too old, and waits until the answers to what follows are through.
    pub async fn relist(&self) {
        let (told, bytes) = (*self.shared.told.borrow(), *self.shared.bytes.borrow());
        self.shared.times.send_modify(|times| *times += 1);
        eventually_within("a watch is told", Duration::from_mins(1), async || {
            (*self.shared.told.borrow() > told).then_some(())
        })
        .await;
        let mut seen = bytes;
        eventually_within(
            "everything was listed again",
            Duration::from_mins(3),
            async || {
                tokio::time::sleep(Duration::from_secs(3)).await;
                let now = *self.shared.bytes.borrow();
                let still = now == seen && now > bytes;
                seen = now;
                still.then_some(())
            },
        )
        .await;
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

async fn pass_on(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return broken();
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let is_watch = path.contains("/backuptasks?") && path.contains("watch=");
    let mut headers = parts.headers.clone();
    headers.remove(http::header::HOST);
    let sent = shared
        .client
        .request(parts.method.clone(), format!("{}{path}", shared.upstream))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = sent else { return broken() };
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.clone_from(answer.headers());
        for name in [
            http::header::TRANSFER_ENCODING,
            http::header::CONTENT_LENGTH,
            http::header::CONTENT_ENCODING,
        ] {
            headers.remove(name);
        }
    }
    // The stream ends where the upstream's does, or breaks off.
    let chunks = stream::unfold((answer, Arc::clone(&shared)), |(mut answer, shared)| async move {
        let chunk = answer.chunk().await.ok().flatten()?;
        shared.bytes.send_modify(|bytes| *bytes += chunk.len());
        Some((Ok::<_, Infallible>(Frame::data(chunk)), (answer, shared)))
    });
    let body = if is_watch {
        let mut times = shared.times.subscribe();
        times.mark_unchanged();
        let gone = async move {
            let _changed = times.changed().await;
            shared.told.send_modify(|told| *told += 1);
            Ok(Frame::data(Bytes::from_static(GONE.as_bytes())))
        };
        let gone = stream::once(gone).boxed();
        BodyExt::boxed_unsync(StreamBody::new(until(chunks.boxed(), gone)))
    } else {
        BodyExt::boxed_unsync(StreamBody::new(chunks))
    };
    response.body(body).unwrap_or_else(|_| broken())
}

type Frames = stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

/// The frames of the first until it ends or the second has one, which is then the last.
fn until(frames: Frames, last: Frames) -> Frames {
    stream::unfold((frames, Some(last)), |(mut frames, last)| async move {
        let mut last = last?;
        tokio::select! {
            frame = frames.next() => frame.map(|frame| (frame, (frames, Some(last)))),
            frame = last.next() => frame.map(|frame| (frame, (frames, None))),
        }
    })
    .boxed()
}

fn broken() -> Answer {
    let mut response = Response::new(BodyExt::boxed_unsync(http_body_util::Empty::new()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
