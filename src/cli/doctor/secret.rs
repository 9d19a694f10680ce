//! The Secret with the account, and what the certificate of the NAS is judged by. Values are looked at and never shown.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;

use super::{
    asking::{Refusal, ask},
    cluster::Site,
    report::Report,
};
use crate::{
    api::{BackupServer, CaKind},
    controller::endpoint_of,
    nas::{Endpoint, Trust, is_seed},
};

const WHAT: &str = "secret";

/// What a login needs of the Secret.
pub(super) struct Usable {
    /// Its version, by which the status tells a refused one.
    pub version: String,
}

/// Whether the Secret has all that a login takes.
pub(super) async fn look(site: &Site, server: &BackupServer, report: &mut Report) -> Option<Usable> {
    let name = &server.spec.credentials.secret_ref.name;
    let namespace = &site.namespace;
    let api: Api<Secret> = Api::namespaced(site.client.clone(), namespace);
    let secret = match ask(api.get(name)).await {
        Ok(secret) => secret,
        Err(Refusal::Absent) => {
            let found = format!("there is no Secret {name:?} in namespace {namespace:?}");
            let remedy = format!(
                "kubectl -n {namespace} create secret generic {name} --from-literal=username=ACCOUNT \
                 --from-file=password=FILE"
            );
            report.fail(WHAT, &found, &remedy);
            return None;
        }
        Err(Refusal::Forbidden) => {
            let found = format!("you may not read the Secret {name:?}: the login is not tried");
            let remedy = format!(
                "have it granted: kubectl -n {namespace} create role abb-secret --verb=get --resource=secrets \
                 --resource-name={name}, and a rolebinding to it"
            );
            report.warn(WHAT, &found, &remedy);
            return None;
        }
        Err(refusal) => {
            let remedy = format!("see whether kubectl can: kubectl -n {namespace} get secret {name}");
            report.fail(
                WHAT,
                &format!("failed to read the Secret {name:?}: {refusal}"),
                &remedy,
            );
            return None;
        }
    };
    let version = secret.resource_version().unwrap_or_default();
    let faults = faults(&secret);
    let is_usable = !faults.iter().any(|fault| fault.stops_runs);
    if faults.is_empty() {
        report.ok(WHAT, &format!("{name} has what a login takes"));
    }
    for fault in &faults {
        let text = format!("the Secret {name:?} {}", fault.text);
        report.fault_told(fault.stops_runs, WHAT, &text);
    }
    is_usable.then_some(Usable { version })
}

struct Fault {
    stops_runs: bool,
    text: String,
}

/// What is wrong with the keys, with the remedy. Editors' line breaks at the end are not: they are not used.
fn faults(secret: &Secret) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut say = |stops_runs, text: String| faults.push(Fault { stops_runs, text });
    let none = std::collections::BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&none);
    let put = |key: &str| {
        let (namespace, name) = (secret.namespace().unwrap_or_default(), secret.name_any());
        format!(
            "put it in: kubectl -n {namespace} edit secret {name}, or create {name} anew with --from-file={key}=FILE"
        )
    };
    let text = |key: &str| {
        let value = data.get(key)?;
        Some(std::str::from_utf8(&value.0).map(|text| text.trim_end_matches(['\n', '\r'])))
    };
    for (key, is_needed) in [
        ("username", true),
        ("password", true),
        ("otp-secret", false),
        ("device-name", false),
        ("device-id", false),
    ] {
        match text(key) {
            None if is_needed => say(true, format!("has no key {key:?}; {}", put(key))),
            Some(Ok("")) if is_needed => say(true, format!("has nothing under {key:?}; {}", put(key))),
            Some(Err(_)) => say(
                is_needed,
                format!(
                    "has something under {key:?} that is no text in UTF-8; {}",
                    put(key)
                ),
            ),
            // A seed is taken in any spelling.
            Some(Ok(value)) if key != "otp-secret" && value.trim() != value => say(
                false,
                format!("has blanks around the value of {key:?}; take them away unless they belong to it"),
            ),
            _ => {}
        }
    }
    let given = |key| matches!(text(key), Some(Ok(value)) if !value.is_empty());
    for (one, other) in [("device-name", "device-id"), ("device-id", "device-name")] {
        if given(one) && !given(other) {
            say(
                false,
                format!(
                    "has {one:?} without {other:?}, and so neither is used; {}",
                    put(other)
                ),
            );
        }
    }
    if let Some(Ok(seed)) = text("otp-secret").filter(|_| given("otp-secret"))
        && !is_seed(&SecretString::from(seed))
    {
        say(
            true,
            "has something under \"otp-secret\" that is no seed in base32; copy the one that DSM showed beside its QR \
             code (letters A to Z and digits 2 to 7)"
                .to_owned(),
        );
    }
    faults
}

