//! The certificate that a NAS shows: whether `spec.tls` takes it, and for how long.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{cluster::Site, report::Report};
use crate::{
    api::BackupServer,
    cli::screen::span,
    nas::{Endpoint, Trust, reach::Certificate},
};

const WHAT: &str = "certificate";
/// A certificate that ends sooner is renewed now.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Says what is shown and whether it is taken.
pub(super) fn judge(
    site: &Site,
    server: &BackupServer,
    endpoint: &Endpoint,
    shown: &Certificate,
    report: &mut Report,
) -> bool {
    let fingerprint = hex::encode_upper(shown.fingerprint);
    let instead = match &endpoint.trust {
        Trust::Authority(_) => "\"caRef\":null,",
        _ => "",
    };
    let pin = format!(
        "kubectl -n {} patch backupserver {} --type merge -p \
         '{{\"spec\":{{\"tls\":{{{instead}\"fingerprint\":\"{fingerprint}\"}}}}}}'",
        site.namespace,
        server.name_any()
    );
    if let Some(fault) = &shown.fault {
        let (found, remedy) = match &endpoint.trust {
            Trust::Fingerprint(pinned) => (
                format!(
                    "the SHA-256 of what is shown is {fingerprint}, and spec.tls.fingerprint is {}",
                    hex::encode_upper(pinned)
                ),
                format!("{}, and if it is the NAS's: {pin}", compare()),
            ),
            Trust::Authority(_) | Trust::SystemRoots => {
                let by = match &endpoint.trust {
                    Trust::Authority(_) => "the authority of tls.caRef",
                    _ => "the authorities of this machine",
                };
                let host = endpoint.url.host_str().unwrap_or_default();
                (
                    format!("it is not taken for {host} by {by}: {fault}; its SHA-256 is {fingerprint}"),
                    format!(
                        "give the NAS a certificate for that name (DSM, Control Panel, Security, Certificate), name the \
                         authority that signed it (tls.caRef), or {} and pin it: {pin}",
                        compare()
                    ),
                )
            }
            Trust::Unverified | Trust::Plaintext => (fault.to_string(), "try again".to_owned()),
        };
        report.fail(WHAT, &found, &remedy);
        return false;
    }
    let how = match &endpoint.trust {
        Trust::Fingerprint(_) => "the pinned one",
        Trust::Authority(_) => "signed by the authority of tls.caRef",
        Trust::SystemRoots => "signed by an authority of this machine",
        Trust::Unverified | Trust::Plaintext => "not verified",
    };
    let found = format!("{how}, SHA-256 {fingerprint}");
    let left = shown
        .valid_until
        .map(|until| (until, until.duration_since(Timestamp::now())));
    match left {
        None => report.ok(WHAT, &found),
        Some((until, left)) if left > SOON => report.ok(WHAT, &format!("{found}, valid until {until}")),
        Some((until, left)) => {
            let when = if left.is_negative() {
                format!("ended {} ago", span(-left))
            } else {
                format!("ends in {}", span(left))
            };
            let remedy = match &endpoint.trust {
                Trust::Fingerprint(_) => {
                    "renewing it (DSM, Control Panel, Security, Certificate) changes its fingerprint: put the new one into \
                     tls.fingerprint then"
                }
                _ => "renew it: DSM, Control Panel, Security, Certificate",
            };
            report.warn(WHAT, &format!("{found}, {when}, at {until}"), remedy);
        }
    }
    true
}

/// How a person finds out whose certificate it is, past the network.
fn compare() -> &'static str {
    "compare it on the NAS itself: openssl x509 -noout -fingerprint -sha256 -in \
     /usr/syno/etc/certificate/system/default/cert.pem"
}
