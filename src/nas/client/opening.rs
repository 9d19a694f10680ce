//! How a client gets its session: one login at a time, where the catalogue says, with a fresh one-time code.
//!
//! Those who wait for a login share its outcome. A refusal by the NAS is kept for good, any other failure is not.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;

use super::{Client, Logins, Outcome, Read, unexpected};
use crate::nas::error::{Call, Error};
use crate::nas::intake::Whole;
use crate::nas::login::{self, Route};
use crate::nas::request;
use crate::nas::session::Session;
use crate::nas::wire;

impl Client {
    /// The session for a call, and whether this call opened it. One login at a time; those who wait share its outcome.
    pub(super) async fn session(&self, call: Call) -> Result<(Arc<Session>, bool), Error> {
        let sessions = &self.shared.sessions;
        let attempts = match sessions.current()? {
            Ok(session) => return Ok((session, false)),
            Err(attempts) => attempts,
        };
        if self.logins != Logins::AsNeeded {
            return Err(Error::SessionOver { call });
        }
        let _flight = self.shared.flight.lock().await;
        if let Ok(session) = sessions.current()? {
            return Ok((session, false));
        }
        if let Some(error) = sessions.failure_since(attempts) {
            return Err(error);
        }
        match self.log_in().await {
            Ok((sid, token)) => Ok((sessions.opened(sid, token), true)),
            Err((error, refused)) => {
                sessions.failed(&error, refused);
                Err(error)
            }
        }
    }

    /// One login. The error comes with whether the NAS refused it, which is for good.
    async fn log_in(&self) -> Result<(SecretString, Option<HeaderValue>), (Error, bool)> {
        let passing = |error| (error, false);
        let route = self.login_route().await.map_err(passing)?;
        let otp_code = self.otp_code().await;
        let request = login::login(&route, &self.shared.credentials, otp_code.as_ref());
        let after = self.shared.request_timeout;
        let outcome = self
            .exchange(&route.path, &request, None, after, &mut Whole::new(wire::login))
            .await
            .map_err(passing)?;
        match outcome {
            Outcome::Value(Read {
                value: wire::LoginData { sid, token },
                ..
            }) => {
                let token = token.as_deref().map(sensitive).transpose();
                let token = token.map_err(|what| passing(unexpected(request.call, what)))?;
                Ok((SecretString::from(sid), token))
            }
            Outcome::Code(code) => Err((Error::from_code(request.call, code), true)),
        }
    }

    /// Asks once per client where to log in. An answer that cannot be read stands for the usual place.
    async fn login_route(&self) -> Result<Route, Error> {
        let request = request::api_info("SYNO.API.Auth,SYNO.ActiveBackup.Task");
        let route = if let Some(route) = self.shared.sessions.route() {
            route
        } else {
            let after = self.shared.request_timeout;
            let route = match self
                .exchange(
                    "query.cgi",
                    &request,
                    None,
                    after,
                    &mut Whole::new(wire::catalogue),
                )
                .await
            {
                Ok(Outcome::Value(read)) => Route::of(&read.value),
                Ok(Outcome::Code(_)) | Err(Error::Unexpected { .. }) => Ok(Route::default()),
                Err(error) => return Err(error),
            };
            self.shared.sessions.keep_route(route.clone());
            route
        };
        route.map_err(|what| unexpected(request.call, what))
    }

    /// The code of this moment. DSM takes each code once, so a login waits for the next one where this may be spent.
    async fn otp_code(&self) -> Option<SecretString> {
        let totp = self.shared.totp.as_ref()?;
        let seed = self.shared.credentials.otp_secret.as_ref()?;
        let mut now = self.clock.now();
        while let Err(seconds) = self.codes.spend(seed, now) {
            tracing::info!(seconds, "waiting for the next one-time code");
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            now = self.clock.now();
        }
        let now = u64::try_from(now.as_second()).unwrap_or_default();
        Some(SecretString::from(totp.generate(now).to_string()))
    }
}

fn sensitive(token: &str) -> Result<HeaderValue, &'static str> {
    let mut value = HeaderValue::from_str(token).map_err(|_| "a token that cannot be a header")?;
    value.set_sensitive(true);
    Ok(value)
}