/// Where the NAS is, and what its certificate is judged by.
pub(super) async fn trust(site: &Site, server: &BackupServer, report: &mut Report) -> Option<Endpoint> {
    let endpoint = match endpoint_of(&site.kubernetes, server).await {
        Ok(endpoint) => endpoint,
        Err(problem) => {
            let authority = server.spec.tls.as_ref().and_then(|tls| tls.ca_ref.as_ref());
            let remedy = match authority {
                Some(authority) => {
                    let (kind, name, key) = (kind(authority.kind), &authority.name, &authority.key);
                    let create = match authority.kind {
                        CaKind::Secret => "secret generic",
                        CaKind::ConfigMap => "configmap",
                    };
                    format!(
                        "put the certificate of the authority there in PEM: kubectl -n {} create {create} {name} \
                         --from-file={key}=FILE (see kubectl get {kind} {name})",
                        site.namespace
                    )
                }
                None => "correct spec.tls and spec.url".to_owned(),
            };
            report.fail("trust", &problem.message, &remedy);
            return None;
        }
    };
    match &endpoint.trust {
        Trust::SystemRoots | Trust::Authority(_) | Trust::Fingerprint(_) => {}
        Trust::Unverified => report.warn(
            "trust",
            "tls.insecureSkipVerify: whoever stands between can read the password",
            "pin the certificate instead: the line below has its fingerprint for tls.fingerprint",
        ),
        Trust::Plaintext => report.warn(
            "trust",
            "spec.url is http://: whoever stands between can read the password",
            "use https, usually port 5001, and pin the certificate with tls.fingerprint",
        ),
    }
    Some(endpoint)
}

fn kind(kind: CaKind) -> &'static str {
    match kind {
        CaKind::Secret => "secret",
        CaKind::ConfigMap => "configmap",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    fn found(keys: &[(&str, &str)]) -> Vec<(bool, String)> {
        let data = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())))
            .collect();
        let secret = Secret {
            data: Some(data),
            ..Secret::default()
        };
        faults(&secret)
            .into_iter()
            .map(|fault| (fault.stops_runs, fault.text))
            .collect()
    }

    #[test]
    fn what_a_login_cannot_take_is_said_without_the_value() {
        let account = [("username", "me"), ("password", "canary\n")];
        assert_eq!(found(&account), []);
        for (more, stops_runs, part) in [
            (("username", ""), true, "has nothing under \"username\""),
            (("password", "\n"), true, "has nothing under \"password\""),
            (
                ("password", " canary"),
                false,
                "has blanks around the value of \"password\"",
            ),
            (("password", "canary \n"), false, "has blanks around"),
            (("otp-secret", "canary 018"), true, "no seed in base32"),
            (
                ("device-id", "canary"),
                false,
                "\"device-id\" without \"device-name\"",
            ),
            (
                ("device-name", "canary"),
                false,
                "\"device-name\" without \"device-id\"",
            ),
        ] {
            let mut keys = account.to_vec();
            keys.retain(|(key, _)| *key != more.0);
            keys.push(more);
            let faults = found(&keys);
            assert_eq!(faults.len(), 1, "{more:?}: {faults:?}");
            let (stops, text) = &faults[0];
            assert!(*stops == stops_runs && text.contains(part), "{more:?}: {text}");
            assert!(text.contains("; ") && !text.contains("canary"), "{text}");
        }
        for fine in [("otp-secret", "gezd gnbv GY3T QOJQ\n"), ("otp-secret", "")] {
            assert_eq!(found(&[account.to_vec(), vec![fine]].concat()), []);
        }
        assert!(found(&[("username", "me")])[0].0);
        let text = found(&[("username", "me")]).remove(0).1;
        assert!(text.starts_with("has no key \"password\""), "{text}");
    }
}
