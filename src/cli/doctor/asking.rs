//! One question to the API server: bounded in time, asked once, and its refusal sorted by what it means for a check.

use std::{future::Future, time::Duration};

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams};

/// Longest wait for one answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such object, or no such kind.
    Absent,
    /// The user may not ask.
    Forbidden,
    /// Anything else, in its own words.
    Other(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("it does not exist"),
            Self::Forbidden => f.write_str("you may not read it"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// Asks once.
pub(super) async fn ask<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Refusal> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(kube::Error::Api(status))) => Err(match status.code {
            404 => Refusal::Absent,
            403 => Refusal::Forbidden,
            _ => Refusal::Other(status.message.clone()),
        }),
        Ok(Err(error)) => Err(Refusal::Other(chain(&error))),
        Err(_) => Err(Refusal::Other(format!("no answer within {DEADLINE:?}"))),
    }
}

/// An error and its causes, each once.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    crate::nas::Cause::of(error).to_string()
}

/// One thing that somebody may do or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Right<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    /// With its subresource: `backuptasks/status`.
    pub resource: &'a str,
    /// A certain object; any where empty.
    pub name: &'a str,
}

impl Right<'_> {
    fn attributes(&self, namespace: &str) -> ResourceAttributes {
        let (resource, subresource) = self.resource.split_once('/').unwrap_or((self.resource, ""));
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            verb: Some(self.verb.to_owned()),
            group: some(self.group),
            resource: some(resource),
            subresource: some(subresource),
            name: some(self.name),
            ..ResourceAttributes::default()
        }
    }
}

impl std::fmt::Display for Right<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if self.name.is_empty() {
            return Ok(());
        }
        write!(f, " {:?}", self.name)
    }
}

/// Whether the user may.
pub(super) async fn may_i(client: &Client, namespace: &str, right: Right<'_>) -> Result<bool, Refusal> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(right.attributes(namespace)),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = ask(api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Whether a service account may.
pub(super) async fn may_account(
    client: &Client,
    (account_namespace, account): (&str, &str),
    namespace: &str,
    right: Right<'_>,
) -> Result<bool, Refusal> {
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let groups = vec![
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{account_namespace}"),
        "system:authenticated".to_owned(),
    ];
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{account_namespace}:{account}")),
            groups: Some(groups),
            resource_attributes: Some(right.attributes(namespace)),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = ask(api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
