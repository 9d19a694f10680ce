//! The one TLS configuration of a client, used for reads and mutations alike, and the telling apart of a rejected
//! certificate from any other failure to connect.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

use super::error::{Cause, Error};
use super::settings::Trust;

/// The configuration for `trust`. For [`Trust::Plaintext`] it is one that trusts nobody.
pub(super) fn config(trust: &Trust) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(format!("TLS versions: {error}")))?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::SystemRoots => Arc::new(
            rustls_platform_verifier::Verifier::new(provider)
                .map_err(|error| setup(format!("the authorities of the system: {error}")))?,
        ),
        Trust::Authority(pem) => {
            return Ok(builder
                .with_root_certificates(authorities(pem)?)
                .with_no_client_auth());
        }
        Trust::Fingerprint(digest) => Arc::new(LeafVerifier::new(&provider, Some(*digest))),
        Trust::Unverified => Arc::new(LeafVerifier::new(&provider, None)),
        Trust::Plaintext => {
            return Ok(builder
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth());
        }
    };
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
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
