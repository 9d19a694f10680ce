//! The client of one NAS: one session, reads that log in again once, and the door to mutations.
//!
//! It keeps no data of the NAS and never retries beyond that one login. The inventory calls the reads; the actor calls
//! [`Client::arm`]. A refused login is final for a client: its owner makes a new one when the Secret changes or a
//! back-off is over.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use totp_rs::Totp;
use url::Url;

use super::armed::{self, Armed};
use super::carrier::SharedCarrier;
use super::codes::OneTimeCodes;
use super::error::{Call, Error};
use super::intake::{Intake, Whole};
use super::login;
use super::model::{
    ActivityList, Catalogue, DeviceTaskList, DsmInfo, LogPage, ResultPage, TaskId, TaskList, VersionList,
};
use super::request::{self, ListResults, ListTasks, Mutation, Request};
use super::session::{Session, Sessions, may_mean_session};
use super::settings::{Credentials, Endpoint, Trust};
use super::tap::Tap;
use super::wire::{self, Fault, TaskListEnd, TaskSink, TaskStream};
use super::{tls, transport};
use crate::clock::Clock;

mod asking;
mod opening;

pub use asking::entry_address;

pub(super) const ENTRY: &str = "entry.cgi";

/// A value that was read, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Read<T> {
    /// The value.
    pub value: T,
    /// Our clock, just before the request was sent: what is in the value was true then or later.
    pub begun: Timestamp,
    /// The clock of the NAS as it answered (the HTTP `Date`, in whole seconds).
    pub nas_date: Option<Timestamp>,
}

/// One HTTP request, for metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallRecord {
    /// Such as `SYNO.ActiveBackup.Task`.
    pub api: &'static str,
    /// Such as `list`.
    pub method: &'static str,
    /// `ok`, `refused`, `timeout`, `transport`, `unexpected`, `login_refused` or `session`.
    pub outcome: &'static str,
    /// How long it took.
    pub seconds: f64,
}

/// Called after each HTTP request; it must not block.
pub type Observer = Arc<dyn Fn(&CallRecord) + Send + Sync>;

/// A client of one NAS with one session. Clones share both.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    observer: Option<Observer>,
    tap: Option<Tap>,
    clock: Clock,
    carrier: Option<SharedCarrier>,
    codes: OneTimeCodes,
    /// Lists have no more time than other calls.
    hurries: bool,
    logins: Logins,
}

/// What a client does where there is no session, or one that is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Logins {
    /// It logs in, once per call.
    AsNeeded,
    /// It says so, and drops a session that is over.
    Told,
    /// It says so and leaves everything to the next call of another.
    Left,
}

/// Reads in flight at the same time, of all clones of a client. A NAS serves its own users first; the published clients
/// that bound themselves use 4 to 6 (dsm-api-facts 1.7).
const MOST_READS: usize = 4;

struct Shared {
    url: Url,
    request_timeout: Duration,
    list_timeout: Duration,
    credentials: Credentials,
    totp: Option<Totp>,
    tls: Option<Arc<ClientConfig>>,
    pool: reqwest::Client,
    sessions: Sessions,
    /// Held by the one login in flight.
    flight: tokio::sync::Mutex<()>,
    /// One permit for each read that may be in flight.
    reads: Semaphore,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("host", &self.shared.url.host_str())
            .field("port", &self.shared.url.port_or_known_default())
            .finish_non_exhaustive()
    }
}

/// The value of one exchange, or the code that the NAS answered.
enum Outcome<T> {
    Value(Read<T>),
    Code(i64),
}

impl Client {
    /// Checks the settings; connects to nothing.
    ///
    /// # Errors
    /// [`Error::Configuration`], [`Error::Authority`] or [`Error::SecondFactorSeed`] only.
    pub fn new(endpoint: Endpoint, credentials: Credentials) -> Result<Self, Error> {
        check(&endpoint)?;
        let config = tls::config(&endpoint.trust)?;
        let pool = transport::pool(config.clone())?;
        let totp = credentials.otp_secret.as_ref().map(login::totp).transpose()?;
        let Endpoint {
            url,
            trust,
            request_timeout,
            list_timeout,
        } = endpoint;
        let tls = (trust != Trust::Plaintext).then(|| Arc::new(config));
        let shared = Shared {
            url,
            request_timeout,
            list_timeout,
            credentials,
            totp,
            tls,
            pool,
            sessions: Sessions::default(),
            flight: tokio::sync::Mutex::new(()),
            reads: Semaphore::new(MOST_READS),
        };
        Ok(Self {
            shared: Arc::new(shared),
            observer: None,
            tap: None,
            clock: Clock::system(),
            carrier: None,
            codes: OneTimeCodes::default(),
            hurries: false,
            logins: Logins::AsNeeded,
        })
    }

