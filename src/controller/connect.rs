//! From a BackupServer and its Secret to a session, or to the reason of its `Ready`. A refused login is never a
//! loop: the same credentials are tried again after 1h, doubling to 24h; changed ones at once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::{
    Context,
    cluster::{Cluster, Keys},
    fleet::{Connection, Memory, Probed, Problem, Refusal},
};
use crate::{
    api::{BackupServer, CaKind, Reason, TlsSpec, status_time},
    clock::Clock,
    nas::{self, Capabilities, Client, Credentials, Endpoint, OneTimeCodes, RememberedDevice, Trust},
};

/// First wait after a refused login, and the longest (contract, BackupServer).
const FIRST_DELAY: SignedDuration = SignedDuration::from_hours(1);
const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(24);
/// A Secret that is edited while a session holds changes nothing before the next login, so a read at every poll would be
/// most of what a quiet operator asks of the API server.
const SECRET_POLLS: u32 = 6;
/// It is noticed within this all the same.
const SECRET_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Longest wait for what only informs.
const PROBE: Duration = Duration::from_secs(5);
/// How long a finding stands within one login: a package can be updated under it.
const PROBE_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// When a probe that told not everything is tried again.
const PROBE_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Makes sure that `memory` has a session made from the current Secret. Network: at most one read of the Secret and
/// of the CA, one login, one DSM information.
pub async fn connect<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    memory: &mut Memory,
    now: Timestamp,
) -> Result<(), Problem> {
    if !secret_is_due(server, memory, now) {
        return match &memory.refusal {
            Some(refusal) => Err(refusal.problem.clone()),
            None => log_in(server, memory, now, None).await,
        };
    }
    let is_edited = memory.secret_read.is_none();
    let settings = settings(&ctx.cluster, server).await;
    let Settings {
        endpoint,
        credentials,
        fingerprint,
        secret_version,
    } = match settings {
        Ok(settings) => settings,
        // An API server that does not answer says nothing of the Secret: what held, holds, and the next poll asks again.
        Err(problem) if !problem.stalled && !is_edited => {
            tracing::debug!(server = server.name_any(), message = problem.message);
            return match &memory.refusal {
                Some(refusal) => Err(refusal.problem.clone()),
                None if memory.connection.is_some() => log_in(server, memory, now, None).await,
                None => Err(problem),
            };
        }
        Err(problem) => {
            memory.secret_read = Some(now);
            drop_connection(memory).await;
            return Err(problem);
        }
    };
    memory.secret_read = Some(now);
    recall_refusal(server, memory);
    if let Some(refusal) = &mut memory.refusal {
        if refusal.fingerprint.is_none() && refusal.secret_version == secret_version {
            // What was refused is known again: from here on only a used key counts, not each version of the Secret.
            refusal.fingerprint = Some(fingerprint);
        }
        let same = refusal.fingerprint == Some(fingerprint);
        if same {
            // A restart has only the version to go by.
            refusal.secret_version.clone_from(&secret_version);
        }
        if same && now < refusal.next_attempt {
            return Err(refusal.problem.clone());
        }
        if !same {
            memory.refusal = None;
        }
    }
    if memory
        .connection
        .as_ref()
        .is_none_or(|connection| connection.fingerprint != fingerprint)
        || memory.refusal.is_some()
    {
        drop_connection(memory).await;
        let client = Client::new(endpoint, credentials)
            .map_err(|error| problem(server, &error))?
            .on(ctx.machine.clock, ctx.machine.carrier.clone())
            .with_codes(ctx.machine.codes.clone())
            .with_observer(ctx.metrics.observer(server));
        memory.connection = Some(Connection {
            client,
            fingerprint,
            dsm: None,
            login: 0,
            probed: None,
        });
    }
    log_in(server, memory, now, Some(secret_version)).await
}

/// A client of this server for one command: its Secret and its authority are read now. Network: Kubernetes only.
///
/// # Errors
/// The reason that the server's `Ready` would have.
pub async fn client_of<C: Cluster>(
    cluster: &C,
    server: &BackupServer,
    clock: Clock,
) -> Result<Client, Problem> {
    let Settings {
        endpoint,
        credentials,
        fingerprint: _,
        secret_version,
    } = settings(cluster, server).await?;
    if let Some(next) = refused_until(server, &secret_version, clock.now()) {
        // Each further attempt brings the address or the account nearer to a block.
        return Err(Problem {
            reason: Reason::CredentialsRejected,
            message: format!(
                "{}: the NAS refused the login with this Secret; it is not tried again before the Secret changes or {next}",
                address(server),
            ),
            stalled: true,
        });
    }
    let client = Client::new(endpoint, credentials).map_err(|error| problem(server, &error))?;
    // What the operator spent is not known here.
    Ok(client.with_codes(OneTimeCodes::starting_at(clock.now())))
}

