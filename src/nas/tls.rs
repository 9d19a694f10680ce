//! The one TLS configuration of a client, used for reads and mutations alike, and the telling apart of a rejected
//! certificate from any other failure to connect.
//!
//! Clients share what is large: the cryptography, the authorities of the system, which are read once per process, and
//! authorities of the same text. What a client has for itself is the TLS session that its next connection resumes.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use sha2::{Digest, Sha256};

use super::error::{Cause, Error};
use super::settings::Trust;

/// TLS sessions that are kept to be resumed: those of one server. A store of many would be made for them at once.
const SESSIONS: usize = 8;

/// The configuration for `trust`. For [`Trust::Plaintext`] it is one that trusts nobody.
pub(super) fn config(trust: &Trust) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(format!("TLS versions: {error}")))?;
    let mut config = match verifier(trust)? {
        Some(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth(),
        None => builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(config)
}

/// Who judges certificates, where there are any.
fn verifier(trust: &Trust) -> Result<Option<Arc<dyn ServerCertVerifier>>, Error> {
    Ok(Some(match trust {
        Trust::SystemRoots => system()?,
        Trust::Authority(pem) => authority_of(pem)?,
        Trust::Fingerprint(digest) => Arc::new(LeafVerifier::new(provider(), Some(*digest))),
        Trust::Unverified => Arc::new(LeafVerifier::new(provider(), None)),
        Trust::Plaintext => return Ok(None),
    }))
}

fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
}

/// Trusts the authorities of the system, as they were when the first client asked for them.
fn system() -> Result<Arc<dyn ServerCertVerifier>, Error> {
    static SYSTEM: Mutex<Option<Arc<Verifier>>> = Mutex::new(None);
    let mut system = SYSTEM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = &*system {
        return Ok(known.clone());
    }
    let read = Verifier::new(Arc::clone(provider()))
        .map_err(|error| setup(format!("the authorities of the system: {error}")))?;
    Ok(system.insert(Arc::new(read)).clone())
}

/// Trusts the authorities of a PEM, which many servers may name and which may be a bundle of hundreds.
fn authority_of(pem: &[u8]) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    type Known = BTreeMap<[u8; 32], Weak<WebPkiServerVerifier>>;
    static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
    let digest: [u8; 32] = Sha256::digest(pem).into();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(verifier) = known.get(&digest).and_then(Weak::upgrade) {
        return Ok(verifier);
    }
    let roots = Arc::new(authorities(pem)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider()))
        .build()
        .map_err(|error| authority(format!("no authority: {error}")))?;
    known.retain(|_, verifier| verifier.strong_count() > 0);
    known.insert(digest, Arc::downgrade(&verifier));
    Ok(verifier)
}

fn setup(what: String) -> Error {
    Error::Configuration { what }
}

fn authority(what: String) -> Error {
    Error::Authority { what }
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| authority(format!("no PEM: {error}")))?;
        store
            .add(certificate)
            .map_err(|error| authority(format!("no certificate: {error}")))?;
    }
    if store.is_empty() {
        return Err(authority("it holds no certificate".to_owned()));
    }
    Ok(store)
}

/// Accepts one leaf certificate, or any; in both cases the peer must prove that it holds the key.
#[derive(Debug)]
struct LeafVerifier {
    digest: Option<[u8; 32]>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl LeafVerifier {
    fn new(provider: &CryptoProvider, digest: Option<[u8; 32]>) -> Self {
        Self {
            digest,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for LeafVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let presented: [u8; 32] = Sha256::digest(end_entity).into();
        match self.digest {
            Some(expected) if expected != presented => {
                let mismatch = rustls::OtherError(Arc::new(FingerprintMismatch { presented }));
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(
                    mismatch,
                )))
            }
            Some(_) | None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Another certificate than the pinned one. Its fingerprint is public and is what a person compares.
#[derive(Debug, thiserror::Error)]
#[error("the certificate has the SHA-256 fingerprint {}, which is not the expected one", hex::encode(.presented))]
struct FingerprintMismatch {
    presented: [u8; 32],
}

/// What is wrong with a certificate, without the time at which it was looked at: the same fault has to read the same at
/// every poll, or each poll would change a status.
fn timeless(reason: &CertificateError) -> String {
    let at = |time: &UnixTime| {
        let second = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(second)
            .map_or_else(|_| "an unknown time".to_owned(), |time| time.to_string())
    };
    match reason {
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!(
                "the certificate has expired: it was valid until {}",
                at(not_after)
            )
        }
        CertificateError::NotValidYet => "the certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!(
                "the certificate is not valid yet: it is valid from {}",
                at(not_before)
            )
        }
        CertificateError::ExpiredRevocationListContext { next_update, .. } => {
            format!(
                "the list of revoked certificates has expired: it was to be renewed by {}",
                at(next_update)
            )
        }
        reason => reason.to_string(),
    }
}

/// Why the certificate was rejected, if that is what went wrong anywhere below `error`.
pub(super) fn certificate_fault(error: &(dyn StdError + 'static)) -> Option<Cause> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(rustls::Error::InvalidCertificate(reason)) = current.downcast_ref() {
            return Some(match reason {
                CertificateError::Other(other) => Cause::of(&*other.0),
                reason => Cause::text(timeless(reason)),
            });
        }
        // An I/O error names the source of what it wraps as its own source, and so hides what it wraps.
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => current.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_share_authorities_and_not_sessions() {
        let pem = || {
            let made = rcgen::generate_simple_self_signed(["nas".to_owned()]).unwrap();
            made.cert.pem().into_bytes()
        };
        let (pem, other) = (pem(), pem());
        let of = |pem: &[u8]| authority_of(pem).unwrap();
        let first = of(&pem);
        assert!(Arc::ptr_eq(&first, &of(&pem)));
        assert!(!Arc::ptr_eq(&first, &of(&other)));
        assert!(authority_of(b"no PEM").is_err());
        let [one, two] = [(); 2].map(|()| config(&Trust::Authority(pem.clone())).unwrap());
        assert!(Arc::ptr_eq(one.crypto_provider(), two.crypto_provider()));
        if let Ok(system) = system() {
            assert!(Arc::ptr_eq(&system, &super::system().unwrap()));
        }
    }

    #[test]
    fn a_certificate_out_of_its_time_reads_the_same_at_every_look() {
        let at = |second: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(second));
        let fault = |reason: CertificateError| {
            let error = io::Error::other(rustls::Error::InvalidCertificate(reason));
            certificate_fault(&error).unwrap().to_string()
        };
        let expired = |time| {
            fault(CertificateError::ExpiredContext {
                time: at(time),
                not_after: at(1_700_000_000),
            })
        };
        assert_eq!(expired(1_800_000_000), expired(1_800_000_300));
        assert_eq!(
            expired(1_800_000_000),
            "the certificate has expired: it was valid until 2023-11-14T22:13:20Z"
        );
        let early = |time| {
            fault(CertificateError::NotValidYetContext {
                time: at(time),
                not_before: at(1_900_000_000),
            })
        };
        assert_eq!(early(1_800_000_000), early(1_800_000_300));
        assert!(fault(CertificateError::UnknownIssuer).contains("UnknownIssuer"));
    }
}