    /// The same client, which calls `observer` after each HTTP request, the login included.
    #[must_use]
    pub fn with_observer(self, observer: Observer) -> Self {
        Self {
            observer: Some(observer),
            ..self
        }
    }

    /// The same client, which shows `tap` what it reads and the answers to its logins. Mutations are not shown.
    #[must_use]
    pub fn with_tap(self, tap: Tap) -> Self {
        Self {
            tap: Some(tap),
            ..self
        }
    }

    /// The same client on another clock, and with another way to the NAS where there is one.
    #[must_use]
    pub fn on(self, clock: Clock, carrier: Option<SharedCarrier>) -> Self {
        Self {
            clock,
            carrier,
            ..self
        }
    }

    /// The same client with a record of one-time codes that it shares with others.
    #[must_use]
    pub fn with_codes(self, codes: OneTimeCodes) -> Self {
        Self { codes, ..self }
    }

    /// The same client, whose lists have the time of a request: for the list of one task.
    #[must_use]
    pub fn with_list_as_request(self) -> Self {
        Self {
            hurries: true,
            ..self
        }
    }

    /// The same client, which opens no session: for reads that may be given up on at any time. A login that nobody waits
    /// for any more could be refused without anybody knowing.
    #[must_use]
    pub fn without_login(self) -> Self {
        Self {
            logins: Logins::Left,
            ..self
        }
    }

    /// The same client for one who wants to look at the credentials before they are used again: where there is no session,
    /// or one that is over, a call fails with [`Error::SessionOver`] and leaves none. The next call of a client that logs in
    /// opens one.
    #[must_use]
    pub fn without_renewal(self) -> Self {
        Self {
            logins: Logins::Told,
            ..self
        }
    }

    /// How long a list may take.
    fn list_time(&self) -> Duration {
        if self.hurries {
            self.shared.request_timeout
        } else {
            self.shared.list_timeout
        }
    }

