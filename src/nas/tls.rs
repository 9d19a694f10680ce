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

fn authorities(pem: &[u8]) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| setup(format!("the authority is no PEM: {error}")))?;
        store
            .add(certificate)
            .map_err(|error| setup(format!("the authority is no certificate: {error}")))?;
    }
    if store.is_empty() {
        return Err(setup("the authority holds no certificate".to_owned()));
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

/// Why the certificate was rejected, if that is what went wrong anywhere below `error`.
pub(super) fn certificate_fault(error: &(dyn StdError + 'static)) -> Option<Cause> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(rustls::Error::InvalidCertificate(reason)) = current.downcast_ref() {
            return Some(match reason {
                CertificateError::Other(other) => Cause::of(&*other.0),
                reason => Cause::text(reason.to_string()),
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
