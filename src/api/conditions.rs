//! Condition types and reasons, and the one function that sets a condition. A reason is a constant of the
//! contract: tools and people match on it, so a name never changes its meaning.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Names of the contract: the text that stands in a status, and what it means, from the same lines.
macro_rules! names {
    ($(#[$about:meta])* $type:ident { $($(#[doc = $doc:literal])+ $name:ident,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[doc = $doc])+ $name,)+ }

        impl $type {
            /// The name as it stands in conditions and Events.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it means, for the documentation.
            #[must_use]
            pub fn doc(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// Every one, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];
        }
    };
}

names! {
    /// Why a condition has its status: the machine-readable half of the message.
    Reason {
        /// The NAS answers, the account may use Active Backup.
        Connected,
        /// No connection to the NAS: name, route, port, or it is switched off.
        Unreachable,
        /// The NAS's certificate is not the one `spec.tls` allows.
        CertificateRejected,
        /// User name or password is wrong, or the account is disabled or expired.
        CredentialsRejected,
        /// The Secret, or a key in it, does not exist.
        SecretNotFound,
        /// The account asks for a one-time code that the Secret cannot give.
        SecondFactorRequired,
        /// The NAS blocks this address or account after too many attempts.
        AccountBlocked,
        /// The account may not use Active Backup for Business.
        PermissionDenied,
        /// Active Backup for Business is not installed, stopped, or being upgraded.
        PackageNotRunning,
        /// The NAS answered something that is not its API.
        UnexpectedResponse,
        /// The object's spec cannot be used as it stands; the message says why.
        InvalidSpec,
        /// Nothing has been observed yet.
        Progressing,
        /// Bound and watched; nothing is wrong.
        Reconciled,
        /// The selector matches exactly one task.
        TaskFound,
        /// The NAS lists no such task.
        TaskNotFound,
        /// The name matches several tasks; use `id` or `uniqueKey`.
        TaskAmbiguous,
        /// Another task now stands under the name or id that was bound.
        TaskReplaced,
        /// An older BackupTask acts for the same NAS task.
        TaskClaimed,
        /// The BackupServer does not exist.
        ServerNotFound,
        /// The BackupServer cannot be read at the moment.
        ServerNotReady,
        /// `suspend` holds everything back.
        Suspended,
        /// The server is in `Plan`: the message says what would be sent.
        Planned,
        /// The server is in `Observe`: nothing is planned or sent.
        Observing,
        /// Waits for the run in progress to end.
        WaitingForRun,
        /// Waits for its turn.
        Queued,
        /// A run was asked for; the NAS has not shown it yet.
        BackupRequested,
        /// A run is in progress.
        BackupRunning,
        /// A run ended well.
        BackupSucceeded,
        /// A run ended for some devices or files only.
        BackupPartiallySucceeded,
        /// A run failed.
        BackupFailed,
        /// A run was cancelled.
        BackupCanceled,
        /// A run ended with a result whose meaning is unknown.
        ResultUnknown,
        /// The task has no result yet.
        NoResult,
        /// The NAS refused the call; the message has its number.
        BackupRefused,
        /// Whether a call took effect cannot be found out.
        OutcomeUnknown,
        /// A cancel was sent and is being carried out.
        CancelRequested,
        /// A cancel was refused by the NAS.
        CancelRefused,
        /// The cancel token found nothing to cancel.
        NothingToCancel,
        /// The token's time ran out before a run could be started.
        RequestExpired,
        /// A successful run already satisfies the token.
        AlreadySatisfied,
        /// The schedule cannot be used.
        InvalidSchedule,
        /// A slot of the schedule was older than `startingDeadline` when it could have been started.
        SlotSkipped,
        /// The run was going for longer than `activeDeadline`.
        DeadlineExceeded,
        /// The newest success is younger than `maxAge`.
        WithinMaxAge,
        /// The newest success is older than `maxAge`.
        MaxAgeExceeded,
        /// The removal is not permitted by the server, another object, or the time limit.
        RemovalNotAllowed,
        /// `removal.confirm` is not the `uniqueKey` of the bound task.
        RemovalNotConfirmed,
        /// The server's removals of the day are used up.
        RemovalBreakerOpen,
        /// A version of the task is locked.
        VersionLocked,
        /// What is going to be removed stands in `status.removalPlan`.
        RemovalPlanned,
        /// The removal is being carried out by the NAS.
        RemovalInProgress,
        /// The NAS refused the removal; the message has its number.
        RemovalRefused,
        /// The task is gone from the NAS.
        TaskRemoved,
        /// The object went without anything being removed.
        RemovalAbandoned,
        /// Another `serial` answers under this server's address.
        ServerReplaced,
    }
}

names! {
    /// The condition types of both kinds.
    ConditionType {
        /// The summary that tools wait for.
        Ready,
        /// Present only while true: work towards `Ready` is under way (kstatus).
        Reconciling,
        /// Present only while true: somebody has to act (kstatus).
        Stalled,
        /// A NAS task is bound.
        Bound,
        /// The newest backup result was good.
        LastBackupSucceeded,
        /// The newest success is younger than `maxAge`; only with `maxAge`.
        Fresh,
        /// The task was removed from the NAS.
        Removed,
    }
}

/// Longest message kept: the API's own limit is 32768 characters, no reader wants that.
const MESSAGE_LIMIT: usize = 1024;

/// Sets a condition. The transition time moves only when the status flips, so a changed message or reason
/// keeps the time since which the verdict holds (Kubernetes API conventions).
pub fn set_condition(
    conditions: &mut Vec<Condition>,
    kind: ConditionType,
    verdict: Option<bool>,
    reason: Reason,
    message: impl Into<String>,
    generation: Option<i64>,
    now: Timestamp,
) {
    let status = match verdict {
        Some(true) => "True",
        Some(false) => "False",
        None => "Unknown",
    };
    let mut message: String = message.into();
    if let Some((cut, _)) = message.char_indices().nth(MESSAGE_LIMIT) {
        message.truncate(cut);
    }
    let since = condition(conditions, kind)
        .filter(|old| old.status == status)
        .map_or(status_time(now), |old| old.last_transition_time.clone());
    let next = Condition {
        last_transition_time: since,
        message,
        observed_generation: generation,
        reason: reason.as_str().to_owned(),
        status: status.to_owned(),
        type_: kind.as_str().to_owned(),
    };
    match conditions.iter_mut().find(|c| c.type_ == next.type_) {
        Some(old) => *old = next,
        None => conditions.push(next),
    }
}

/// Removes a condition that is present only while true.
pub fn take_condition(conditions: &mut Vec<Condition>, kind: ConditionType) {
    conditions.retain(|c| c.type_ != kind.as_str());
}

/// The condition of that type.
#[must_use]
pub fn condition(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == kind.as_str())
}

/// A time as a status keeps it: whole seconds, as `metav1.Time` does; a finer value would differ when read back.
#[must_use]
pub fn status_time(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_time_moves_only_when_the_status_flips() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut conditions = Vec::new();
        let mut set = |verdict, reason, second| {
            set_condition(
                &mut conditions,
                ConditionType::Ready,
                verdict,
                reason,
                "m",
                Some(1),
                at(second),
            );
            conditions[0].clone()
        };
        assert_eq!(
            set(Some(true), Reason::Reconciled, 10).last_transition_time,
            Time(at(10))
        );
        assert_eq!(
            set(Some(true), Reason::Suspended, 20).last_transition_time,
            Time(at(10))
        );
        assert_eq!(
            set(Some(false), Reason::TaskNotFound, 30).last_transition_time,
            Time(at(30))
        );
    }

    #[test]
    fn reasons_satisfy_the_api_pattern() {
        for reason in Reason::ALL {
            assert!(reason.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
        }
    }
}
