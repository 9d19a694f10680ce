//! The way to a NAS below its API, step by step: the name, the port, the certificate. For people who look for the place
//! where it ends; the client itself takes all of these steps at once. Nothing is asked of the NAS here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use url::{Host, Url};

use super::error::Cause;
use super::settings::Endpoint;
use super::tls::{self, certificate_fault};

/// After every certificate's time.
const NEVER: Duration = Duration::from_secs(1 << 40);

/// The certificate that is shown under an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 over its DER form.
    pub fingerprint: [u8; 32],
    /// Until when it is valid, where that can be read.
    pub valid_until: Option<Timestamp>,
    /// Why the endpoint's trust does not take it.
    pub fault: Option<Cause>,
}

/// The addresses that the host of a URL stands for.
///
/// # Errors
/// What the resolver said.
pub async fn resolve(url: &Url, after: Duration) -> Result<Vec<SocketAddr>, Cause> {
    let port = url.port_or_known_default().unwrap_or_default();
    let found = match url.host() {
        Some(Host::Ipv4(address)) => return Ok(vec![SocketAddr::from((address, port))]),
        Some(Host::Ipv6(address)) => return Ok(vec![SocketAddr::from((address, port))]),
        Some(Host::Domain(name)) => tokio::time::timeout(after, tokio::net::lookup_host((name, port))).await,
        None => return Err(Cause::text("the URL has no host".to_owned())),
    };
    match found {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => Err(Cause::of(&error)),
        Err(_) => Err(late(after)),
    }
}

/// Connects to the first of the addresses that lets it.
///
/// # Errors
/// What the last of them said.
pub async fn connect(addresses: &[SocketAddr], after: Duration) -> Result<(SocketAddr, TcpStream), Cause> {
    let mut last = Cause::text("there is no address".to_owned());
    for address in addresses {
        match tokio::time::timeout(after, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((*address, stream)),
            Ok(Err(error)) => last = Cause::of(&error),
            Err(_) => last = late(after),
        }
    }
    Err(last)
}

/// The certificate that is shown on a connection, and what the endpoint's trust says of it. `again` is where to connect
/// for that second look.
///
/// # Errors
/// What is no TLS, in its own words.
pub async fn certificate(
    endpoint: &Endpoint,
    stream: TcpStream,
    again: SocketAddr,
) -> Result<Certificate, Cause> {
    let after = endpoint.request_timeout;
    let shown = shown(&endpoint.url, stream, after).await?;
    let config = tls::config(&endpoint.trust).map_err(|error| Cause::of(&error))?;
    let (_, stream) = connect(&[again], after).await?;
    let fault = match handshake(&endpoint.url, stream, config, after).await {
        Ok(()) => None,
        Err(error) => Some(certificate_fault(&error).unwrap_or_else(|| Cause::of(&error))),
    };
    Ok(Certificate {
        fingerprint: Sha256::digest(&shown).into(),
        valid_until: valid_until(&shown),
        fault,
    })
}

/// Whether what listens there speaks TLS.
pub async fn speaks_tls(url: &Url, stream: TcpStream, after: Duration) -> bool {
    shown(url, stream, after).await.is_ok()
}

async fn shown(url: &Url, stream: TcpStream, after: Duration) -> Result<CertificateDer<'static>, Cause> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let witness = Arc::new(Witness {
        provider: Arc::clone(&provider),
        seen: Mutex::default(),
    });
    let versions: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| Cause::of(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    handshake(url, stream, config, after)
        .await
        .map_err(|error| Cause::of(&error))?;
    let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    seen.ok_or_else(|| Cause::text("no certificate".to_owned()))
}

async fn handshake(
    url: &Url,
    stream: TcpStream,
    config: ClientConfig,
    after: Duration,
) -> Result<(), std::io::Error> {
    let name = match url.host() {
        Some(Host::Ipv4(address)) => ServerName::from(std::net::IpAddr::from(address)),
        Some(Host::Ipv6(address)) => ServerName::from(std::net::IpAddr::from(address)),
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?,
        None => return Err(std::io::Error::other("the URL has no host")),
    };
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    match tokio::time::timeout(after, connector.connect(name, stream)).await {
        Ok(done) => done.map(|_| ()),
        Err(_) => Err(std::io::Error::other(late(after).to_string())),
    }
}

fn late(after: Duration) -> Cause {
    Cause::text(format!("no answer within {after:?}"))
}

/// The end of a certificate's time, from the only one who reads it here: a verifier that is told a later one.
fn valid_until(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).ok()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .ok()?;
    let name = ServerName::try_from("nobody.invalid").ok()?;
    let late = UnixTime::since_unix_epoch(NEVER);
    match verifier.verify_server_cert(certificate, &[], &name, &[], late) {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Timestamp::from_second(i64::try_from(not_after.as_secs()).ok()?).ok()
        }
        _ => None,
    }
}

/// Takes any certificate and keeps it; the peer must prove that it holds the key.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = end_entity.clone().into_owned();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn certificate(until: (i32, u8, u8)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["nas.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().into()
    }

    #[test]
    fn the_end_of_a_certificate_s_time_is_read_whether_it_has_passed_or_not() {
        for (until, text) in [
            ((2021, 3, 4), "2021-03-04T00:00:00Z"),
            ((2099, 12, 31), "2099-12-31T00:00:00Z"),
        ] {
            let found = valid_until(&certificate(until)).unwrap();
            assert_eq!(found.to_string(), text);
        }
        assert_eq!(valid_until(&CertificateDer::from(vec![0x30, 0])), None);
    }
}
