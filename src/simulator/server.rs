//! The server: sockets around the state machine. It turns requests into calls and replies into bytes, or into
//! the lack of them, and keeps true time. Unplugging the NAS ends every connection; new ones are accepted and
//! closed at once.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::call::{ApiCall, Delivery, Script};
use super::control::Control;
use super::core::Nas;
use super::wire::{self, Body, Spoilt};
use super::{Error, admin};

/// Largest request body that is read.
const BODY_LIMIT: usize = 1 << 20;

/// Time an idle connection is kept, as the real server announces it.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The state machine, and whether its network is plugged in.
#[derive(Debug)]
pub(super) struct Shared {
    nas: Mutex<Nas>,
    power: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(nas: Nas) -> Self {
        let (power, _) = watch::channel(nas.power());
        Self {
            nas: Mutex::new(nas),
            power,
        }
    }

    /// The state machine. A panic while it was held leaves it as it was, which is good enough here.
    fn lock(&self) -> MutexGuard<'_, Nas> {
        self.nas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pulls a lever now.
    pub(super) fn control(&self, control: Control) -> Result<Value, Error> {
        let mut nas = self.lock();
        let answer = nas.control(control, Timestamp::now());
        let power = nas.power();
        self.power
            .send_if_modified(|on| std::mem::replace(on, power) != power);
        answer
    }

    /// Reads something after all that is due has been done.
    pub(super) fn read<T>(&self, what: impl FnOnce(&Nas) -> T) -> T {
        let mut nas = self.lock();
        nas.advance(Timestamp::now());
        what(&nas)
    }
}

/// What a listener serves.
#[derive(Clone)]
pub(super) enum Role {
    /// The web API, encrypted or not.
    Api(Option<TlsAcceptor>),
    /// The admin interface.
    Admin,
}

/// Serves a listener until the task is aborted; its connections end with it.
pub(super) async fn serve(listener: TcpListener, role: Role, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, remote)) = listener.accept().await else {
            // Out of file descriptors, most likely: let connections end first.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (role, shared) = (role.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            match role {
                Role::Admin => admin_connection(stream, shared).await,
                Role::Api(acceptor) => {
                    let mut power = shared.power.subscribe();
                    let unplugged = async move { power.wait_for(|on| !on).await.map(|_| ()) };
                    tokio::select! {
                        biased;
                        _ = unplugged => {}
                        () = api_connection(stream, acceptor, remote, shared) => {}
                    }
                }
            }
        });
    }
}

async fn api_connection(
    stream: tokio::net::TcpStream,
    acceptor: Option<TlsAcceptor>,
    remote: SocketAddr,
    shared: Arc<Shared>,
) {
    match acceptor {
        None => api_requests(stream, remote, shared).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                api_requests(stream, remote, shared).await;
            }
        }
    }
}

async fn api_requests<S>(stream: S, remote: SocketAddr, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| answer(request, remote, Arc::clone(&shared)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(KEEP_ALIVE)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that ends in an error is what a fault asks for, or the client's doing.
    let _ = connection.await;
}

async fn answer(
    request: Request<Incoming>,
    remote: SocketAddr,
    shared: Arc<Shared>,
) -> Result<Response<Body>, Spoilt> {
    let (parts, body) = request.into_parts();
    let Some((script, named)) = script(parts.uri.path()) else {
        return wire::plain(StatusCode::NOT_FOUND, "text/html", "404 Not Found");
    };
    if parts.method != Method::GET && parts.method != Method::POST {
        return wire::plain(StatusCode::METHOD_NOT_ALLOWED, "text/html", "405 Not Allowed");
    }
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return wire::plain(StatusCode::PAYLOAD_TOO_LARGE, "text/html", "413 Too Large");
    };
    let mut call = read_call(
        parts.uri.query().unwrap_or_default(),
        &body.to_bytes(),
        &parts.headers,
    );
    call.script = script;
    call.remote = remote.to_string();
    call.arrived = Some(Timestamp::now());
    if call.api.is_empty() {
        call.api = named.unwrap_or_default().to_owned();
    }
    let mut reply = shared.lock().handle(&call, Timestamp::now());
    if let Delivery::Later { ticket, milliseconds } = reply.delivery {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        reply = shared.lock().collect(ticket, Timestamp::now());
    }
    tokio::time::sleep(Duration::from_millis(reply.hold_milliseconds)).await;
    let manner = shared.read(Nas::manner).for_client(&parts.headers);
    wire::deliver(reply, manner).await
}

/// The script of a path, and the API it names.
fn script(path: &str) -> Option<(Script, Option<&str>)> {
    let rest = path.strip_prefix("/webapi/")?;
    if let Some(api) = rest.strip_prefix("entry.cgi/") {
        return Some((Script::Entry, Some(api.trim_end_matches('/'))));
    }
    match rest {
        "entry.cgi" => Some((Script::Entry, None)),
        "query.cgi" => Some((Script::Query, None)),
        "auth.cgi" => Some((Script::Auth, None)),
        "encryption.cgi" => Some((Script::Encryption, None)),
        _ => None,
    }
}

/// Reads a call from query and form body, whatever the content type says; the body wins.
pub(super) fn read_call(query: &str, body: &[u8], headers: &HeaderMap) -> ApiCall {
    let mut call = ApiCall::default();
    let fields = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body));
    for (name, value) in fields {
        match &*name {
            "api" => call.api = value.into_owned(),
            "method" => call.method = value.into_owned(),
            "version" => call.version = value.trim_matches('"').parse().ok(),
            "_sid" => call.sid = Some(value.trim_matches('"').to_owned()),
            "SynoToken" => call.token = Some(value.trim_matches('"').to_owned()),
            _ => {
                call.fields.insert(name.into_owned(), value.into_owned());
            }
        }
    }
    let header = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(token) = header(&HeaderName::from_static("x-syno-token")) {
        call.token = Some(token.to_owned());
    }
    if call.sid.is_none() {
        let mut cookies = header(&COOKIE).unwrap_or_default().split(';');
        call.sid = cookies
            .find_map(|cookie| cookie.trim().strip_prefix("id="))
            .map(str::to_owned);
    }
    call
}

async fn admin_connection(stream: tokio::net::TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| admin_answer(request, Arc::clone(&shared)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(KEEP_ALIVE)
        .serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

async fn admin_answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let query = parts.uri.query().unwrap_or_default();
    let routed = admin::route(&parts.method, parts.uri.path(), query, &body.unwrap_or_default());
    let (status, answer) = match routed {
        Ok(None) => (StatusCode::NOT_FOUND, json!({"error": "no such lever"})),
        Ok(Some(control)) => match shared.control(control) {
            Ok(answer) => (StatusCode::OK, answer),
            Err(error) => (StatusCode::CONFLICT, json!({"error": error.to_string()})),
        },
        Err(error) => (StatusCode::BAD_REQUEST, json!({"error": error.to_string()})),
    };
    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
