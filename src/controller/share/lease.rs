//! The Leases as they stand in the API server: their names, what is written into them, and what is read out of them.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{ResourceExt, api::ObjectMeta};
use sha2::{Digest, Sha256};

use crate::controller::ServerKey;

/// Whose Leases they are; the watch selects by these two.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "abb-operator");
const OF: &str = "activebackup.dev/lease";
/// What the holder of a slot takes. A Lease without it is of a version that knew one leader only.
const TAKES: &str = "activebackup.dev/takes";
/// Which BackupServer it is, for people.
const SERVER: &str = "activebackup.dev/server";
/// Digits of the hash in a server's Lease: two of a million servers share one once in forty million installations.
const DIGITS: usize = 16;
/// Longest value of a label.
const LABEL: usize = 63;

/// What the holder of a slot takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// A fair share of the servers.
    Share,
    /// All there is, alone.
    Everything,
    /// Nothing any more: it is about to end.
    Nothing,
}

impl Takes {
    fn label(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Everything => "everything",
            Self::Nothing => "nothing",
        }
    }
}

/// What is known of a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) version: String,
    /// Empty where it was released.
    pub(super) holder: String,
    /// How long the holder's slot lasts without renewal.
    pub(super) lasts: Duration,
    pub(super) takes: Takes,
    /// Whether it has the labels by which the watch selects.
    pub(super) is_watched: bool,
    pub(super) acquired: Option<Timestamp>,
    pub(super) transitions: i32,
}

impl Record {
    /// Reads a Lease. One without a duration lasts as long as ours would.
    pub(super) fn of(lease: &Lease, ours: Duration) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        let takes = match lease.labels().get(TAKES).map(String::as_str) {
            Some("share") => Takes::Share,
            Some("nothing") => Takes::Nothing,
            _ => Takes::Everything,
        };
        Self {
            name: lease.name_any(),
            version: lease.resource_version().unwrap_or_default(),
            holder: spec.holder_identity.unwrap_or_default(),
            lasts: seconds.map_or(ours, Duration::from_secs),
            takes,
            is_watched: lease.labels().contains_key(OF),
            acquired: spec.acquire_time.map(|time| time.0),
            transitions: spec.lease_transitions.unwrap_or(0),
        }
    }

    /// Versions of one kind are ordered numbers (Kubernetes 1.35, KEP-5504).
    pub(super) fn number(&self) -> u64 {
        self.version.parse().unwrap_or(0)
    }
}

/// The names of one installation's Leases, and what this process writes into them.
#[derive(Clone, Debug)]
pub(super) struct Leases {
    pub(super) name: String,
    pub(super) identity: String,
    pub(super) duration: Duration,
}

impl Leases {
    /// `NAME`, `NAME-1`, `NAME-2`, …
    pub(super) fn slot(&self, index: u32) -> String {
        match index {
            0 => self.name.clone(),
            index => format!("{}-{index}", self.name),
        }
    }

    /// `NAME-server-HASH`.
    pub(super) fn server(&self, (namespace, name): &ServerKey) -> String {
        let digest = hex::encode(Sha256::digest(format!("{namespace}/{name}")));
        format!("{}-server-{}", self.name, &digest[..DIGITS])
    }

    /// The number of a slot by its name.
    pub(super) fn slot_of(&self, name: &str) -> Option<u32> {
        let rest = name.strip_prefix(&self.name)?;
        if rest.is_empty() {
            return Some(0);
        }
        let digits = rest.strip_prefix('-')?;
        let index = digits.parse().ok()?;
        // `+1` and `01` are numbers as well.
        (index > 0 && self.slot(index) == name).then_some(index)
    }

    /// Whether it is the name of a server's Lease.
    pub(super) fn is_of_server(&self, name: &str) -> bool {
        name.strip_prefix(&self.name)
            .and_then(|rest| rest.strip_prefix("-server-"))
            .is_some_and(|hash| hash.len() == DIGITS)
    }

    /// What selects all of them.
    pub(super) fn selector(&self) -> String {
        format!("{}={},{OF}={}", MANAGED_BY.0, MANAGED_BY.1, self.label())
    }