/// Until when the login with this version of the Secret is not to be tried: the status says that it was refused.
#[must_use]
pub fn refused_until(server: &BackupServer, secret_version: &str, now: Timestamp) -> Option<Timestamp> {
    let login = server.status.as_ref()?.login.as_ref()?;
    let next = login.next_attempt_time.as_ref()?.0;
    (login.refused_secret_version.as_deref() == Some(secret_version) && now < next).then_some(next)
}

/// Where the NAS of this server is and whom to trust there: what can be known without its Secret. Network: Kubernetes only.
///
/// # Errors
/// The reason that the server's `Ready` would have.
pub async fn endpoint_of<C: Cluster>(cluster: &C, server: &BackupServer) -> Result<Endpoint, Problem> {
    let namespace = server.namespace().unwrap_or_default();
    let (trust, _) = trust(cluster, server, &namespace).await?;
    endpoint(server, trust)
}

/// The Secret is read before each login, every sixth idle poll while there is a session, but once an hour at least, and
/// while refused once per `polling.active`.
fn secret_is_due(server: &BackupServer, memory: &Memory, now: Timestamp) -> bool {
    let polling = &server.spec.polling;
    let every = if memory.refusal.is_some() {
        polling.active.get()
    } else {
        polling.idle.get().saturating_mul(SECRET_POLLS)
    };
    let every = SignedDuration::try_from(every).map_or(SECRET_EVERY, |every| every.min(SECRET_EVERY));
    memory.is_session_over
        || memory
            .problem
            .as_ref()
            .is_some_and(|problem| problem.stalled && memory.refusal.is_none())
        || (memory.connection.is_none() && memory.refusal.is_none())
        || memory
            .secret_read
            .is_none_or(|read| now.duration_since(read) >= every)
}

async fn drop_connection(memory: &mut Memory) {
    if let Some(old) = memory.connection.take() {
        old.client.logout().await;
    }
}

/// In a new reign the status knows best whether logins are refused and until when. A session of ours goes with what was
/// known of them, so that the next login asks the status first. Network: its logout.
pub async fn forget_refusal(server: &BackupServer, memory: &mut Memory) {
    let is_told = server
        .status
        .as_ref()
        .is_some_and(|status| status.login.is_some());
    if memory.refusal.take().is_some() || is_told {
        memory.problem = None;
        drop_connection(memory).await;
    }
}

/// After a restart the status knows of a refusal.
fn recall_refusal(server: &BackupServer, memory: &mut Memory) {
    if memory.refusal.is_some() || memory.connection.is_some() {
        return;
    }
    let Some(login) = server.status.as_ref().and_then(|status| status.login.as_ref()) else {
        return;
    };
    let (Some(version), Some(next)) = (&login.refused_secret_version, &login.next_attempt_time) else {
        return;
    };
    let conditions = server
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    let ready = crate::api::condition(conditions, crate::api::ConditionType::Ready);
    let reason = ready.and_then(|ready| Reason::ALL.iter().find(|reason| reason.as_str() == ready.reason));
    let problem = Problem {
        reason: reason.copied().unwrap_or(Reason::CredentialsRejected),
        message: ready.map(|ready| ready.message.clone()).unwrap_or_default(),
        stalled: true,
    };
    memory.refusal = Some(Refusal {
        fingerprint: None,
        secret_version: version.clone(),
        next_attempt: next.0,
        delay: recalled_delay(conditions, next.0),
        problem,
    });
}

/// The delay that led to `next`. Delays double, so from the first refusal to `next` there were 1, 2, 4, … of the first
/// one: half of that sum and of one more is the last. Waiting too long heals with the Secret; too short blocks.
fn recalled_delay(conditions: &[Condition], next: Timestamp) -> SignedDuration {
    let since = crate::api::condition(conditions, crate::api::ConditionType::Stalled)
        .map_or(next, |stalled| stalled.last_transition_time.0);
    ((next.duration_since(since) + FIRST_DELAY) / 2).clamp(FIRST_DELAY, LONGEST_DELAY)
}

/// The first call of a session: logs in and asks who the machine is.
async fn log_in(
    server: &BackupServer,
    memory: &mut Memory,
    now: Timestamp,
    secret_version: Option<String>,
) -> Result<(), Problem> {
    memory.secret_version = secret_version.clone().or_else(|| memory.secret_version.take());
    let Some(connection) = &mut memory.connection else {
        let message = format!("no session with {:?} yet", server.name_any());
        return Err(Problem {
            reason: Reason::Unreachable,
            message,
            stalled: false,
        });
    };
    if connection.is_identified() && !memory.is_session_over {
        return Ok(());
    }
    match identify(connection).await {
        Ok(()) => {
            memory.is_session_over = false;
            memory.refusal = None;
            Ok(())
        }
        Err(error) => Err(failed(server, memory, &error, now, secret_version)),
    }
}