    /// The clock that its reads are dated by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// How many logins have succeeded. Each may have been at another machine behind the same address: what was learnt
    /// of the machine before is not known to hold any more.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.shared.sessions.count()
    }

    /// Tasks and what belongs to them. Slow: bounded by the list timeout.
    pub async fn list_tasks(&self, query: &ListTasks) -> Result<Read<TaskList>, Error> {
        let mut tasks = Vec::new();
        let Read {
            value: end,
            begun,
            nas_date,
        } = self.list_tasks_into(query, &mut tasks).await?;
        let value = TaskList {
            tasks,
            total: end.total,
            unreadable_rows: end.unreadable_rows,
        };
        Ok(Read {
            value,
            begun,
            nas_date,
        })
    }

    /// The same, each task given to `sink` as it arrives: the answer is never held. What the sink was given counts only if
    /// the result is [`Ok`].
    pub async fn list_tasks_into(
        &self,
        query: &ListTasks,
        sink: &mut dyn TaskSink,
    ) -> Result<Read<TaskListEnd>, Error> {
        let mut stream = TaskStream::new(sink);
        self.read_into(&query.request(), self.list_time(), &mut stream)
            .await
    }

    /// Pairs of task and device, with the last result of each. Slow: bounded by the list timeout.
    pub async fn list_with_device(&self) -> Result<Read<DeviceTaskList>, Error> {
        let request = request::list_with_device();
        self.read(&request, self.shared.list_timeout, wire::device_task_list)
            .await
    }

    /// Rows of the log of jobs, newest first. This, and not a task's `last_result`, tells the last backup.
    pub async fn list_results(&self, query: &ListResults) -> Result<Read<ResultPage>, Error> {
        self.read(&query.request(), self.shared.request_timeout, wire::result_page)
            .await
    }

    /// Rows of the log of one task, not older than a second of the NAS's clock: also what was asked for and did not
    /// start, which leaves no result.
    pub async fn list_log(
        &self,
        task: TaskId,
        from_timestamp: i64,
        limit: u64,
    ) -> Result<Read<LogPage>, Error> {
        let request = request::list_log(task, from_timestamp, limit);
        self.read(&request, self.shared.request_timeout, wire::log_page)
            .await
    }

    /// The versions of a task.
    pub async fn list_versions(&self, task: TaskId) -> Result<Read<VersionList>, Error> {
        let request = request::list_versions(task);
        self.read(&request, self.shared.request_timeout, wire::version_list)
            .await
    }

    /// What runs and what waits, and who started it.
    pub async fn list_activity(&self) -> Result<Read<ActivityList>, Error> {
        self.read(
            &request::list_activity(),
            self.shared.request_timeout,
            wire::activity_list,
        )
        .await
    }

    /// The model, version and serial number of the NAS.
    pub async fn dsm_info(&self) -> Result<Read<DsmInfo>, Error> {
        self.read(&request::dsm_info(), self.shared.request_timeout, wire::dsm_info)
            .await
    }

    /// The APIs that the NAS serves. Needs no session and works after a refused login.
    pub async fn api_info(&self) -> Result<Read<Catalogue>, Error> {
        let request = request::api_info("all");
        let after = self.shared.request_timeout;
        self.ask_openly("query.cgi", &request, after, wire::catalogue)
            .await
    }

    /// Prepares one mutation to be sent once: a session, and a connection of its own, open to the end of its
    /// handshake. Nothing of the mutation is sent. Bounded by the request timeout, and as long again for a login.
    pub async fn arm(&self, mutation: Mutation) -> Result<Armed, Error> {
        let request = mutation.request();
        let (session, _) = self.session(request.call).await?;
        armed::open(self.clone(), session, request).await
    }

    /// Ends the session at the NAS, as far as that works within the request timeout. DSM keeps sessions that nobody
    /// ends until they pile up.
    pub async fn logout(&self) {
        let Some(session) = self.shared.sessions.take() else {
            return;
        };
        let Some(Ok(route)) = self.shared.sessions.route() else {
            return;
        };
        let request = login::logout(&route);
        let after = self.shared.request_timeout;
        let outcome = self
            .exchange(
                &route.path,
                &request,
                Some(&session),
                after,
                &mut Whole::new(wire::verdict),
            )
            .await;
        if let Err(error) = outcome {
            tracing::debug!(%error, "failed to log out");
        }
    }

    async fn read<T>(
        &self,
        request: &Request,
        after: Duration,
        parse: impl Fn(&[u8]) -> Result<T, Fault> + Send,
    ) -> Result<Read<T>, Error> {
        self.read_into(request, after, &mut Whole::new(parse)).await
    }

    /// Asks, and where the session turns out to be over, logs in and asks once more.
    async fn read_into<T>(
        &self,
        request: &Request,
        after: Duration,
        intake: &mut dyn Intake<T>,
    ) -> Result<Read<T>, Error> {
        let call = request.call;
        let (session, opened_for_this) = self.session(call).await?;
        let code = match self
            .exchange(ENTRY, request, Some(&session), after, intake)
            .await?
        {
            Outcome::Value(read) => {
                session.note_allowed(call);
                return Ok(read);
            }
            Outcome::Code(code) => code,
        };
        let is_over = session.is_over(call, code, opened_for_this);
        // The next read that may log in meets the same answer.
        if self.logins == Logins::Left || !is_over {
            return Err(Error::from_code(call, code));
        }
        if may_mean_session(code)
            && !session.was_allowed(call)
            && !self.shared.sessions.renew_for_105(&session)
        {
            return Err(Error::from_code(call, code));
        }
        self.shared.sessions.drop_session(&session, code);
        if self.logins == Logins::Told {
            return Err(Error::SessionOver { call });
        }
        let (session, _) = self.session(call).await?;
        match self
            .exchange(ENTRY, request, Some(&session), after, intake)
            .await?
        {
            Outcome::Value(read) => {
                session.note_allowed(call);
                Ok(read)
            }
            Outcome::Code(code) => {
                if session.is_over(call, code, true) {
                    self.shared.sessions.drop_session(&session, code);
                }
                Err(Error::from_code(call, code))
            }
        }
    }

    /// One HTTP request and its answer, taken in and reported to the observer.
    async fn exchange<T>(
        &self,
        path: &str,
        request: &Request,
        session: Option<&Session>,
        after: Duration,
        intake: &mut dyn Intake<T>,
    ) -> Result<Outcome<T>, Error> {
        let call = request.call;
        // The semaphore is never closed; each holder ends within its own time.
        let _permit = self.shared.reads.acquire().await;
        let body = request.body(session.map(|session| &session.sid));
        let token = session.and_then(|session| session.token.as_ref());
        let (begun, started) = (self.clock.now(), Instant::now());
        intake.begin();
        let (mut shown, most, mut length) = (Vec::new(), transport::most_of(call), 0);
        let mut take = |status: u16, piece: &[u8]| {
            length += piece.len();
            if length > most {
                return Err(Error::TooLarge { call, most });
            }
            if self.tap.is_some() {
                shown.extend_from_slice(piece);
            }
            match status {
                200 => intake.take(piece).map_err(|fault| match fault {
                    Fault::Code(code) => Error::from_code(call, code),
                    Fault::Unexpected(what) => unexpected(call, what),
                }),
                _ => Ok(()),
            }
        };
        let head = if let Some(carrier) = &self.carrier {
            transport::carry(carrier, path, body, token, call, after, &mut take).await
        } else {
            let url = self.url(path);
            transport::post(&self.shared.pool, url, body, token, call, after, &mut take).await
        };
        if let Some(tap) = &self.tap {
            request.show(tap, begun, started.elapsed(), (head.as_ref().ok(), &shown));
        }
        let outcome = head.and_then(|head| {
            if head.status != 200 {
                return Err(unexpected(call, &format!("HTTP status {}", head.status)));
            }
            match intake.finish() {
                Ok(value) => Ok(Outcome::Value(Read {
                    value,
                    begun,
                    nas_date: head.date,
                })),
                Err(Fault::Code(code)) => Ok(Outcome::Code(code)),
                Err(Fault::Unexpected(what)) => Err(unexpected(call, what)),
            }
        });
        self.observe(call, read_outcome(call, &outcome), started);
        outcome
    }

    /// Tells the observer about one request that started at `started`.
    pub(super) fn observe(&self, call: Call, outcome: &'static str, started: Instant) {
        if let Some(observer) = &self.observer {
            let Call { api, method } = call;
            observer(&CallRecord {
                api,
                method,
                outcome,
                seconds: started.elapsed().as_secs_f64(),
            });
        }
    }

    /// `path` below `/webapi/` of the endpoint, whose own path is a prefix.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.shared.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("webapi").extend(path.split('/'));
        }
        url
    }

    /// Where mutations go.
    pub(super) fn entry_url(&self) -> Url {
        self.url(ENTRY)
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.shared.request_timeout
    }

    pub(super) fn carrier(&self) -> Option<&SharedCarrier> {
        self.carrier.as_ref()
    }

    pub(super) fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.shared.tls.clone()
    }

    pub(super) fn drop_session(&self, session: &Arc<Session>, code: i64) {
        self.shared.sessions.drop_session(session, code);
    }
}

