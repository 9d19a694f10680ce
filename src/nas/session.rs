//! The one session of a client: who holds it, when it is over, and which refusal stops all further logins.
//!
//! State and rules only; `client` does the login. A refused login is kept for the life of the client, because trying
//! again gets an account blocked.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;
use tokio::time::Instant;

use super::code::{Context, Meaning, NO_CODE};
use super::error::{Call, Error};
use super::login::Route;

/// What a login gave, and what was learnt about it since.
pub(super) struct Session {
    pub(super) sid: SecretString,
    /// Marked sensitive, so it is in no log of headers.
    pub(super) token: Option<HeaderValue>,
    opened: Instant,
    facts: Mutex<Facts>,
}

/// How long an error 105 counts as one about rights. Rights given meanwhile may need another login to show; one an hour
/// harms nobody.
const RIGHTS_HOLD: Duration = Duration::from_secs(3600);

/// Sessions that are given up within that time because of one to a call they were never allowed, at most.
const MOST_RENEWALS: usize = 3;

/// Whether a code may be about the session as well as about rights: 105, and none at all.
pub(super) fn may_mean_session(code: i64) -> bool {
    matches!(code, 105 | NO_CODE)
}

#[derive(Default)]
struct Facts {
    /// An error 105 is about rights: the session was opened because of one, or answered one when it was new.
    permission_is_final: bool,
    /// Calls that this session was allowed. If one of them answers 105 later, it is the session after all, as after a
    /// reboot of the NAS.
    allowed: HashSet<Call>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Session([redacted])")
    }
}

impl Session {
    pub(super) fn new(sid: SecretString, token: Option<HeaderValue>, because_of_105: bool) -> Self {
        let facts = Facts {
            permission_is_final: because_of_105,
            allowed: HashSet::new(),
        };
        Self {
            sid,
            token,
            opened: Instant::now(),
            facts: Mutex::new(facts),
        }
    }

    pub(super) fn note_allowed(&self, call: Call) {
        lock(&self.facts).allowed.insert(call);
    }

    pub(super) fn was_allowed(&self, call: Call) -> bool {
        lock(&self.facts).allowed.contains(&call)
    }

    pub(super) fn permission_is_final(&self) -> bool {
        self.holds(&lock(&self.facts))
    }

    fn holds(&self, facts: &Facts) -> bool {
        facts.permission_is_final && self.opened.elapsed() < RIGHTS_HOLD
    }

    /// Whether `code` says that this session is over and another login may help. `opened_for_this` is true where this
    /// very call opened it: a 105 on it then is about rights.
    pub(super) fn is_over(&self, call: Call, code: i64, opened_for_this: bool) -> bool {
        if Meaning::of(code, Context::Common).is_session() {
            return true;
        }
        if !may_mean_session(code) {
            return false;
        }
        let mut facts = lock(&self.facts);
        facts.permission_is_final |= opened_for_this;
        !self.holds(&facts) || facts.allowed.contains(&call)
    }
}

/// The state of a client's session, behind short locks that are never held over an await.
#[derive(Default)]
pub(super) struct Sessions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Session>>,
    dropped_for_105: bool,
    refused: Option<Error>,
    route: Option<Result<Route, &'static str>>,
    attempts: u64,
    /// Logins that succeeded.
    opened: u64,
    last_failure: Option<Error>,
    /// When sessions were given up because of an error 105.
    renewed_for_105: Vec<Instant>,
}

impl Sessions {
    /// The session, the latched refusal, or neither with the number of logins tried so far.
    pub(super) fn current(&self) -> Result<Result<Arc<Session>, u64>, Error> {
        let state = lock(&self.state);
        match (&state.refused, &state.current) {
            (Some(refused), _) => Err(refused.clone()),
            (None, Some(session)) => Ok(Ok(Arc::clone(session))),
            (None, None) => Ok(Err(state.attempts)),
        }
    }

    /// The failure of a login that ended while the caller, who had seen `attempts`, waited for it.
    pub(super) fn failure_since(&self, attempts: u64) -> Option<Error> {
        let state = lock(&self.state);
        if state.attempts == attempts {
            None
        } else {
            state.last_failure.clone()
        }
    }

    pub(super) fn opened(&self, sid: SecretString, token: Option<HeaderValue>) -> Arc<Session> {
        let mut state = lock(&self.state);
        let session = Arc::new(Session::new(sid, token, state.dropped_for_105));
        state.dropped_for_105 = false;
        state.attempts += 1;
        state.opened += 1;
        state.last_failure = None;
        state.current = Some(Arc::clone(&session));
        session
    }

    /// How many logins succeeded.
    pub(super) fn count(&self) -> u64 {
        lock(&self.state).opened
    }

    /// Keeps a failed login for those who wait for it, and for good where the NAS refused it.
    pub(super) fn failed(&self, error: &Error, refused: bool) {
        let mut state = lock(&self.state);
        state.attempts += 1;
        state.last_failure = Some(error.clone());
        if refused {
            state.refused = Some(error.clone());
        }
    }

    /// Forgets `session`, unless another took its place already.
    pub(super) fn drop_session(&self, session: &Arc<Session>, code: i64) {
        let mut state = lock(&self.state);
        if state
            .current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, session))
        {
            state.current = None;
            state.dropped_for_105 = may_mean_session(code);
        }
    }

    /// Whether another login because of an error 105 is no loop, for a call that the session was never allowed: an account
    /// without a right answers it again and again, whatever else opened sessions in between. Of several calls that meet it
    /// in one session, one counts.
    pub(super) fn renew_for_105(&self, session: &Arc<Session>) -> bool {
        let mut state = lock(&self.state);
        let is_current = |current: &Arc<Session>| Arc::ptr_eq(current, session);
        if !state.current.as_ref().is_some_and(is_current) {
            return true;
        }
        state.renewed_for_105.retain(|at| at.elapsed() < RIGHTS_HOLD);
        if state.renewed_for_105.len() >= MOST_RENEWALS {
            return false;
        }
        state.renewed_for_105.push(Instant::now());
        true
    }

    /// Takes the session away for a logout.
    pub(super) fn take(&self) -> Option<Arc<Session>> {
        lock(&self.state).current.take()
    }

    pub(super) fn route(&self) -> Option<Result<Route, &'static str>> {
        lock(&self.state).route.clone()
    }

    pub(super) fn keep_route(&self, route: Result<Route, &'static str>) {
        lock(&self.state).route = Some(route);
    }
}

/// No code panics while it holds one of these locks; were it to, the state would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
