//! The operator's Lease: where it is, who holds it, and since when it was not renewed.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};

use super::{
    asking::{Refusal, ask},
    cluster::Site,
    deployment::{Release, USUAL_LEASE, USUAL_NAMESPACE},
};
use crate::config::DoctorArgs;

/// A Lease is renewed every third of its time; clocks of two machines differ by less.
const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Held, and renewed so long ago.
    Held { holder: String, renewed: SignedDuration },
    /// Held by somebody who does not renew it any more.
    Stale { holder: String, renewed: SignedDuration },
    /// Given up: the operator has ended.
    Released,
}

/// What there is of a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is there.
    There {
        namespace: String,
        name: String,
        state: State,
    },
    /// It does not exist where it should.
    Missing { namespace: String, name: String },
    /// Nothing of that name anywhere.
    Nowhere { name: String },
    /// Several, of which none is known to be meant.
    Several(Vec<String>),
    /// It cannot be looked for.
    Unreadable(Refusal),
}

/// The Lease that the flags name, or the Deployment, or the one that bears the usual name.
pub(super) async fn find(site: &Site, args: &DoctorArgs, release: Option<&Release>) -> Found {
    let (given_namespace, given_name) = (args.lease_namespace.as_deref(), args.lease_name.as_deref());
    let of_release = release.and_then(|release| release.lease.as_ref());
    let name = given_name
        .or(of_release.map(|(_, name)| name.as_str()))
        .unwrap_or(USUAL_LEASE);
    let place = given_namespace.or(of_release.map(|(namespace, _)| namespace.as_str()));
    if let Some(namespace) = place {
        return read(site, namespace, name).await;
    }
    let mut refused = None;
    for namespace in [site.namespace.as_str(), USUAL_NAMESPACE] {
        match read(site, namespace, name).await {
            found @ Found::There { .. } => return found,
            Found::Unreadable(refusal) => refused = Some(refusal),
            _ => {}
        }
    }
    let everywhere: Api<Lease> = Api::all(site.client.clone());
    let params = ListParams::default().fields(&format!("metadata.name={name}"));
    match ask(everywhere.list(&params)).await {
        Ok(list) => match list.items.as_slice() {
            [] => Found::Nowhere {
                name: name.to_owned(),
            },
            [lease] => there(lease),
            several => Found::Several(
                several
                    .iter()
                    .map(|lease| format!("{}/{name}", lease.namespace().unwrap_or_default()))
                    .collect(),
            ),
        },
        Err(refusal) => Found::Unreadable(refused.unwrap_or(refusal)),
    }
}

async fn read(site: &Site, namespace: &str, name: &str) -> Found {
    let api: Api<Lease> = Api::namespaced(site.client.clone(), namespace);
    match ask(api.get(name)).await {
        Ok(lease) => there(&lease),
        Err(Refusal::Absent) => Found::Missing {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
        Err(refusal) => Found::Unreadable(refusal),
    }
}

fn there(lease: &Lease) -> Found {
    Found::There {
        namespace: lease.namespace().unwrap_or_default(),
        name: lease.name_any(),
        state: state(lease, Timestamp::now()),
    }
}

fn state(lease: &Lease, now: Timestamp) -> State {
    let spec = lease.spec.clone().unwrap_or_default();
    let holder = spec.holder_identity.unwrap_or_default();
    if holder.is_empty() {
        return State::Released;
    }
    // Ours is never without.
    let Some(renewed) = spec.renew_time else {
        return State::Released;
    };
    let lasts = SignedDuration::from_secs(i64::from(spec.lease_duration_seconds.unwrap_or(0)));
    let renewed = now.duration_since(renewed.0);
    if renewed > lasts.saturating_add(CLOCKS) {
        State::Stale { holder, renewed }
    } else {
        State::Held { holder, renewed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lease_is_held_for_its_time_and_a_little() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let lease = |holder: &str| -> Lease {
            let spec = json!({
                "holderIdentity": holder, "leaseDurationSeconds": 60,
                "renewTime": "1970-01-01T00:16:40.000000Z",
            });
            serde_json::from_value(json!({ "metadata": { "name": "x" }, "spec": spec })).unwrap()
        };
        let holds = |second| matches!(state(&lease("pod_1"), at(second)), State::Held { .. });
        assert!(holds(990) && holds(1000) && holds(1065) && !holds(1066));
        assert_eq!(
            state(&lease("pod_1"), at(2000)),
            State::Stale {
                holder: "pod_1".to_owned(),
                renewed: SignedDuration::from_secs(1000),
            }
        );
        assert_eq!(state(&lease(""), at(1000)), State::Released);
    }
}
