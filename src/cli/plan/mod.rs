//! `plan`: what manifests would send to a NAS, and why. The same decisions as the controller's, and nothing is sent.

mod markdown;
mod text;
mod words;

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::{Api, ResourceExt, api::ListParams, core::DeserializeGuard};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Failure, IS_DUE,
    call::print,
    manifests::{self, DEFAULT_NAMESPACE},
    plugin,
    screen::Screen,
};
use crate::{
    config::{ClusterArgs, PlanArgs, PlanFormat},
    controller::kubernetes::Kubernetes,
    manifest::{Fault, Manifests},
    standalone::{Folder, Kept, LiveSecrets, Plan, Verdict, declare, plan},
    telemetry::{LogFormat, init_logs},
};

/// Plans, prints, and ends as the plan does.
pub(super) async fn run(args: PlanArgs) -> Result<(), Failure> {
    init_logs(LogFormat::Text, "error");
    let now = Timestamp::now();
    let cluster = match (&args.context, &args.kubeconfig) {
        (None, None) => None,
        (context, kubeconfig) => {
            let cluster = ClusterArgs {
                namespace: args.manifests.namespace.clone(),
                context: context.clone(),
                kubeconfig: kubeconfig.clone(),
            };
            Some(plugin::connect(&cluster).await?)
        }
    };
    let namespace = cluster.as_ref().map(|(_, namespace)| namespace.clone());
    let namespace = namespace
        .or_else(|| args.manifests.namespace.clone())
        .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    let mut manifests = match manifests::read(&args.manifests, &namespace, now) {
        Ok(manifests) => manifests,
        Err(faults) => return Err(refused(args.output, &faults)),
    };
    let kept = match &cluster {
        Some((client, _)) => in_cluster(client, &manifests).await?,
        None => in_folder(&args)?,
    };
    let used_at = kept.servers.iter().map(|server| {
        let secret = server.spec.credentials.secret_ref.name.clone();
        (
            server.namespace().unwrap_or_default(),
            secret,
            server.spec.url.clone(),
        )
    });
    let used_at: Option<BTreeSet<_>> = (!args.any_address).then(|| used_at.collect());
    let declared = match declare(&manifests, kept, args.prune, now) {
        Ok(declared) => declared,
        Err(faults) => return Err(refused(args.output, &faults)),
    };
    let key = Folder::read_only(&args.manifests.state).known_key();
    let live = cluster.map(|(client, _)| LiveSecrets {
        cluster: Kubernetes::new(client, "abb-operator-plan"),
        used_at,
    });
    let credentials = manifests::credentials(&args.manifests, &mut manifests, live, key)?;
    let plan = Box::pin(plan(declared, credentials, args.offline)).await;
    show(args.output, args.offline, &plan)
}

fn show(format: PlanFormat, offline: bool, plan: &Plan) -> Result<(), Failure> {
    print(&match format {
        PlanFormat::Text => text::render(plan, offline, Screen::stdout()),
        PlanFormat::Markdown => markdown::render(plan, offline),
        PlanFormat::Json => json(plan)?,
    });
    match plan.verdict {
        Verdict::Nothing => Ok(()),
        Verdict::Due => Err(Failure::said(IS_DUE)),
        Verdict::Failed => Err(Failure::said(1)),
    }
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n")
        .map_err(|error| Failure::because("failed to print the plan", &error))
}

/// Manifests that are wrong, in the form that was asked for.
fn refused(format: PlanFormat, faults: &[Fault]) -> Failure {
    match format {
        PlanFormat::Text => {}
        PlanFormat::Markdown => print(&markdown::refused(faults)),
        PlanFormat::Json => {
            print(&format!(
                "{:#}\n",
                serde_json::json!({ "verdict": "Invalid", "faults": faults })
            ));
        }
    }
    manifests::refuse(faults)
}

fn in_folder(args: &PlanArgs) -> Result<Kept, Failure> {
    let folder = Folder::read_only(&args.manifests.state);
    let failed = |error: &dyn std::error::Error| Failure::new(error.to_string());
    Ok(Kept {
        servers: folder.servers().map_err(|error| failed(&error))?,
        tasks: folder.tasks().map_err(|error| failed(&error))?,
        is_cluster: false,
    })
}

/// The objects of the namespaces that the manifests are about.
async fn in_cluster(client: &kube::Client, manifests: &Manifests) -> Result<Kept, Failure> {
    let servers = manifests.servers.iter().map(|server| server.object.namespace());
    let tasks = manifests.tasks.iter().map(|task| task.object.namespace());
    let namespaces: BTreeSet<String> = servers.chain(tasks).flatten().collect();
    let mut kept = Kept {
        is_cluster: true,
        ..Kept::default()
    };
    for namespace in namespaces {
        kept.servers
            .extend(all(Api::namespaced(client.clone(), &namespace), &namespace).await?);
        kept.tasks
            .extend(all(Api::namespaced(client.clone(), &namespace), &namespace).await?);
    }
    Ok(kept)
}

async fn all<K>(api: Api<DeserializeGuard<K>>, namespace: &str) -> Result<Vec<K>, Failure>
where
    K: Clone + std::fmt::Debug + DeserializeOwned + kube::Resource<DynamicType = ()>,
{
    let kind = K::kind(&());
    let listed = api.list(&ListParams::default()).await.map_err(|error| {
        Failure::because(
            &format!("failed to list the {kind}s of namespace {namespace:?} (are the definitions installed, may you list them?)"),
            &error,
        )
    })?;
    Ok(listed
        .items
        .into_iter()
        .filter_map(|object| object.0.ok())
        .collect())
}
