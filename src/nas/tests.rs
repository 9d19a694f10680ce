//! The client against a server of a few lines: what is sent how often, and what is made of each kind of answer.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use super::*;

mod connections;
mod sessions;
mod streams;

const PASSWORD: &str = "canary-password";
const SEED: &str = "MNQW4YLSPEWXGZLFMQ";
const DEVICE: &str = "canary-device";
const SECOND: Duration = Duration::from_secs(1);

/// What the server received.
#[derive(Debug, Clone)]
struct Hit {
    call: String,
    target: String,
    fields: HashMap<String, String>,
    token: Option<String>,
}

/// What the server does then.
enum Reaction {
    Json(String),
    Raw(u16, &'static str),
    Redirect,
    /// Half of a body, then the connection is cut.
    Half(&'static str),
    /// The connection is cut without an answer.
    Cut,
    Hang,
    /// One byte more than is read.
    TooMuch,
    /// A body in gzip.
    Zipped(Vec<u8>),
}

fn ok(data: &str) -> Reaction {
    Reaction::Json(format!(r#"{{"success":true,"data":{data}}}"#))
}

fn code(code: i64) -> Reaction {
    Reaction::Json(format!(r#"{{"success":false,"error":{{"code":{code}}}}}"#))
}

fn no_tasks() -> Reaction {
    ok(r#"{"tasks":[],"total":0}"#)
}

type React = fn() -> Reaction;
type Script = dyn Fn(&str, usize) -> Reaction + Send + Sync;

struct Server {
    port: u16,
    hits: Arc<Mutex<Vec<Hit>>>,
    /// Of each TLS connection, in their order.
    handshakes: Arc<Mutex<Vec<rustls::HandshakeKind>>>,
    /// TCP connections that were opened, and closed again.
    connections: tokio::sync::watch::Receiver<(usize, usize)>,
    certificate: Option<(Vec<u8>, String)>,
}

impl Server {
    /// `script` decides by the call ("Task list") and how many times it came before. Logins and the catalogue have
    /// usual answers.
    async fn start(script: impl Fn(&str, usize) -> Option<Reaction> + Send + Sync + 'static) -> Self {
        Self::with_tls(script, false).await
    }

    async fn with_tls(
        script: impl Fn(&str, usize) -> Option<Reaction> + Send + Sync + 'static,
        tls: bool,
    ) -> Self {
        let script: Arc<Script> = Arc::new(move |call, nth| {
            script(call, nth).unwrap_or_else(|| match call {
                "API.Info query" => {
                    ok(r#"{"SYNO.API.Auth":{"path":"entry.cgi","minVersion":1,"maxVersion":7}}"#)
                }
                "API.Auth login" => ok(&format!(
                    r#"{{"sid":"canary-sid-{nth}","synotoken":"canary-token-{nth}"}}"#
                )),
                "ActiveBackup.Task list" => no_tasks(),
                _ => Reaction::Json(r#"{"success":true}"#.into()),
            })
        });
        let hits = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (acceptor, certificate) = if tls {
            let (acceptor, made) = acceptor();
            (Some(acceptor), Some((made.cert.der().to_vec(), made.cert.pem())))
        } else {
            (None, None)
        };
        let seen = Arc::clone(&hits);
        let handshakes = Arc::new(Mutex::new(Vec::new()));
        let shaken = Arc::clone(&handshakes);
        let (counter, connections) = tokio::sync::watch::channel((0, 0));
        let counter = Arc::new(counter);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (script, seen, acceptor) = (Arc::clone(&script), Arc::clone(&seen), acceptor.clone());
                let (shaken, counter) = (Arc::clone(&shaken), Arc::clone(&counter));
                counter.send_modify(|(opened, _)| *opened += 1);
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(tcp, script, seen).await,
                        Some(acceptor) => {
                            if let Ok(tls) = acceptor.accept(tcp).await {
                                shaken.lock().unwrap().extend(tls.get_ref().1.handshake_kind());
                                serve(tls, script, seen).await;
                            }
                        }
                    }
                    counter.send_modify(|(_, closed)| *closed += 1);
                });
            }
        });
        Self {
            port,
            hits,
            handshakes,
            connections,
            certificate,
        }
    }

    fn endpoint(&self, trust: Trust) -> Endpoint {
        let scheme = if trust == Trust::Plaintext {
            "http"
        } else {
            "https"
        };
        Endpoint {
            url: format!("{scheme}://127.0.0.1:{}", self.port).parse().unwrap(),
            trust,
            request_timeout: 5 * SECOND,
            list_timeout: 5 * SECOND,
        }
    }

    fn client(&self) -> Client {
        Client::new(self.endpoint(Trust::Plaintext), credentials()).unwrap()
    }

    fn hits(&self, call: &str) -> Vec<Hit> {
        self.hits
            .lock()
            .unwrap()
            .iter()
            .filter(|hit| hit.call == call)
            .cloned()
            .collect()
    }

    fn count(&self, call: &str) -> usize {
        self.hits(call).len()
    }
}

async fn serve(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Hit>>>,
) {
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            let fields: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
            let call = format!(
                "{} {}",
                fields["api"].trim_start_matches("SYNO."),
                fields["method"]
            );
            let token = head
                .headers
                .get("x-syno-token")
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into());
            let hit = Hit {
                call: call.clone(),
                target: head.uri.to_string(),
                fields,
                token,
            };
            let nth = {
                let mut seen = seen.lock().unwrap();
                seen.push(hit);
                seen.iter().filter(|hit| hit.call == call).count() - 1
            };
            respond(script(&call, nth)).await
        }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(io), service)
        .await;
}

