//! A mutation on a connection of its own, sent at most once.
//!
//! No pool, no redirect, no second connection: what is below this call cannot send it again. The request lies ready,
//! and [`Armed::send`] drives the connection itself, so that nothing is waited for between the caller's last check and
//! the first byte.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{Connection, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use url::{Host, Url};

use super::answer::{Answer, Exchange, UnknownWhy, classify_mutation};
use super::carrier::{Carried, SharedCarrier};
use super::client::{Client, ENTRY};
use super::error::{Call, Cause, Error};
use super::request::Request;
use super::session::Session;
use super::tls::certificate_fault;
use super::transport::{FORM, MOST_OF_ANSWER, TOKEN_HEADER};
use super::visible::Value;
use super::wire;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Io = TokioIo<Box<dyn Stream>>;

/// One mutation, ready to be sent. Dropping it closes the connection and has no effect.
pub struct Armed {
    client: Client,
    session: Arc<Session>,
    request: Request,
    way: Way,
}

/// How the bytes get there.
enum Way {
    Socket(Box<Socket>),
    Carried(SharedCarrier),
}

struct Socket {
    http: http::Request<Full<Bytes>>,
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<Io, Full<Bytes>>,
}

impl std::fmt::Debug for Armed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Armed")
            .field("call", &self.request.call)
            .finish_non_exhaustive()
    }
}

impl Armed {
    /// Sends the mutation, once, and sorts what comes back within `deadline`. The bytes are handed to the socket
    /// before anything is awaited.
    ///
    /// A crash in here leaves it unknown whether the NAS took the call; the intent that was recorded before tells the
    /// next pass to look for evidence.
    pub async fn send(self, deadline: Duration) -> Answer {
        self.exchange(deadline).await.0
    }

    /// The same, with the data of an answer that says success, as a tree without secrets.
    pub async fn send_for_data(self, deadline: Duration) -> (Answer, Option<Value>) {
        let (answer, received) = self.exchange(deadline).await;
        let data = match received {
            Received::Reply { status: 200, body } if answer == Answer::Applied => {
                wire::visible(&body).ok().flatten()
            }
            _ => None,
        };
        (answer, data)
    }

    async fn exchange(self, deadline: Duration) -> (Answer, Received) {
        let Self {
            client,
            session,
            request,
            way,
        } = self;
        if deadline.is_zero() {
            return (Answer::NotSent, Received::NotWritten);
        }
        let started = Instant::now();
        let received = match way {
            Way::Socket(socket) => tokio::time::timeout(deadline, socket.exchange()).await,
            Way::Carried(carrier) => {
                let form = request.body(Some(&session.sid));
                let token = session.token.as_ref().and_then(|token| token.to_str().ok());
                let answer = carrier.carry(ENTRY, form, token.map(str::to_owned));
                let exchange = async { answer.await.map_or(Received::Broken, Received::of) };
                tokio::time::timeout(deadline, exchange).await
            }
        };
        let received = received.unwrap_or(Received::TimedOut);
        let answer = classify_mutation(&received.as_exchange(), session.permission_is_final());
        if let Answer::Session { code } = answer {
            client.drop_session(&session, code);
        }
        client.observe(request.call, outcome(answer), started);
        (answer, received)
    }
}

impl Socket {
    async fn exchange(self) -> Received {
        let Self {
            http,
            mut sender,
            connection,
        } = self;
        let response = sender.try_send_request(http);
        let exchange = drive(connection, async {
            match response.await {
                Ok(response) => collect(response).await,
                // The library gives the request back only where it wrote nothing of it.
                Err(error) if error.message().is_some() => Received::NotWritten,
                Err(_) => Received::Broken,
            }
        });
        // Without tokio's budget, which could make the first write wait for another turn.
        tokio::task::unconstrained(exchange).await
    }
}

fn outcome(answer: Answer) -> &'static str {
    match answer {
        Answer::Applied => "ok",
        Answer::Session { .. } => "session",
        Answer::Refused { .. }
        | Answer::Unknown {
            why: UnknownWhy::Conflict(_) | UnknownWhy::Code(_),
        } => "refused",
        Answer::Unknown {
            why: UnknownWhy::Timeout,
        } => "timeout",
        Answer::Unknown {
            why: UnknownWhy::Broken,
        }
        | Answer::NotSent => "transport",
        Answer::Unknown {
            why: UnknownWhy::HttpStatus(_) | UnknownWhy::Unreadable,
        } => "unexpected",
    }
}

/// The owner of the bytes of an [`Exchange`].
enum Received {
    NotWritten,
    TimedOut,
    Broken,
    TooLarge,
    Reply { status: u16, body: Bytes },
}

impl Received {
    fn of(carried: Carried) -> Self {
        let Carried {
            status,
            date: _,
            body,
        } = carried;
        Self::Reply {
            status,
            body: Bytes::from(body),
        }
    }

