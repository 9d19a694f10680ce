//! Where a NAS is, whom to trust there, and who to be. Values only; checked once, in `Client::new`.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// Where a NAS is and how long to wait for it.
#[derive(Clone)]
pub struct Endpoint {
    /// The base, such as `https://nas.example:5001`; a path is a prefix. No user information, query or fragment.
    pub url: Url,
    /// Which certificate is accepted.
    pub trust: Trust,
    /// For every call but the next; also for the login and for the opening of a connection.
    pub request_timeout: Duration,
    /// For `list` and `list_with_device`, which DSM's own notes call slow.
    pub list_timeout: Duration,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("scheme", &self.url.scheme())
            .field("host", &self.url.host_str())
            .field("port", &self.url.port_or_known_default())
            .field("trust", &self.trust)
            .field("request_timeout", &self.request_timeout)
            .field("list_timeout", &self.list_timeout)
            .finish()
    }
}

/// Which certificate of the NAS is accepted.
#[derive(Clone, PartialEq, Eq)]
pub enum Trust {
    /// One that the system's authorities signed for the host name.
    SystemRoots,
    /// One that one of these authorities signed for the host name: PEM, one certificate or more.
    Authority(Vec<u8>),
    /// The one with this SHA-256 over its DER form, whatever names and dates it has. The handshake still proves that
    /// the NAS holds its key.
    Fingerprint([u8; 32]),
    /// Any: no protection against a forged NAS.
    Unverified,
    /// No TLS: everybody on the way reads the password. Only with an `http` URL.
    Plaintext,
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemRoots => formatter.write_str("SystemRoots"),
            Self::Authority(pem) => write!(formatter, "Authority({} bytes)", pem.len()),
            Self::Fingerprint(digest) => write!(formatter, "Fingerprint({})", hex::encode(digest)),
            Self::Unverified => formatter.write_str("Unverified"),
            Self::Plaintext => formatter.write_str("Plaintext"),
        }
    }
}

/// A SHA-256 digest from 64 hexadecimal digits of either case, with or without colons between the bytes.
#[must_use]
pub fn parse_fingerprint(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    let digits: String = if text.contains(':') {
        let bytes: Vec<&str> = text.split(':').collect();
        bytes.iter().all(|byte| byte.len() == 2).then(|| bytes.concat())?
    } else {
        text.to_owned()
    };
    let mut digest = [0; 32];
    hex::decode_to_slice(digits, &mut digest).ok()?;
    Some(digest)
}

/// The account to log in with: one of its own, so that its runs can be told from those of people.
#[derive(Clone)]
pub struct Credentials {
    /// The name of the account.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// The seed of its second factor: base32, six digits every 30 seconds, SHA-1. Of any length.
    pub otp_secret: Option<SecretString>,
    /// A device that DSM remembers, which then needs no second factor until DSM forgets it.
    pub device: Option<RememberedDevice>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &"[redacted]")
            .field("otp_secret", &self.otp_secret.as_ref().map(|_| "[redacted]"))
            .field("device", &self.device)
            .finish()
    }
}

/// The pair that DSM gave to a client which once passed its second factor.
#[derive(Clone)]
pub struct RememberedDevice {
    /// The name it was given for.
    pub name: String,
    /// The token, as good as a second factor.
    pub id: SecretString,
}

impl fmt::Debug for RememberedDevice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RememberedDevice")
            .field("name", &self.name)
            .field("id", &"[redacted]")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints() {
        let plain = "00ff".repeat(16);
        let colons = ["00:FF"; 16].join(":");
        let digest = parse_fingerprint(&plain).unwrap();
        assert_eq!(digest[..4], [0, 255, 0, 255]);
        assert_eq!(parse_fingerprint(&colons), Some(digest));
        assert_eq!(parse_fingerprint(&format!(" {plain}\n")), Some(digest));
        for bad in [
            "",
            "00",
            &plain[1..],
            &format!("{plain}00"),
            &"zz".repeat(32),
            &colons[1..],
            &"0:0f".repeat(16),
        ] {
            assert_eq!(parse_fingerprint(bad), None, "{bad}");
        }
    }
}
