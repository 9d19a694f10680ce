//! `/healthz`, `/readyz` and `/metrics` over plain HTTP. Nothing here knows what a task is.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// What the endpoints answer from.
pub trait Probes: Send + Sync + 'static {
    /// Whether the process can do its work: its watches have listed.
    fn ready(&self) -> Result<(), String>;
    /// The metrics in Prometheus text format.
    fn metrics(&self) -> BoxFuture<'_, String>;
}

/// A client that sends no request within this time is dropped.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// After a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Binds the address; port 0 takes a free one.
///
/// # Errors
/// The system's: the address is in use, or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Serves until dropped.
pub async fn serve<P: Probes>(listener: TcpListener, probes: Arc<P>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let probes = Arc::clone(&probes);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let probes = Arc::clone(&probes);
                async move { Ok::<_, Infallible>(answer(&request, probes.as_ref()).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = connection {
                tracing::debug!(%error, "a connection to the probes ended");
            }
        });
    }
}

async fn answer<P: Probes, B>(request: &Request<B>, probes: &P) -> Response<Full<Bytes>> {
    let (status, body) = match request.uri().path() {
        "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => match probes.ready() {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/metrics" => (StatusCode::OK, probes.metrics().await),
        _ => (
            StatusCode::NOT_FOUND,
            "not found: try /healthz, /readyz or /metrics\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let text = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}