    fn as_exchange(&self) -> Exchange<'_> {
        match self {
            Self::NotWritten => Exchange::NotWritten,
            Self::TimedOut => Exchange::TimedOut,
            Self::Broken => Exchange::Broken,
            Self::TooLarge => Exchange::TooLarge,
            Self::Reply { status, body } => Exchange::Reply {
                status: *status,
                body,
            },
        }
    }
}

async fn collect(response: http::Response<hyper::body::Incoming>) -> Received {
    let status = response.status().as_u16();
    if status != 200 {
        return Received::Reply {
            status,
            body: Bytes::new(),
        };
    }
    match Limited::new(response.into_body(), MOST_OF_ANSWER).collect().await {
        Ok(body) => Received::Reply {
            status,
            body: body.to_bytes(),
        },
        Err(error) if error.is::<LengthLimitError>() => Received::TooLarge,
        Err(_) => Received::Broken,
    }
}

/// Runs `work` with the connection that it needs, in this task. The connection goes first: on the first turn it takes
/// the request and writes it.
async fn drive<T>(connection: Connection<Io, Full<Bytes>>, work: impl Future<Output = T>) -> T {
    let mut connection = Some(connection);
    let mut work = pin!(work);
    poll_fn(move |context| {
        if let Some(open) = connection.as_mut()
            && Pin::new(open).poll(context).is_ready()
        {
            // What it still held goes back to `work`, which is asked next.
            connection = None;
        }
        work.as_mut().poll(context)
    })
    .await
}

/// Opens a new connection for `request`, within the request timeout.
pub(super) async fn open(client: Client, session: Arc<Session>, request: Request) -> Result<Armed, Error> {
    let (call, after, started) = (request.call, client.request_timeout(), Instant::now());
    if let Some(carrier) = client.carrier().cloned() {
        return Ok(Armed {
            client,
            session,
            request,
            way: Way::Carried(carrier),
        });
    }
    let url = client.entry_url();
    let opened = match tokio::time::timeout(after, connect(&client, &url, call)).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::Timeout { call, after }),
    };
    match opened {
        Ok((sender, connection)) => {
            let http = message(&url, &session, &request)?;
            Ok(Armed {
                client,
                session,
                request,
                way: Way::Socket(Box::new(Socket {
                    http,
                    sender,
                    connection,
                })),
            })
        }
        Err(error) => {
            let outcome = if matches!(error, Error::Timeout { .. }) {
                "timeout"
            } else {
                "transport"
            };
            client.observe(call, outcome, started);
            Err(error)
        }
    }
}

async fn connect(
    client: &Client,
    url: &Url,
    call: Call,
) -> Result<(SendRequest<Full<Bytes>>, Connection<Io, Full<Bytes>>), Error> {
    let unreachable = |error: &(dyn std::error::Error + 'static)| Error::Unreachable {
        call,
        source: Cause::of(error),
    };
    let no_host = || Error::Configuration {
        what: "the URL has no host".to_owned(),
    };
    let port = url.port_or_known_default().ok_or_else(no_host)?;
    let (tcp, name) = match url.host().ok_or_else(no_host)? {
        Host::Domain(domain) => {
            let name = ServerName::try_from(domain.to_owned());
            (TcpStream::connect((domain, port)).await, name)
        }
        Host::Ipv4(address) => (
            TcpStream::connect((address, port)).await,
            Ok(ServerName::from(std::net::IpAddr::V4(address))),
        ),
        Host::Ipv6(address) => (
            TcpStream::connect((address, port)).await,
            Ok(ServerName::from(std::net::IpAddr::V6(address))),
        ),
    };
    let tcp = tcp.map_err(|error| unreachable(&error))?;
    tcp.set_nodelay(true).map_err(|error| unreachable(&error))?;
    let stream: Box<dyn Stream> = match client.tls() {
        None => Box::new(tcp),
        Some(config) => {
            let name = name.map_err(|error| unreachable(&error))?;
            let connecting = tokio_rustls::TlsConnector::from(config).connect(name, tcp);
            let stream = connecting
                .await
                .map_err(|error| match certificate_fault(&error) {
                    Some(source) => Error::CertificateRejected { call, source },
                    None => unreachable(&error),
                })?;
            Box::new(stream)
        }
    };
    hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(&error))
}

fn message(url: &Url, session: &Session, request: &Request) -> Result<http::Request<Full<Bytes>>, Error> {
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let mut message = http::Request::post(url.path())
        .header(HOST, host)
        .header(USER_AGENT, concat!("abb-operator/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, FORM)
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close");
    if let Some(token) = &session.token {
        message = message.header(TOKEN_HEADER, token);
    }
    let body = request.body(Some(&session.sid));
    message
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| Error::Configuration {
            what: format!("the request cannot be built: {error}"),
        })
}