fn check(endpoint: &Endpoint) -> Result<(), Error> {
    let Endpoint {
        url,
        trust,
        request_timeout,
        list_timeout,
    } = endpoint;
    let scheme = if *trust == Trust::Plaintext {
        "http"
    } else {
        "https"
    };
    let problem = if url.scheme() != scheme {
        Some("the scheme of the URL must be https, or http where plaintext is chosen")
    } else if url.host().is_none() {
        Some("the URL has no host")
    } else if !url.username().is_empty() || url.password().is_some() {
        Some("the URL must not hold a user name or a password")
    } else if url.query().is_some() || url.fragment().is_some() {
        Some("the URL must not have a query or a fragment")
    } else if request_timeout.is_zero() || list_timeout.is_zero() {
        Some("the timeouts must not be zero")
    } else {
        None
    };
    match problem {
        Some(what) => Err(Error::Configuration {
            what: what.to_owned(),
        }),
        None => Ok(()),
    }
}

fn unexpected(call: Call, what: &str) -> Error {
    Error::Unexpected {
        call,
        what: what.to_owned(),
    }
}

fn read_outcome<T>(call: Call, outcome: &Result<Outcome<T>, Error>) -> &'static str {
    use super::code::{Context, Meaning};
    match outcome {
        Ok(Outcome::Value(_)) => "ok",
        Ok(Outcome::Code(_)) if call.context() == Context::Login => "login_refused",
        Ok(Outcome::Code(code)) if Meaning::of(*code, call.context()).is_session() => "session",
        Ok(Outcome::Code(_)) => "refused",
        Err(Error::Timeout { .. }) => "timeout",
        Err(Error::Unexpected { .. } | Error::TooLarge { .. }) => "unexpected",
        Err(_) => "transport",
    }
}
