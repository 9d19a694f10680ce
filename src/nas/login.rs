//! The parts of a login that need no network: where to send it, in which version, and its fields.

use secrecy::{ExposeSecret, SecretString};
use totp_rs::{Secret, Totp};

use super::error::Error;
use super::model::Catalogue;
use super::request::Request;
use super::settings::{Credentials, RememberedDevice};

/// The name of the session at the NAS. Active Backup accepts any.
const SESSION_NAME: &str = "ActiveBackup";

/// Where `SYNO.API.Auth` is served, and in which version it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) path: String,
    pub(super) version: i64,
}

impl Default for Route {
    /// What DSM 6.2 and 7 serve.
    fn default() -> Self {
        Self {
            path: "entry.cgi".to_owned(),
            version: 6,
        }
    }
}

impl Route {
    /// The route that the catalogue names. `Err` for a path that leads out of `/webapi/`: a password must not follow it.
    pub(super) fn of(catalogue: &Catalogue) -> Result<Self, &'static str> {
        let Some(entry) = catalogue.apis.get("SYNO.API.Auth") else {
            return Ok(Self::default());
        };
        let path = entry.path.clone().unwrap_or_else(|| Self::default().path);
        if !is_harmless(&path) {
            return Err("a login path that leads elsewhere");
        }
        let (min, max) = (entry.min_version.unwrap_or(1), entry.max_version.unwrap_or(6));
        // 6 is what unattended clients use on DSM 6.2 and 7; before that, 3 knows one-time codes.
        let wanted = if max >= 6 { 6 } else { 3 };
        Ok(Self {
            path,
            version: wanted.min(max).max(min),
        })
    }
}

/// Path below `/webapi/` and version of a login, as the catalogue names them; `Err` for a path that leads elsewhere.
pub fn login_route(catalogue: &Catalogue) -> Result<(String, i64), &'static str> {
    Route::of(catalogue).map(|Route { path, version }| (path, version))
}

/// Whether `path` stays below `/webapi/` and is nothing but a path.
fn is_harmless(path: &str) -> bool {
    let harmless = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    path.split('/')
        .all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(harmless))
}

/// The seed, in the spellings that authenticator apps show: any case, spaces, dashes, padding.
pub(super) fn totp(seed: &SecretString) -> Result<Totp, Error> {
    let seed: String = seed
        .expose_secret()
        .chars()
        .filter(|character| !character.is_whitespace() && !"-=".contains(*character))
        .map(|character| character.to_ascii_uppercase())
        .collect();
    let secret = Secret::try_from_base32(seed).map_err(|_| Error::SecondFactorSeed)?;
    if secret.as_bytes().is_empty() {
        return Err(Error::SecondFactorSeed);
    }
    // Seeds shorter than the standard wants are in use; SHA-1, six digits and 30 seconds are the defaults.
    Ok(totp_rs::Builder::new().with_secret(secret).build_noncompliant())
}

/// Whether a text can be the seed of a second factor.
#[must_use]
pub fn is_seed(seed: &SecretString) -> bool {
    totp(seed).is_ok()
}

/// The login. `otp_code` is the code of this moment.
pub(super) fn login(route: &Route, credentials: &Credentials, otp_code: Option<&SecretString>) -> Request {
    let Credentials {
        username,
        password,
        otp_secret: _,
        device,
    } = credentials;
    let mut request = Request::new("SYNO.API.Auth", route.version, "login")
        .plain("account", username.as_str())
        .secret("passwd", password)
        .plain("session", SESSION_NAME)
        .plain("format", "sid")
        .plain("enable_syno_token", "yes");
    if let Some(code) = otp_code {
        request = request.secret("otp_code", code);
    }
    if let Some(RememberedDevice { name, id }) = device {
        request = request
            .plain("device_name", name.as_str())
            .secret("device_id", id);
    }
    request
}

/// The logout of the session that goes with it.
pub(super) fn logout(route: &Route) -> Request {
    Request::new("SYNO.API.Auth", route.version, "logout").plain("session", SESSION_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nas::model::ApiEntry;

    fn catalogue(path: &str, min: i64, max: i64) -> Catalogue {
        let entry = ApiEntry {
            path: Some(path.to_owned()),
            min_version: Some(min),
            max_version: Some(max),
        };
        Catalogue {
            apis: [("SYNO.API.Auth".to_owned(), entry)].into(),
        }
    }

    #[test]
    fn versions_are_clamped() {
        for (min, max, version) in [
            (1, 7, 6),
            (1, 6, 6),
            (1, 3, 3),
            (1, 5, 3),
            (1, 2, 2),
            (7, 8, 7),
            (4, 5, 4),
        ] {
            assert_eq!(
                Route::of(&catalogue("entry.cgi", min, max)).unwrap().version,
                version,
                "{min} {max}"
            );
        }
        assert_eq!(Route::of(&Catalogue::default()), Ok(Route::default()));
        assert_eq!(Route::of(&catalogue("auth.cgi", 1, 6)).unwrap().path, "auth.cgi");
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in [
            "../entry.cgi",
            "/entry.cgi",
            "//evil/entry.cgi",
            "https://evil/entry.cgi",
            "entry.cgi?x=1",
            "a/../../b.cgi",
            "entry.cgi#x",
            "%2e%2e/entry.cgi",
            "a\\b",
            "",
            "a//b",
            "entry.cgi\n",
        ] {
            assert!(Route::of(&catalogue(path, 1, 7)).is_err(), "{path}");
        }
        assert!(Route::of(&catalogue("FileStation/file.cgi", 1, 7)).is_ok());
    }

    #[test]
    fn one_time_codes_match_the_standard() {
        // RFC 6238, appendix B, of which six digits remain.
        let seed = SecretString::from("gezd gnbv-GY3TQOJQGEZDGNBVGY3TQOJQ====");
        let totp = totp(&seed).unwrap();
        assert_eq!(totp.generate(59).to_string(), "287082");
        assert_eq!(totp.generate(1_111_111_109).to_string(), "081804");
        assert!(
            super::totp(&SecretString::from("MFRGG")).is_ok(),
            "short seeds are in use"
        );
        for bad in ["", "  ", "not base32 at all!", "0189"] {
            assert!(super::totp(&SecretString::from(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes_of_login_and_logout() {
        let mut credentials = Credentials {
            username: "op erator".to_owned(),
            password: SecretString::from("p&=%ß"),
            otp_secret: None,
            device: None,
        };
        let route = Route::default();
        assert_eq!(
            login(&route, &credentials, None).body(None),
            "api=SYNO.API.Auth&version=6&method=login&account=op+erator&passwd=p%26%3D%25%C3%9F\
             &session=ActiveBackup&format=sid&enable_syno_token=yes"
        );
        credentials.device = Some(RememberedDevice {
            name: "box".to_owned(),
            id: SecretString::from("dev"),
        });
        assert_eq!(
            login(&route, &credentials, Some(&SecretString::from("012345"))).body(None),
            "api=SYNO.API.Auth&version=6&method=login&account=op+erator&passwd=p%26%3D%25%C3%9F\
             &session=ActiveBackup&format=sid&enable_syno_token=yes&otp_code=012345&device_name=box&device_id=dev"
        );
        assert_eq!(
            logout(&route).body(Some(&SecretString::from("s"))),
            "api=SYNO.API.Auth&version=6&method=logout&session=ActiveBackup&_sid=s"
        );
    }
}