async fn respond(reaction: Reaction) -> Result<http::Response<BoxBody<Bytes, io::Error>>, io::Error> {
    let whole = |status: u16, body: String| {
        http::Response::builder()
            .status(status)
            .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .header("content-type", "application/json; charset=\"UTF-8\"")
            .body(
                http_body_util::Full::from(body)
                    .map_err(|never: Infallible| match never {})
                    .boxed(),
            )
            .map_err(io::Error::other)
    };
    match reaction {
        Reaction::Json(body) => whole(200, body),
        Reaction::Raw(status, body) => whole(status, body.into()),
        Reaction::Redirect => http::Response::builder()
            .status(302)
            .header("location", "/webapi/elsewhere.cgi")
            .body(
                http_body_util::Empty::new()
                    .map_err(|never: Infallible| match never {})
                    .boxed(),
            )
            .map_err(io::Error::other),
        Reaction::Half(start) => {
            let frames = [Ok(Frame::data(Bytes::from(start))), Err(io::Error::other("cut"))];
            Ok(http::Response::new(BodyExt::boxed(StreamBody::new(
                stream::iter(frames),
            ))))
        }
        Reaction::Cut => Err(io::Error::other("cut")),
        Reaction::Hang => std::future::pending().await,
        Reaction::Zipped(body) => http::Response::builder()
            .header("content-encoding", "gzip")
            .body(
                http_body_util::Full::from(body)
                    .map_err(|never: Infallible| match never {})
                    .boxed(),
            )
            .map_err(io::Error::other),
        Reaction::TooMuch => {
            let block = Bytes::from(vec![b' '; 1024 * 1024]);
            let frames = (0..=64).map(move |_| Ok(Frame::data(block.clone())));
            Ok(http::Response::new(BodyExt::boxed(StreamBody::new(
                stream::iter(frames),
            ))))
        }
    }
}

fn credentials() -> Credentials {
    Credentials {
        username: "operator".into(),
        password: SecretString::from(PASSWORD),
        otp_secret: None,
        device: None,
    }
}

async fn list(client: &Client) -> Result<Read<TaskList>, Error> {
    client.list_tasks(&ListTasks::default()).await
}

async fn backup(client: &Client) -> Answer {
    client
        .arm(Mutation::Backup(TaskId(5)))
        .await
        .unwrap()
        .send(5 * SECOND)
        .await
}

const LIST: &str = "ActiveBackup.Task list";
const BACKUP: &str = "ActiveBackup.Task backup";
const LOGIN: &str = "API.Auth login";

/// TLS with a certificate for 127.0.0.1.
fn acceptor() -> (tokio_rustls::TlsAcceptor, rcgen::CertifiedKey<rcgen::KeyPair>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (tokio_rustls::TlsAcceptor::from(Arc::new(config)), made)
}

