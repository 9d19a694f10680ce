//! Which BackupTasks a command is about, read before anything is changed, and what the refusals of an API server mean for
//! people. All names are looked up first, so that a mistyped one changes nothing for the others.

use std::time::Duration;

use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    core::DeserializeGuard,
};

use super::Place;
use crate::{
    api::{BackupTask, Mode},
    cli::Failure,
    config::TaskArgs,
    controller::cluster::Cluster,
};

/// Under which name the annotations are set.
const MANAGER: &str = "kubectl-abb";
/// Longest wait for one answer of the API server, with the repetitions of its client.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);
/// How an object may be written on a command line.
const KINDS: [&str; 4] = ["backuptask", "backuptasks", "bt", "backuptask.activebackup.dev"];

/// Why the API server did not do what it was asked for.
pub(super) enum Refusal {
    /// It refused, or cannot be reached.
    Refused(kube::Error),
    /// It did not answer.
    Silent,
}

impl Refusal {
    fn code(&self) -> u16 {
        match self {
            Self::Refused(kube::Error::Api(status)) => status.code,
            Self::Refused(_) | Self::Silent => 0,
        }
    }

    /// Whether somebody else wrote first.
    pub fn is_conflict(&self) -> bool {
        self.code() == 409
    }

    /// Whether there was no clear answer: a write may have been committed all the same.
    pub fn is_unclear(&self) -> bool {
        matches!(self.code(), 0 | 429 | 500..)
    }

    /// Whether the object of that name is not there, while its kind is.
    fn is_absent(&self, name: &str) -> bool {
        matches!(self, Self::Refused(kube::Error::Api(status))
            if status.code == 404 && status.details.as_ref().is_some_and(|details| details.name == name))
    }

    /// What it means for people; `what` is what was tried, `verbs` what that takes.
    pub fn explain(&self, what: &str, verbs: &str) -> Failure {
        let error = match self {
            Self::Silent => {
                return Failure::new(format!(
                    "failed to {what}: the API server gave no answer within {DEADLINE:?}"
                ));
            }
            Self::Refused(error) => error,
        };
        explain(error, what, verbs)
    }
}

/// What an error of the API server means for people.
pub(super) fn explain(error: &kube::Error, what: &str, verbs: &str) -> Failure {
    let kube::Error::Api(status) = error else {
        let what =
            format!("failed to {what} (is the API server of this kubeconfig and --context reachable?)");
        return Failure::because(&what, error);
    };
    let said = status.message.trim();
    Failure::new(match status.code {
        401 => {
            format!("failed to {what}: the API server does not take your credentials ({said}): log in again")
        }
        403 => format!(
            "failed to {what}: {said}: it takes the verbs {verbs}, which the chart adds to the ClusterRoles view and edit"
        ),
        404 if status
            .details
            .as_ref()
            .is_none_or(|details| details.name.is_empty()) =>
        {
            format!(
                "failed to {what}: the cluster does not know BackupTasks: install the definitions (abb-operator crd | kubectl \
             apply -f -), or name another cluster with --context"
            )
        }
        _ => format!("failed to {what}: {said}"),
    })
}

async fn answered<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Refusal> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => answer.map_err(Refusal::Refused),
        Err(_) => Err(Refusal::Silent),
    }
}

