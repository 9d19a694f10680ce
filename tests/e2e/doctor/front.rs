//! A front of TLS before a simulated NAS that speaks plain HTTP, with a certificate whose end the test chooses.

use std::sync::Arc;

use abb_operator::simulator::{self, Options, Simulator};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use sha2::{Digest, Sha256};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// A NAS behind a front.
pub struct Front {
    pub url: String,
    pub fingerprint: String,
    pub pem: String,
    pub nas: Simulator,
}

/// A NAS whose certificate ends so many days from now.
pub async fn ending_in(days: i64) -> Front {
    abb_operator::install_crypto();
    let nas = simulator::start(Options {
        plaintext: true,
        ..Options::default()
    })
    .await
    .unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
    let date = end.to_zoned(jiff::tz::TimeZone::UTC).date();
    let part = |number: i8| u8::try_from(number).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(date.year().into(), part(date.month()), part(date.day()));
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let behind = nas.url().trim_start_matches("http://").to_owned();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                // Who breaks off is no fault of the front.
                let Ok(mut outside) = acceptor.accept(stream).await else {
                    return;
                };
                if let Ok(mut inside) = TcpStream::connect(behind).await {
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                }
            });
        }
    });
    Front {
        url,
        fingerprint: hex::encode(Sha256::digest(certificate.der())),
        pem: certificate.pem(),
        nas,
    }
}