/// A client of a NAS in memory, logged in.
pub(crate) async fn client_of(nas: &crate::simulator::DirectNas, clock: crate::clock::Clock) -> Client {
    let endpoint = Endpoint {
        url: "http://nas".parse().unwrap(),
        trust: Trust::Plaintext,
        request_timeout: 60 * SECOND,
        list_timeout: 60 * SECOND,
    };
    let credentials = Credentials {
        username: "abb-operator".into(),
        password: SecretString::from("simulated-password"),
        otp_secret: None,
        device: None,
    };
    let client = Client::new(endpoint, credentials).unwrap();
    let client = client.on(clock, Some(Arc::new(nas.clone())));
    client.dsm_info().await.unwrap();
    client
}

#[tokio::test]
async fn reads_share_one_login_and_its_session() {
    let server = Server::start(|_, _| None).await;
    let client = server.client();
    let reads = futures::future::join_all((0..5).map(|_| list(&client))).await;
    assert!(reads.iter().all(Result::is_ok));
    assert_eq!(
        (
            server.count(LOGIN),
            server.count("API.Info query"),
            server.count(LIST)
        ),
        (1, 1, 5)
    );
    let read = reads[0].as_ref().unwrap();
    assert_eq!(read.nas_date.unwrap().to_string(), "1994-11-06T08:49:37Z");
    for hit in server.hits(LIST) {
        assert_eq!(hit.target, "/webapi/entry.cgi", "nothing is in the URL");
        assert_eq!(hit.fields["_sid"], "canary-sid-0");
        assert_eq!(hit.token.as_deref(), Some("canary-token-0"));
    }
    let login = &server.hits(LOGIN)[0];
    assert_eq!(
        (login.target.as_str(), login.fields["passwd"].as_str()),
        ("/webapi/entry.cgi", PASSWORD)
    );
    assert!(!login.fields.contains_key("otp_code") && !login.fields.contains_key("_sid"));
    assert_eq!(server.hits("API.Info query")[0].target, "/webapi/query.cgi");
}