/// Asks who the machine is. Network: one read, and a login where there is no session.
pub async fn identify(connection: &mut Connection) -> Result<(), nas::Error> {
    let dsm = match connection.client.dsm_info().await {
        Ok(read) => read.value,
        // An account without that right can still do its work; the machine then has no serial.
        Err(error) if error.is_unavailable() => nas::DsmInfo::default(),
        Err(error) => return Err(error),
    };
    connection.dsm = Some(dsm);
    // The answer is of the newest session: one that was over has been asked again in it.
    connection.login = connection.client.logins();
    Ok(())
}

/// Asks once per login what the account can ask for. A NAS that is slow to tell is not waited for. Network: one read, or a
/// few where the NAS takes only one call at a time.
pub async fn probe(memory: &mut Memory, now: Timestamp) {
    let Some(connection) = &mut memory.connection else {
        return;
    };
    if memory.problem.is_some() || !connection.is_identified() {
        return;
    }
    let login = connection.client.logins();
    if connection
        .probed
        .as_ref()
        .is_some_and(|probed| probed.login == login && now < probed.again)
    {
        return;
    }
    let client = connection.client.clone().without_login();
    let found = match tokio::time::timeout(PROBE, client.probe()).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            tracing::debug!(%error, "failed to probe the package");
            None
        }
        Err(_) => None,
    };
    let is_whole = found.as_ref().is_some_and(Capabilities::is_whole);
    connection.probed = Some(Probed {
        login,
        found: found.or_else(|| connection.probed.take().and_then(|before| before.found)),
        again: now + if is_whole { PROBE_EVERY } else { PROBE_AGAIN },
    });
}

/// Takes note of a failed read. A refused login is remembered with the credentials it was refused for.
pub fn failed(
    server: &BackupServer,
    memory: &mut Memory,
    error: &nas::Error,
    now: Timestamp,
    secret_version: Option<String>,
) -> Problem {
    let mut problem = problem(server, error);
    if matches!(error, nas::Error::LoginRefused { .. }) && !error.is_refused_login() {
        // Busy, not refused; the client has latched it, a new one asks again at the next poll.
        memory.connection = None;
    }
    if error.is_refused_login() {
        let delay = memory
            .refusal
            .as_ref()
            .map_or(FIRST_DELAY, |old| (old.delay * 2).min(LONGEST_DELAY));
        let next_attempt = now + delay;
        let next = status_time(next_attempt).0;
        problem.message = format!(
            "{}; not tried again before the Secret changes or {next}",
            problem.message
        );
        memory.refusal = Some(Refusal {
            fingerprint: memory
                .connection
                .as_ref()
                .map(|connection| connection.fingerprint),
            secret_version: secret_version
                .or_else(|| memory.secret_version.clone())
                .unwrap_or_default(),
            next_attempt,
            delay,
            problem: problem.clone(),
        });
    }
    problem
}

/// The reason of the server's `Ready` for a failed call, sorted by who has to act.
#[must_use]
pub fn problem(server: &BackupServer, error: &nas::Error) -> Problem {
    let (reason, stalled) = match error {
        nas::Error::Unreachable { .. } | nas::Error::Timeout { .. } => (Reason::Unreachable, false),
        nas::Error::Configuration { .. } => (Reason::Unreachable, true),
        nas::Error::CertificateRejected { .. } | nas::Error::Authority { .. } => {
            (Reason::CertificateRejected, true)
        }
        nas::Error::Unexpected { .. }
        | nas::Error::TooLarge { .. }
        | nas::Error::SessionOver { .. }
        | nas::Error::MethodMissing { .. }
        | nas::Error::Refused { .. } => (Reason::UnexpectedResponse, false),
        nas::Error::LoginRefused { .. } if !error.is_refused_login() => (Reason::UnexpectedResponse, false),
        nas::Error::LoginRefused { .. } => (Reason::CredentialsRejected, true),
        nas::Error::SecondFactorRequired { .. } | nas::Error::SecondFactorSeed => {
            (Reason::SecondFactorRequired, true)
        }
        nas::Error::AccountBlocked { .. } => (Reason::AccountBlocked, true),
        nas::Error::PermissionDenied { .. } => (Reason::PermissionDenied, true),
        nas::Error::PackageNotRunning { .. } => (Reason::PackageNotRunning, false),
    };
    Problem {
        reason,
        message: nas::explain(&address(server), error),
        stalled,
    }
}

/// Host and port of the NAS: what a message names it by. Never user information, which the schema refuses anyway.
fn address(server: &BackupServer) -> String {
    let url: Option<url::Url> = server.spec.url.parse().ok();
    let host = url
        .as_ref()
        .and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    host.map_or_else(|| server.name_any(), |(host, port)| format!("{host}:{port}"))
}