    fn label(&self) -> String {
        if self.name.len() <= LABEL {
            return self.name.clone();
        }
        hex::encode(Sha256::digest(&self.name))[..DIGITS].to_owned()
    }

    /// Metadata of a Lease of ours.
    pub(super) fn metadata(
        &self,
        name: &str,
        takes: Option<Takes>,
        server: Option<&ServerKey>,
    ) -> ObjectMeta {
        let mut labels = vec![
            (MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned()),
            (OF.to_owned(), self.label()),
        ];
        labels.extend(takes.map(|takes| (TAKES.to_owned(), takes.label().to_owned())));
        let annotation = |(namespace, name): &ServerKey| (SERVER.to_owned(), format!("{namespace}/{name}"));
        ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.into_iter().collect()),
            annotations: server.map(|server| std::iter::once(annotation(server)).collect()),
            ..ObjectMeta::default()
        }
    }

    /// Our claim, on top of what stands there.
    pub(super) fn claim(&self, old: Option<&Record>) -> LeaseSpec {
        let now = Timestamp::now();
        let renewed = old.filter(|old| old.holder == self.identity);
        let taken = old.is_some() && renewed.is_none();
        let transitions = old.map_or(0, |old| old.transitions);
        LeaseSpec {
            acquire_time: Some(MicroTime(renewed.and_then(|old| old.acquired).unwrap_or(now))),
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
            lease_transitions: Some(transitions.saturating_add(i32::from(taken))),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }
    }

    /// The release of what we hold.
    pub(super) fn released(&self, old: &Record) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            ..self.claim(Some(old))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(name: &str) -> Leases {
        Leases {
            name: name.to_owned(),
            identity: "me".to_owned(),
            duration: Duration::from_secs(60),
        }
    }

    #[test]
    fn names_are_told_apart() {
        let leases = leases("abb");
        assert_eq!(
            (leases.slot(0), leases.slot(2)),
            ("abb".to_owned(), "abb-2".to_owned())
        );
        for (name, slot) in [
            ("abb", Some(0)),
            ("abb-1", Some(1)),
            ("abb-12", Some(12)),
            ("abb-0", None),
            ("abb-01", None),
            ("abb-+1", None),
            ("abb1", None),
            ("abb-server-0123456789abcdef", None),
            ("another", None),
        ] {
            assert_eq!(leases.slot_of(name), slot, "{name}");
        }
        let server = leases.server(&("backups".to_owned(), "nas".to_owned()));
        assert!(leases.is_of_server(&server) && !leases.is_of_server("abb-1"));
        let other = leases.server(&("backup".to_owned(), "snas".to_owned()));
        assert_ne!(server, other, "the slash counts");
    }

    #[test]
    fn a_long_name_makes_no_label_that_is_too_long() {
        let selector = leases(&"a".repeat(200)).selector();
        let value = selector.rsplit('=').next().unwrap();
        assert_eq!(value.len(), DIGITS);
        assert!(leases("abb").selector().ends_with("/lease=abb"));
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let leases = leases("abb");
        let lease = Lease {
            metadata: leases.metadata("abb", Some(Takes::Share), None),
            spec: Some(leases.claim(None)),
        };
        let read = Record::of(&lease, Duration::from_secs(1));
        assert_eq!((read.holder.as_str(), read.takes), ("me", Takes::Share));
        assert_eq!((read.lasts, read.transitions), (Duration::from_secs(60), 0));
        let again = leases.claim(Some(&read));
        assert_eq!(
            again.acquire_time.map(|time| time.0),
            read.acquired,
            "renewed, not taken"
        );
        let taken = leases.claim(Some(&Record {
            holder: "other".to_owned(),
            ..read.clone()
        }));
        assert_eq!(taken.lease_transitions, Some(1));
        assert_eq!(leases.released(&read).holder_identity.as_deref(), Some(""));
        let old = Lease {
            metadata: ObjectMeta::default(),
            ..lease
        };
        assert_eq!(
            Record::of(&old, Duration::ZERO).takes,
            Takes::Everything,
            "of an older version"
        );
    }
}