#[tokio::test]
async fn a_login_without_a_token_is_accepted() {
    let server = Server::start(|call, _| (call == LOGIN).then(|| ok(r#"{"sid":"s"}"#))).await;
    assert!(list(&server.client()).await.is_ok());
    assert_eq!(server.hits(LIST)[0].token, None);
}

#[tokio::test]
async fn an_expired_session_costs_one_login() {
    for expired in [106, 107, 119, 150] {
        let server = Server::start(move |call, nth| (call == LIST && nth == 1).then(|| code(expired))).await;
        let client = server.client();
        list(&client).await.unwrap();
        list(&client).await.unwrap();
        assert_eq!((server.count(LOGIN), server.count(LIST)), (2, 3));
        assert_eq!(server.hits(LIST)[2].fields["_sid"], "canary-sid-1");
        assert_eq!(server.hits(LIST)[2].token.as_deref(), Some("canary-token-1"));
    }
}

#[tokio::test]
async fn a_second_session_error_is_an_error() {
    let server = Server::start(|call, _| (call == LIST).then(|| code(119))).await;
    let client = server.client();
    let error = list(&client).await.unwrap_err();
    assert_eq!((error.label(), error.code()), ("refused", Some(119)));
    assert_eq!((server.count(LOGIN), server.count(LIST)), (2, 2));
}

#[tokio::test]
async fn error_105_is_tried_on_one_new_session() {
    let server = Server::start(|call, _| (call == LIST).then(|| code(105))).await;
    let client = server.client();
    client.dsm_info().await.unwrap_err();
    assert_eq!(list(&client).await.unwrap_err().label(), "permission_denied");
    assert_eq!(
        (server.count(LOGIN), server.count(LIST)),
        (2, 2),
        "the old session could be at fault"
    );
    assert_eq!(list(&client).await.unwrap_err().label(), "permission_denied");
    assert_eq!(
        (server.count(LOGIN), server.count(LIST)),
        (2, 3),
        "the new one is not"
    );

    let server = Server::start(|call, _| (call == LIST).then(|| code(105))).await;
    let client = server.client();
    for calls in 1..=3 {
        assert_eq!(list(&client).await.unwrap_err().label(), "permission_denied");
        assert_eq!(
            (server.count(LOGIN), server.count(LIST)),
            (1, calls),
            "opened for this very call"
        );
    }
}

#[tokio::test]
async fn error_105_after_a_reboot_is_about_the_session() {
    // Three reboots in a row: each makes a call fail that this session was allowed before.
    let server =
        Server::start(|call, nth| (call == LIST && [1, 3, 5].contains(&nth)).then(|| code(105))).await;
    let client = server.client();
    for _ in 0..4 {
        list(&client).await.unwrap();
    }
    assert_eq!((server.count(LOGIN), server.count(LIST)), (4, 7));
}

#[tokio::test]
async fn a_refusal_without_a_code_is_tried_on_one_new_session() {
    let without = || Reaction::Json(r#"{"success":false,"error":null}"#.to_owned());
    let server = Server::start(move |call, nth| (call == LIST && nth == 1).then(without)).await;
    let client = server.client();
    for _ in 0..3 {
        list(&client).await.unwrap();
    }
    assert_eq!(
        (server.count(LOGIN), server.count(LIST)),
        (2, 4),
        "the session was over"
    );

    let server = Server::start(move |call, nth| (call == LIST && nth > 0).then(without)).await;
    let client = server.client();
    list(&client).await.unwrap();
    for _ in 0..5 {
        assert_eq!(list(&client).await.unwrap_err().label(), "refused");
    }
    assert_eq!(server.count(LOGIN), 2, "another session changes nothing");

    let server = Server::start(move |call, _| (call == LOGIN).then(without)).await;
    let client = server.client();
    for _ in 0..3 {
        let error = list(&client).await.unwrap_err();
        assert_eq!(error.label(), "login_refused");
        assert!(error.is_refused_login());
    }
    assert_eq!(server.count(LOGIN), 1, "it may be the password");
}

#[tokio::test]
async fn a_refused_login_is_tried_once() {
    for (refused, label) in [
        (400, "login_refused"),
        (402, "permission_denied"),
        (403, "second_factor_required"),
        (407, "account_blocked"),
        (119, "login_refused"),
    ] {
        let server = Server::start(move |call, _| (call == LOGIN).then(|| code(refused))).await;
        let client = server.client();
        let reads = futures::future::join_all((0..3).map(|_| list(&client))).await;
        for read in reads {
            let error = read.unwrap_err();
            assert_eq!((error.label(), error.code()), (label, Some(refused)));
        }
        assert_eq!(
            client
                .clone()
                .arm(Mutation::Cancel(TaskId(1)))
                .await
                .unwrap_err()
                .label(),
            label
        );
        assert_eq!((server.count(LOGIN), server.count(LIST)), (1, 0));
        client.api_info().await.unwrap();
    }
}

#[tokio::test]
async fn a_failed_login_is_shared_but_not_kept() {
    let server = Server::start(|call, nth| (call == LOGIN && nth == 0).then_some(Reaction::Cut)).await;
    let client = server.client();
    let reads = futures::future::join_all((0..3).map(|_| list(&client))).await;
    assert!(
        reads
            .into_iter()
            .all(|read| read.unwrap_err().label() == "unreachable")
    );
    assert_eq!(server.count(LOGIN), 1);
    list(&client).await.unwrap();
    assert_eq!((server.count(LOGIN), server.count("API.Info query")), (2, 1));
}

#[tokio::test]
async fn a_hostile_login_path_gets_no_password() {
    let hostile = r#"{"SYNO.API.Auth":{"path":"../../evil.cgi","minVersion":1,"maxVersion":7}}"#;
    let server = Server::start(move |call, _| (call == "API.Info query").then(|| ok(hostile))).await;
    let client = server.client();
    for _ in 0..2 {
        assert_eq!(list(&client).await.unwrap_err().label(), "unexpected");
    }
    assert_eq!((server.count(LOGIN), server.count("API.Info query")), (0, 1));
}

#[tokio::test]
async fn an_unreadable_catalogue_stands_for_the_usual_place() {
    for nth in 0..3 {
        let server = Server::start(move |call, _| {
            (call == "API.Info query").then(|| match nth {
                0 => Reaction::Raw(404, "<html>"),
                1 => code(102),
                _ => Reaction::Raw(200, "<html>"),
            })
        })
        .await;
        assert!(list(&server.client()).await.is_ok());
        assert_eq!(server.hits(LOGIN)[0].fields["version"], "6");
    }
    let server = Server::start(|call, _| (call == "API.Info query").then_some(Reaction::Cut)).await;
    assert_eq!(list(&server.client()).await.unwrap_err().label(), "unreachable");
    assert_eq!(server.count(LOGIN), 0);
}

#[tokio::test]
async fn one_time_codes_and_remembered_devices_are_sent() {
    let server = Server::start(|_, _| None).await;
    let device = RememberedDevice {
        name: "box".into(),
        id: SecretString::from(DEVICE),
    };
    let credentials = Credentials {
        otp_secret: Some(SecretString::from(SEED)),
        device: Some(device),
        ..credentials()
    };
    let client = Client::new(server.endpoint(Trust::Plaintext), credentials).unwrap();
    list(&client).await.unwrap();
    let login = &server.hits(LOGIN)[0].fields;
    assert_eq!(login["otp_code"].len(), 6);
    assert_eq!(
        (login["device_name"].as_str(), login["device_id"].as_str()),
        ("box", DEVICE)
    );
}

#[tokio::test]
async fn answers_that_are_none() {
    let reactions: [(&str, React); 7] = [
        ("unexpected", || Reaction::Raw(200, "<html>login</html>")),
        ("unexpected", || Reaction::Raw(502, "<html>bad gateway</html>")),
        ("unexpected", || Reaction::Raw(200, "")),
        ("unexpected", || Reaction::Redirect),
        ("unexpected", || Reaction::TooMuch),
        ("unreachable", || Reaction::Cut),
        ("timeout", || Reaction::Hang),
    ];
    for (label, reaction) in reactions {
        let server = Server::start(move |call, _| (call == LIST).then(reaction)).await;
        let list_timeout = if label == "timeout" {
            SECOND / 5
        } else {
            60 * SECOND
        };
        let endpoint = Endpoint {
            list_timeout,
            ..server.endpoint(Trust::Plaintext)
        };
        let client = Client::new(endpoint, credentials()).unwrap();
        let error = list(&client).await.unwrap_err();
        assert_eq!(error.label(), label, "{error}");
        assert_eq!(
            (server.count(LIST), server.count(LOGIN)),
            (1, 1),
            "{label}: nothing is retried"
        );
        assert_eq!(server.hits.lock().unwrap().len(), 3, "no redirect is followed");
    }
    let server =
        Server::start(|call, _| (call == LIST).then_some(Reaction::Half("{\"success\":true,"))).await;
    let error = list(&server.client()).await.unwrap_err();
    assert!(["unreachable", "unexpected"].contains(&error.label()), "{error}");
}

#[tokio::test]
async fn a_mutation_is_sent_once_with_these_fields() {
    let server = Server::start(|_, _| None).await;
    let client = server.client();
    let armed = client.arm(Mutation::Backup(TaskId(5))).await.unwrap();
    assert_eq!(
        (server.count(LOGIN), server.count(BACKUP)),
        (1, 0),
        "arming sends nothing"
    );
    assert_eq!(armed.send(SECOND).await, Answer::Applied);
    let hits = server.hits(BACKUP);
    assert_eq!(hits.len(), 1);
    assert_eq!(
        (hits[0].target.as_str(), hits[0].fields["task_ids"].as_str()),
        ("/webapi/entry.cgi", "[5]")
    );
    assert_eq!(hits[0].fields["_sid"], "canary-sid-0");
    assert_eq!(hits[0].token.as_deref(), Some("canary-token-0"));

    drop(client.arm(Mutation::Remove(TaskId(5))).await.unwrap());
    let armed = client.arm(Mutation::Cancel(TaskId(5))).await.unwrap();
    assert_eq!(armed.send(Duration::ZERO).await, Answer::NotSent);
    assert_eq!(
        (
            server.count("ActiveBackup.Task remove"),
            server.count("ActiveBackup.Task cancel")
        ),
        (0, 0)
    );
}

#[tokio::test]
async fn a_mutation_on_an_expired_session_is_not_repeated() {
    let server = Server::start(|call, nth| (call == BACKUP && nth == 0).then(|| code(119))).await;
    let client = server.client();
    assert_eq!(backup(&client).await, Answer::Session { code: 119 });
    assert_eq!((server.count(BACKUP), server.count(LOGIN)), (1, 1));
    assert_eq!(backup(&client).await, Answer::Applied);
    assert_eq!(
        (server.count(BACKUP), server.count(LOGIN)),
        (2, 2),
        "the session was dropped"
    );
}

#[tokio::test]
async fn error_105_of_a_mutation_is_about_the_session_once() {
    let server = Server::start(|call, _| (call == BACKUP).then(|| code(105))).await;
    let client = server.client();
    assert_eq!(backup(&client).await, Answer::Session { code: 105 });
    assert_eq!(backup(&client).await, Answer::Refused { code: 105 });
    assert_eq!(backup(&client).await, Answer::Refused { code: 105 });
    assert_eq!((server.count(BACKUP), server.count(LOGIN)), (3, 2));
}

#[tokio::test]
async fn mutations_without_a_clear_answer_are_unknown_and_sent_once() {
    let unknown = |why| Answer::Unknown { why };
    let reactions: [(Answer, React); 9] = [
        (unknown(UnknownWhy::Broken), || Reaction::Cut),
        (unknown(UnknownWhy::Broken), || {
            Reaction::Half("{\"success\":true}")
        }),
        (unknown(UnknownWhy::Timeout), || Reaction::Hang),
        (unknown(UnknownWhy::Unreadable), || Reaction::Raw(200, "<html>")),
        (unknown(UnknownWhy::Unreadable), || Reaction::TooMuch),
        (unknown(UnknownWhy::HttpStatus(302)), || Reaction::Redirect),
        (unknown(UnknownWhy::HttpStatus(504)), || {
            Reaction::Raw(504, "{\"success\":true}")
        }),
        (unknown(UnknownWhy::Conflict(1202)), || code(1202)),
        (Answer::Refused { code: 1104 }, || code(1104)),
    ];
    for (expected, reaction) in reactions {
        let server = Server::start(move |call, _| (call == BACKUP).then(reaction)).await;
        let armed = server.client().arm(Mutation::Backup(TaskId(5))).await.unwrap();
        let waits = expected == unknown(UnknownWhy::Timeout);
        let deadline = if waits { SECOND / 5 } else { 60 * SECOND };
        assert_eq!(armed.send(deadline).await, expected);
        assert_eq!(
            (server.count(BACKUP), server.hits.lock().unwrap().len()),
            (1, 3),
            "{expected:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_closed_before_the_call_sends_nothing() {
    let server = Server::start(|_, _| None).await;
    let client = server.client();
    list(&client).await.unwrap();
    // A NAS that accepts and closes at once, in place of one that closes an idle connection.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint {
        url: format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap(),
        ..server.endpoint(Trust::Plaintext)
    };
    let elsewhere = Client::new(endpoint, credentials()).unwrap();
    let session = Arc::new(session::Session::new(SecretString::from("s"), None, false));
    let mutation = Mutation::Backup(TaskId(5));
    let armed = armed::open(elsewhere, Arc::clone(&session), mutation.request())
        .await
        .unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    drop(tcp);
    // The runtime looks at its sockets when it has nothing else to do.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(armed.send(5 * SECOND).await, Answer::NotSent);
}

#[tokio::test]
async fn trust_decides_for_reads_and_mutations() {
    let server = Server::with_tls(|_, _| None, true).await;
    let (der, pem) = server.certificate.clone().unwrap();
    let fingerprint: [u8; 32] = Sha256::digest(&der).into();
    let stranger = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])
        .unwrap()
        .cert
        .pem();
    for trust in [
        Trust::Fingerprint(fingerprint),
        Trust::Authority(pem.into_bytes()),
        Trust::Unverified,
    ] {
        let client = Client::new(server.endpoint(trust.clone()), credentials()).unwrap();
        list(&client).await.unwrap();
        assert_eq!(backup(&client).await, Answer::Applied, "{trust:?}");
    }
    let before = server.hits.lock().unwrap().len();
    for trust in [
        Trust::Fingerprint([7; 32]),
        Trust::Authority(stranger.into_bytes()),
        Trust::Plaintext,
    ] {
        let label = if trust == Trust::Plaintext {
            "unreachable"
        } else {
            "certificate_rejected"
        };
        let client = Client::new(server.endpoint(trust.clone()), credentials()).unwrap();
        assert_eq!(list(&client).await.unwrap_err().label(), label, "{trust:?}");
        assert_eq!(client.api_info().await.unwrap_err().label(), label);
        if trust != Trust::Plaintext {
            let session = Arc::new(session::Session::new(SecretString::from("s"), None, false));
            let error = armed::open(client, session, Mutation::Backup(TaskId(1)).request())
                .await
                .unwrap_err();
            assert_eq!(error.label(), label);
        }
    }
    assert_eq!(
        server.hits.lock().unwrap().len(),
        before,
        "not one request was sent"
    );
    let client = Client::new(server.endpoint(Trust::Fingerprint([7; 32])), credentials()).unwrap();
    let message = client.api_info().await.unwrap_err().to_string();
    assert!(
        message.contains(&hex::encode(fingerprint)),
        "a person can compare: {message}"
    );
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let endpoint = |url: &str, trust: Trust| Endpoint {
        url: url.parse().unwrap(),
        trust,
        request_timeout: SECOND,
        list_timeout: SECOND,
    };
    for (url, trust) in [
        ("http://nas", Trust::Unverified),
        ("https://nas", Trust::Plaintext),
        ("https://user:pass@nas", Trust::Unverified),
        ("https://nas/?a=b", Trust::Unverified),
        ("ftp://nas", Trust::Unverified),
        ("https://nas", Trust::Authority(b"no PEM".to_vec())),
        (
            "https://nas",
            Trust::Authority(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_vec()),
        ),
    ] {
        let label = if matches!(trust, Trust::Authority(_)) {
            "authority"
        } else {
            "configuration"
        };
        let error = Client::new(endpoint(url, trust), credentials()).unwrap_err();
        assert_eq!(error.label(), label, "{url}");
        assert!(!error.to_string().contains("pass@"));
    }
    let bad = Credentials {
        otp_secret: Some(SecretString::from("!!")),
        ..credentials()
    };
    assert_eq!(
        Client::new(endpoint("https://nas", Trust::Unverified), bad)
            .unwrap_err()
            .label(),
        "second_factor_seed"
    );
    for (base, joined) in [
        ("https://nas:5001", "https://nas:5001/webapi/entry.cgi"),
        ("https://nas:5001/", "https://nas:5001/webapi/entry.cgi"),
        ("https://nas/prefix", "https://nas/prefix/webapi/entry.cgi"),
        (
            "https://[::1]:5001/a/b/",
            "https://[::1]:5001/a/b/webapi/entry.cgi",
        ),
    ] {
        let client = Client::new(endpoint(base, Trust::Unverified), credentials()).unwrap();
        assert_eq!(client.entry_url().as_str(), joined);
    }
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let endpoint = Endpoint {
        url: format!("http://127.0.0.1:{port}").parse().unwrap(),
        trust: Trust::Plaintext,
        request_timeout: SECOND,
        list_timeout: SECOND,
    };
    let client = Client::new(endpoint, credentials()).unwrap();
    let error = list(&client).await.unwrap_err();
    assert_eq!(error.label(), "unreachable");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(!error.to_string().contains("http://"), "{error}");
    assert_eq!(
        client.arm(Mutation::Backup(TaskId(1))).await.unwrap_err().label(),
        "unreachable"
    );
}

#[tokio::test]
async fn a_logout_ends_the_session_it_names() {
    let server = Server::start(|_, _| None).await;
    let client = server.client();
    client.logout().await;
    assert_eq!(server.count("API.Auth logout"), 0, "nothing to end");
    list(&client).await.unwrap();
    client.logout().await;
    client.logout().await;
    let hits = server.hits("API.Auth logout");
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].fields["_sid"], "canary-sid-0");
    list(&client).await.unwrap();
    assert_eq!(server.count(LOGIN), 2);
}

#[tokio::test]
async fn the_observer_sees_every_request_once() {
    let server = Server::start(|call, nth| match (call, nth) {
        (LIST, 0) => Some(code(119)),
        (BACKUP, 0) => Some(code(1202)),
        (BACKUP, 1) => Some(Reaction::Hang),
        ("DSM.Info getinfo", 0) => Some(Reaction::Raw(200, "<html>")),
        _ => None,
    })
    .await;
    let records = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&records);
    let observer: Observer = Arc::new(move |record: &CallRecord| {
        assert!(record.seconds >= 0.0);
        sink.lock().unwrap().push((record.method, record.outcome));
    });
    let client = server.client().with_observer(observer);
    list(&client).await.unwrap();
    backup(&client).await;
    client
        .arm(Mutation::Backup(TaskId(5)))
        .await
        .unwrap()
        .send(SECOND / 10)
        .await;
    client.dsm_info().await.unwrap_err();
    assert_eq!(
        *records.lock().unwrap(),
        [
            ("query", "ok"),
            ("login", "ok"),
            ("list", "session"),
            ("login", "ok"),
            ("list", "ok"),
            ("backup", "refused"),
            ("backup", "timeout"),
            ("getinfo", "unexpected"),
        ]
    );
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let mut shown = Vec::new();
    let device = RememberedDevice {
        name: "box".into(),
        id: SecretString::from(DEVICE),
    };
    let full = Credentials {
        otp_secret: Some(SecretString::from(SEED)),
        device: Some(device),
        ..credentials()
    };
    shown.push(format!("{full:?}"));
    for script in 0..5 {
        let server = Server::start(move |call, _| match (script, call) {
            (0, LIST) => Some(code(119)),
            (1, LOGIN) => Some(code(400)),
            (2, LIST) => Some(Reaction::Raw(200, "<html>canary-sid-0 canary-password</html>")),
            (3, LIST) => Some(Reaction::Cut),
            (4, LOGIN) => Some(ok("{\"sid\":\"canary-sid-0\",\"synotoken\":\"canary-token\\n\"}")),
            _ => None,
        })
        .await;
        let endpoint = server.endpoint(Trust::Plaintext);
        shown.push(format!("{endpoint:?}"));
        let credentials = Credentials {
            otp_secret: None,
            ..full.clone()
        };
        let client = Client::new(endpoint, credentials).unwrap();
        let error = list(&client).await.unwrap_err();
        shown.push(format!("{error} {error:?} {client:?}"));
        if let Ok(armed) = client.arm(Mutation::Backup(TaskId(5))).await {
            shown.push(format!("{armed:?}"));
            shown.push(format!("{:?}", armed.send(SECOND).await));
        }
    }
    let session = session::Session::new(SecretString::from("canary-sid"), None, false);
    let request = login::login(
        &login::Route::default(),
        &full,
        Some(&SecretString::from("canary-code")),
    );
    shown.push(format!("{session:?} {request:?}"));
    for text in shown {
        assert!(!text.contains("canary") && !text.contains(SEED), "{text}");
    }
}

#[test]
fn the_client_can_be_shared() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    fn sent<T: Send>(_: &T) {}
    shared::<Client>();
    let answer = |armed: Armed| sent(&armed.send(SECOND));
    let _ = answer;
}

#[tokio::test(start_paused = true)]
async fn four_reads_at_a_time_are_enough_for_a_nas() {
    use crate::simulator::{DirectNas, Fault, FaultKind, Nas, Scenario};
    let begin = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let clock = crate::clock::Clock::starting_at(begin);
    let nas = DirectNas::new(Nas::new(Scenario::seed(), 1.0, begin).unwrap(), clock);
    let client = client_of(&nas, clock).await;
    let slow = FaultKind::Delay {
        milliseconds: 1000,
        before_effect: false,
    };
    let slow = Fault::new(slow).on("SYNO.ActiveBackup.Overview", "list_activity");
    nas.lock().add_fault(slow.times(0));
    let started = tokio::time::Instant::now();
    let reads = (0..9).map(|_| client.list_activity());
    for read in futures::future::join_all(reads).await {
        read.unwrap();
    }
    assert_eq!(started.elapsed(), 3 * SECOND, "four, four and one");
}
