//! The certificate: self-signed and new at every start, as a NAS has one out of the box. Clients trust it by
//! its fingerprint or by its PEM text.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::Error;

/// A certificate and what listens with it.
pub(super) struct Identity {
    pub(super) acceptor: TlsAcceptor,
    /// SHA-256 of the certificate, hex, lower case.
    pub(super) fingerprint: String,
    pub(super) pem: String,
}

impl Identity {
    /// Makes a certificate for localhost, `127.0.0.1` and `::1`.
    pub(super) fn generate() -> Result<Self, Error> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).map_err(Error::MakeCertificate)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "synology.simulated");
        let key = KeyPair::generate().map_err(Error::MakeCertificate)?;
        let certificate = params.self_signed(&key).map_err(Error::MakeCertificate)?;
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate.der().clone()], private)
            })
            .map_err(Error::ConfigureTls)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            fingerprint: hex::encode(Sha256::digest(certificate.der())),
            pem: certificate.pem(),
        })
    }
}
