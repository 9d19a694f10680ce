//! The watch of the BackupTasks that are waited for, and what is told of an API server that is away or refuses. It is opened
//! anew whenever it breaks; a refusal counts only when it lasts.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use kube::{
    Api,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        watcher::{self, watcher},
    },
};

use super::{Place, chosen::explain};
use crate::{api::BackupTask, cli::Failure};

/// How long an API server may refuse before it means it: right after its start it refuses everybody.
const REFUSING: Duration = Duration::from_secs(15);
/// How long it may be away before that is told.
const AWAY: Duration = Duration::from_secs(5);

/// One thing that a watch shows.
pub(super) type Event = watcher::Event<DeserializeGuard<BackupTask>>;
/// What comes of a watch.
pub(super) type Watch = Pin<Box<dyn Stream<Item = watcher::Result<Event>> + Send>>;

/// Watches one BackupTask of the namespace, or all. One that cannot be read breaks nothing.
pub(super) fn open(place: &Place, only: Option<&str>) -> Watch {
    let api: Api<DeserializeGuard<BackupTask>> = Api::namespaced(place.client.clone(), &place.namespace);
    let mut config = watcher::Config::default();
    if let Some(name) = only {
        config = config.fields(&format!("metadata.name={name}"));
    }
    watcher(api, config).default_backoff().boxed()
}

/// How the API server fares.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    since: Option<Instant>,
    is_told: bool,
}

impl Trouble {
    /// Whether it is away at the moment.
    pub fn lasts(&self) -> bool {
        self.since.is_some()
    }

    /// It has answered; gives what is to be told.
    pub fn is_over(&mut self) -> Option<&'static str> {
        let was_told = std::mem::take(self).is_told;
        was_told.then_some("the API server answers again")
    }

    /// It has failed; gives what is to be told, or the end where it refuses for good.
    pub fn failed(&mut self, error: &watcher::Error) -> Result<Option<String>, Failure> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if let watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) = error
            && matches!(error, kube::Error::Api(status) if [401, 403, 404].contains(&status.code))
            && since.elapsed() >= REFUSING
        {
            return Err(explain(error, "watch the BackupTasks", "list and watch"));
        }
        if since.elapsed() < AWAY || self.is_told {
            return Ok(None);
        }
        self.is_told = true;
        let failure = Failure::because("warning: the API server does not answer", error);
        Ok(Some(format!("{failure}; still waiting")))
    }

    /// It has shown nothing at all for long; gives what is to be told.
    pub fn is_silent(&mut self) -> Option<&'static str> {
        self.since.get_or_insert_with(Instant::now);
        let is_news = !std::mem::replace(&mut self.is_told, true);
        is_news.then_some("warning: the API server does not answer; still waiting")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16) -> watcher::Error {
        let status = kube::core::Status::failure("no", "no").with_code(code);
        watcher::Error::WatchStartFailed(kube::Error::Api(Box::new(status)))
    }

    fn since(ago: Duration) -> Trouble {
        Trouble {
            since: Instant::now().checked_sub(ago),
            is_told: false,
        }
    }

    #[test]
    fn a_short_absence_is_not_told_a_long_one_once_and_its_end() {
        let mut trouble = Trouble::default();
        assert!(trouble.failed(&refused(503)).unwrap().is_none() && trouble.lasts());
        assert_eq!(trouble.is_over(), None);
        let mut trouble = since(AWAY);
        assert!(
            trouble
                .failed(&refused(503))
                .unwrap()
                .unwrap()
                .contains("still waiting")
        );
        assert!(trouble.failed(&refused(503)).unwrap().is_none());
        assert!(trouble.is_silent().is_none());
        assert!(trouble.is_over().is_some() && !trouble.lasts());
        assert!(trouble.is_silent().is_some());
    }

    #[test]
    fn a_refusal_counts_when_it_lasts() {
        assert!(since(AWAY).failed(&refused(403)).is_ok());
        assert!(since(REFUSING).failed(&refused(503)).is_ok());
        let failure = since(REFUSING).failed(&refused(403)).unwrap_err().to_string();
        assert!(failure.contains("it takes the verbs list and watch"), "{failure}");
    }
}
