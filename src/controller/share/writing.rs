//! The writes of Leases, each a compare-and-swap, and what their answers mean. kube's typed calls drop the header that says
//! how long an overloaded API server wants to be left alone, so these are sent as they are.

use std::time::Duration;

use http::{HeaderMap, Request, StatusCode, header::RETRY_AFTER};
use http_body_util::BodyExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams, Preconditions},
    client::Body,
    core::{Request as Requests, Status},
};

use super::{core::Written, lease::Record};
use crate::controller::swap;

/// Where the API server does not say how long.
const AGAIN: Duration = Duration::from_secs(1);

/// Creates a Lease, or puts ours in the place of the one of a version. Network.
pub(super) async fn write(
    api: &Api<Lease>,
    version: Option<&str>,
    lease: &Lease,
    with_labels: bool,
    ours: Duration,
) -> Written {
    let requests = Requests::new(api.resource_url());
    let request = if let Some(version) = version {
        let name = lease.metadata.name.as_deref().unwrap_or_default();
        let (spec, labels) = (swap::raw(&lease.spec), swap::raw(&lease.metadata.labels));
        let mut fields = vec![("/spec", &*spec)];
        fields.extend(with_labels.then_some(("/metadata/labels", &*labels)));
        swap::swap(&requests, (name, None), Some(version), &fields)
    } else {
        requests.create(&PostParams::default(), swap::raw(lease).get().into())
    };
    let Ok(request) = request else {
        return Written::Unknown;
    };
    send(api.clone().into_client(), request, ours).await
}

/// Deletes the Lease of a version. Network.
pub(super) async fn delete(api: &Api<Lease>, name: &str, version: String) -> Written {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            resource_version: Some(version),
            uid: None,
        }),
        ..DeleteParams::default()
    };
    let Ok(request) = Requests::new(api.resource_url()).delete(name, &params) else {
        return Written::Unknown;
    };
    match send(api.clone().into_client(), request, Duration::ZERO).await {
        Written::Done(_) => Written::Deleted,
        written => written,
    }
}

async fn send(client: Client, request: Request<Vec<u8>>, ours: Duration) -> Written {
    let answer = match client.send(request.map(Body::from)).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%error, "failed to write the Lease");
            return Written::Unknown;
        }
    };
    let (head, body) = answer.into_parts();
    match body.collect().await {
        Ok(body) => written(head.status, &head.headers, &body.to_bytes(), ours),
        Err(error) => {
            tracing::warn!(%error, "failed to read the answer to the write of a Lease");
            Written::Unknown
        }
    }
}

/// What an answer means. What the API server did not say in clear words has to be read.
fn written(status: StatusCode, headers: &HeaderMap, body: &[u8], ours: Duration) -> Written {
    let said = || serde_json::from_slice::<Status>(body).unwrap_or_default();
    match status.as_u16() {
        // The answer to a deletion is the Lease, or a Status.
        200..300 => Written::Done(Record::of(
            &serde_json::from_slice(body).unwrap_or_default(),
            ours,
        )),
        404 | 409 => Written::Conflict,
        429 => {
            let asked = headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok());
            let seconds = asked.or_else(|| Some(u64::from(said().details?.retry_after_seconds)));
            Written::Refused(Duration::from_secs(seconds.unwrap_or(0)).max(AGAIN))
        }
        408 | 500.. => {
            tracing::warn!(status = status.as_u16(), "failed to write the Lease");
            Written::Unknown
        }
        _ => {
            tracing::warn!(error = said().message, "failed to write the Lease");
            Written::Refused(AGAIN)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_for_what_it_says() {
        let lasts = Duration::from_secs(60);
        let answered = |code: u16, after: Option<&str>, body: &str| {
            let mut headers = HeaderMap::new();
            headers.extend(after.map(|after| (RETRY_AFTER, after.parse().unwrap())));
            written(
                StatusCode::from_u16(code).unwrap(),
                &headers,
                body.as_bytes(),
                lasts,
            )
        };
        let lease =
            r#"{"metadata": {"name": "abb", "resourceVersion": "7"}, "spec": {"holderIdentity": "me"}}"#;
        assert!(
            matches!(answered(201, None, lease), Written::Done(record) if record.holder == "me" && record.number() == 7)
        );
        assert!(matches!(answered(409, None, "{}"), Written::Conflict));
        assert!(matches!(answered(404, None, "{}"), Written::Conflict));
        let refused = |written: Written| match written {
            Written::Refused(after) => after.as_secs(),
            other => panic!("{other:?}"),
        };
        // As API Priority and Fairness says it: plain text and a header.
        let busy = "Too many requests, please try again later.";
        assert_eq!(refused(answered(429, Some("8"), busy)), 8);
        let details = r#"{"kind": "Status", "code": 429, "details": {"retryAfterSeconds": 3}}"#;
        assert_eq!(refused(answered(429, None, details)), 3);
        assert_eq!(refused(answered(429, None, busy)), 1);
        assert_eq!(refused(answered(403, None, "{}")), 1);
        for code in [408, 500, 503, 504] {
            assert!(matches!(answered(code, None, "{}"), Written::Unknown), "{code}");
        }
    }
}
