//! One watch on the Leases of an installation, resumed from the version it has come to. It is the only thing by which a process
//! learns of the others.

use std::time::Duration;

use futures::{Stream, StreamExt, stream, stream::BoxStream};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    api::{ListParams, WatchEvent, WatchParams},
};
use tokio::time::{Instant, sleep, timeout};

use super::lease::{Leases, Record};

/// How long one watch lasts. A dead connection is noticed sooner, by the renewals that do not come back.
const WATCH_SECONDS: u32 = 3000;
/// Longest wait for a list, or for a watch to begin.
const ANSWER: Duration = Duration::from_secs(20);
/// After a failure, and between two watches that end at once.
const PAUSE: Duration = Duration::from_secs(1);
/// Lists that are refused before the rights are taken for lacking: those of a new Role take effect a moment later.
const REFUSALS: u32 = 5;

/// What the watch tells.
#[derive(Debug)]
pub(super) enum Told {
    /// All Leases, up to a version, as of a list that was asked for at that time.
    Listed(Vec<Record>, u64, Instant),
    /// One Lease has changed.
    Shown(Record),
    /// One Lease is gone.
    Hidden(Record),
    /// Nothing has changed up to a version.
    Upto(u64),
    /// The rights are lacking.
    Refused,
}

/// All Leases, by one list.
pub(super) async fn list(api: &Api<Lease>, leases: &Leases) -> Result<(Vec<Record>, String), kube::Error> {
    let params = ListParams::default().labels(&leases.selector());
    let list = api.list(&params).await?;
    let version = list.metadata.resource_version.unwrap_or_default();
    let records = list.items.iter().map(|lease| Record::of(lease, leases.duration));
    Ok((records.collect(), version))
}

enum State {
    List {
        refused: u32,
    },
    Begin {
        version: String,
    },
    Watch {
        events: BoxStream<'static, Result<WatchEvent<Lease>, kube::Error>>,
        version: String,
        since: Instant,
    },
}

/// Lists and watches for ever; ends after [`Told::Refused`].
pub(super) fn watching(api: Api<Lease>, leases: Leases) -> impl Stream<Item = Told> + Send {
    let begin = Some(State::List { refused: 0 });
    stream::unfold(begin, move |state| {
        let (api, leases) = (api.clone(), leases.clone());
        async move {
            let mut state = state?;
            loop {
                let (told, next) = step(&api, &leases, state).await;
                match told {
                    Some(Told::Refused) => return Some((Told::Refused, None)),
                    Some(told) => return Some((told, Some(next))),
                    None => state = next,
                }
            }
        }
    })
}

async fn step(api: &Api<Lease>, leases: &Leases, state: State) -> (Option<Told>, State) {
    match state {
        State::List { refused } => {
            let asked = Instant::now();
            match timeout(ANSWER, list(api, leases)).await {
                Ok(Ok((records, version))) => {
                    let told = Told::Listed(records, version.parse().unwrap_or(0), asked);
                    (Some(told), State::Begin { version })
                }
                Ok(Err(kube::Error::Api(status))) if status.code == 403 && refused >= REFUSALS => {
                    (Some(Told::Refused), State::List { refused })
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "failed to list the Leases");
                    let is_refusal = matches!(&error, kube::Error::Api(status) if status.code == 403);
                    let refused = if is_refusal { refused + 1 } else { 0 };
                    sleep(PAUSE).await;
                    (None, State::List { refused })
                }
                Err(_) => (None, State::List { refused: 0 }),
            }
        }
        State::Begin { version } => {
            let params = WatchParams::default()
                .labels(&leases.selector())
                .timeout(WATCH_SECONDS);
            if let Ok(Ok(events)) = timeout(ANSWER, api.watch(&params, &version)).await {
                let (events, since) = (events.boxed(), Instant::now());
                let next = State::Watch {
                    events,
                    version,
                    since,
                };
                return (None, next);
            }
            sleep(PAUSE).await;
            (None, State::List { refused: 0 })
        }
        State::Watch {
            mut events,
            version,
            since,
        } => {
            let record = |lease: &Lease| Record::of(lease, leases.duration);
            let (told, version) = match events.next().await {
                Some(Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease))) => {
                    let record = record(&lease);
                    let version = record.version.clone();
                    (Told::Shown(record), version)
                }
                Some(Ok(WatchEvent::Deleted(lease))) => {
                    let record = record(&lease);
                    let version = record.version.clone();
                    (Told::Hidden(record), version)
                }
                Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                    let version = bookmark.metadata.resource_version;
                    (Told::Upto(version.parse().unwrap_or(0)), version)
                }
                // Its time is over, or the connection is; what comes next is known by its version.
                None => {
                    if since.elapsed() < PAUSE {
                        sleep(PAUSE).await;
                    }
                    return (None, State::Begin { version });
                }
                Some(Ok(WatchEvent::Error(_)) | Err(_)) => {
                    sleep(PAUSE).await;
                    return (None, State::List { refused: 0 });
                }
            };
            (
                Some(told),
                State::Watch {
                    events,
                    version,
                    since,
                },
            )
        }
    }
}