impl Place {
    /// The BackupTasks of the namespace.
    pub(super) fn tasks(&self) -> Api<BackupTask> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

/// Reads the BackupTasks that the arguments name, in their order; those of a selector by name.
pub(super) async fn chosen(place: &Place, args: &TaskArgs) -> Result<Vec<BackupTask>, Failure> {
    match &args.selector {
        Some(selector) => selected(place, selector).await,
        None => named(place, &args.names).await,
    }
}

async fn named(place: &Place, names: &[String]) -> Result<Vec<BackupTask>, Failure> {
    let namespace = &place.namespace;
    let mut tasks: Vec<BackupTask> = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    for name in names {
        let name = bare(name);
        if tasks.iter().any(|task| task.name_any() == name) {
            continue;
        }
        match read(place, name).await {
            Ok(Some(task)) => tasks.push(task),
            Ok(None) => missing.push(format!("{name:?}")),
            Err(refusal) => return Err(refusal.explain(&format!("read the BackupTask {name:?}"), "get")),
        }
    }
    if missing.is_empty() {
        return Ok(tasks);
    }
    Err(Failure::new(format!(
        "there is no BackupTask {} in namespace {namespace:?}, and nothing was changed: see kubectl get backuptasks \
         --all-namespaces",
        missing.join(", ")
    )))
}

/// A name as kubectl prints it stands for the object as well.
pub(super) fn bare(name: &str) -> &str {
    match name.split_once('/') {
        Some((kind, name)) if KINDS.contains(&kind) => name,
        _ => name,
    }
}

async fn selected(place: &Place, selector: &str) -> Result<Vec<BackupTask>, Failure> {
    let namespace = &place.namespace;
    let params = ListParams::default().labels(selector);
    let (mut tasks, broken) = listed(place, &params).await.map_err(|refusal| match &refusal {
        Refusal::Refused(kube::Error::Api(status)) if status.code == 400 => Failure::usage(format!(
            "the selector {selector:?} cannot be read: {}",
            status.message
        )),
        _ => refusal.explain(
            &format!("list the BackupTasks of namespace {namespace:?}"),
            "list",
        ),
    })?;
    if let Some((name, error)) = broken.first() {
        return Err(Failure::new(format!(
            "the BackupTask {name:?} cannot be read, and nothing was changed: {error}"
        )));
    }
    if tasks.is_empty() {
        return Err(Failure::new(format!(
            "no BackupTask of namespace {namespace:?} has labels {selector:?}: see kubectl get backuptasks --show-labels"
        )));
    }
    tasks.sort_by_key(ResourceExt::name_any);
    Ok(tasks)
}

/// The BackupTasks of the namespace, and by name those that cannot be read with why.
pub(super) async fn listed(
    place: &Place,
    params: &ListParams,
) -> Result<(Vec<BackupTask>, Vec<(String, String)>), Refusal> {
    let api: Api<DeserializeGuard<BackupTask>> = Api::namespaced(place.client.clone(), &place.namespace);
    let (mut tasks, mut broken) = (Vec::new(), Vec::new());
    for object in answered(api.list(params)).await?.items {
        match object.0 {
            Ok(task) => tasks.push(task),
            Err(error) => broken.push((error.metadata.name.unwrap_or_default(), error.error)),
        }
    }
    Ok((tasks, broken))
}

/// Reads one BackupTask.
pub(super) async fn read(place: &Place, name: &str) -> Result<Option<BackupTask>, Refusal> {
    match answered(place.tasks().get(name)).await {
        Ok(task) => Ok(Some(task)),
        Err(refusal) if refusal.is_absent(name) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// The mode of a BackupServer; `None` where it cannot be read, and the tasks' own conditions have to do.
pub(super) async fn mode_of(place: &Place, server: &str) -> Option<Mode> {
    let read = place.kubernetes.read_server(&place.namespace, server).await;
    read.ok().flatten().map(|server| server.spec.mode)
}

/// Sets an annotation, or takes it away, and changes nothing else. With a version only if the object is still at it.
pub(super) async fn annotate(
    place: &Place,
    name: &str,
    (annotation, value): (&str, Option<&str>),
    version: Option<&str>,
) -> Result<BackupTask, Refusal> {
    let mut metadata = serde_json::json!({ "annotations": { annotation: value } });
    if let Some(version) = version {
        metadata["resourceVersion"] = version.into();
    }
    let params = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(serde_json::json!({ "metadata": metadata }));
    answered(place.tasks().patch(name, &params, &patch)).await
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = |code: u16, message: &str, name: &str| {
            let mut status: Status = serde_json::from_value(serde_json::json!({
                "status": "Failure", "message": message, "reason": "", "code": code, "details": { "name": name },
            }))
            .unwrap();
            if name.is_empty() {
                status.details = None;
            }
            Refusal::Refused(kube::Error::Api(Box::new(status)))
        };
        for (refusal, part) in [
            (refused(401, "Unauthorized", ""), "log in again"),
            (
                refused(403, "user \"x\" cannot patch", "laptop"),
                "it takes the verbs get and patch",
            ),
            (
                refused(404, "404 page not found", ""),
                "abb-operator crd | kubectl apply -f -",
            ),
            (refused(422, "is invalid", "laptop"), "is invalid"),
            (Refusal::Silent, "no answer within 20s"),
        ] {
            let text = refusal.explain("ask", "get and patch").to_string();
            assert!(
                text.starts_with("failed to ask: ") && text.contains(part),
                "{text}"
            );
        }
        assert!(refused(404, "not found", "laptop").is_absent("laptop"));
        assert!(!refused(404, "404 page not found", "").is_absent("laptop"));
        assert!(refused(409, "conflict", "laptop").is_conflict());
        assert!(refused(504, "timeout", "laptop").is_unclear() && !refused(403, "no", "laptop").is_unclear());
    }

    #[test]
    fn what_kubectl_prints_can_be_pasted() {
        for (name, bare_name) in [
            ("laptop", "laptop"),
            ("backuptask/laptop", "laptop"),
            ("bt/laptop", "laptop"),
            ("backuptask.activebackup.dev/laptop", "laptop"),
            ("pod/laptop", "pod/laptop"),
        ] {
            assert_eq!(bare(name), bare_name);
        }
    }
}