struct Settings {
    endpoint: Endpoint,
    credentials: Credentials,
    fingerprint: [u8; 32],
    secret_version: String,
}

async fn settings<C: Cluster>(cluster: &C, server: &BackupServer) -> Result<Settings, Problem> {
    let namespace = server.namespace().unwrap_or_default();
    let name = &server.spec.credentials.secret_ref.name;
    let secret = match cluster.read_secret(&namespace, name).await {
        Ok(Some(secret)) => secret,
        Ok(None) => {
            return Err(no_secret(format!(
                "the Secret {name:?} does not exist in namespace {namespace:?}"
            )));
        }
        Err(error) => {
            return Err(Problem {
                stalled: !error.is_passing,
                ..no_secret(error.to_string())
            });
        }
    };
    let mut digest = Sha256::new();
    let mut text = |key: &str| -> Option<String> {
        let value = secret
            .get(key)
            .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())?;
        // Files written by editors end in a line break that no password field would have taken.
        let value = value.trim_end_matches(['\n', '\r']).to_owned();
        digest.update([key.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        (!value.is_empty()).then_some(value)
    };
    let missing = |key: &str| no_secret(format!("the Secret {name:?} has no key {key:?}"));
    let username = text("username").ok_or_else(|| missing("username"))?;
    let password = text("password").ok_or_else(|| missing("password"))?;
    let otp_secret = text("otp-secret").map(SecretString::from);
    let device = match (text("device-name"), text("device-id")) {
        (Some(name), Some(id)) => Some(RememberedDevice { name, id: id.into() }),
        _ => None,
    };
    let (trust, trust_text) = trust(cluster, server, &namespace).await?;
    digest.update(&trust_text);
    digest.update(server.spec.url.as_bytes());
    let endpoint = endpoint(server, trust)?;
    digest.update(format!("{:?}", (endpoint.request_timeout, endpoint.list_timeout)));
    let credentials = Credentials {
        username,
        password: password.into(),
        otp_secret,
        device,
    };
    let secret_version = secret.resource_version.clone();
    Ok(Settings {
        endpoint,
        credentials,
        fingerprint: digest.finalize().into(),
        secret_version,
    })
}

fn endpoint(server: &BackupServer, trust: Trust) -> Result<Endpoint, Problem> {
    let url = server.spec.url.parse().map_err(|error| Problem {
        reason: Reason::Unreachable,
        message: format!("failed to read spec.url: {error}"),
        stalled: true,
    })?;
    let timeouts = &server.spec.timeouts;
    Ok(Endpoint {
        url,
        trust,
        request_timeout: timeouts.request.get(),
        list_timeout: timeouts.list.get(),
    })
}

fn no_secret(message: String) -> Problem {
    Problem {
        reason: Reason::SecretNotFound,
        message,
        stalled: true,
    }
}

async fn trust<C: Cluster>(
    cluster: &C,
    server: &BackupServer,
    namespace: &str,
) -> Result<(Trust, Vec<u8>), Problem> {
    let tls = server.spec.tls.clone().unwrap_or_default();
    if server.spec.url.starts_with("http://") {
        return Ok((Trust::Plaintext, b"plaintext".to_vec()));
    }
    let TlsSpec {
        ca_ref,
        fingerprint,
        insecure_skip_verify,
        allow_plaintext: _,
    } = tls;
    if let Some(text) = fingerprint {
        let rejected = || Problem {
            reason: Reason::CertificateRejected,
            message: "spec.tls.fingerprint is not a SHA-256 in hexadecimal".to_owned(),
            stalled: true,
        };
        let pinned = nas::parse_fingerprint(&text).ok_or_else(rejected)?;
        return Ok((Trust::Fingerprint(pinned), text.into_bytes()));
    }
    if insecure_skip_verify == Some(true) {
        return Ok((Trust::Unverified, b"unverified".to_vec()));
    }
    let Some(ca) = ca_ref else {
        return Ok((Trust::SystemRoots, b"system".to_vec()));
    };
    let read: Result<Option<Keys>, _> = match ca.kind {
        CaKind::Secret => cluster.read_secret(namespace, &ca.name).await,
        CaKind::ConfigMap => cluster.read_config_map(namespace, &ca.name).await,
    };
    let keys = read.map_err(|error| Problem {
        reason: Reason::CertificateRejected,
        stalled: !error.is_passing,
        message: error.to_string(),
    })?;
    let pem = keys.and_then(|keys| keys.get(&ca.key).map(<[u8]>::to_vec));
    pem.map(|pem| (Trust::Authority(pem.clone()), pem))
        .ok_or_else(|| Problem {
            reason: Reason::CertificateRejected,
            message: format!(
                "the {:?} {:?} with the certificate authority has no key {:?}",
                ca.kind, ca.name, ca.key
            ),
            stalled: true,
        })
}
