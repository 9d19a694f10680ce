//! Keys and certificates of one control plane, made anew at each start: an authority, the API server's
//! certificate for loopback, and the key that signs service-account tokens.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// Everything in PEM.
#[derive(Debug)]
pub struct Certificates {
    pub authority: String,
    pub serving: String,
    pub serving_key: String,
    pub service_account_key: String,
    pub service_account_public_key: String,
}

impl Certificates {
    pub fn generate() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "abb-operator tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority_key = KeyPair::generate()?;
        let authority = params.self_signed(&authority_key)?;
        let issuer = Issuer::new(params, authority_key);

        let serving_key = KeyPair::generate()?;
        let serving = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?
            .signed_by(&serving_key, &issuer)?;
        let service_account = KeyPair::generate()?;
        Ok(Self {
            authority: authority.pem(),
            serving: serving.pem(),
            serving_key: serving_key.serialize_pem(),
            service_account_key: service_account.serialize_pem(),
            service_account_public_key: service_account.public_key_pem(),
        })
    }
}
