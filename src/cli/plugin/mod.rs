//! The kubectl plugin: the same commands as the operator's own, for the objects of a cluster.

mod answer;
mod backup;
mod chosen;
mod history;
mod import;
mod objects;
mod status;
mod suspend;
mod tasks;
mod wait;
mod watch;
mod words;

pub(super) use status::screen_of;

use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{Failure, call, completion, doctor};
use crate::{
    api::BackupServer,
    clock::Clock,
    config::{ClusterArgs, MethodArgs, Plugin, PluginCommand},
    controller::{client_of, cluster::Cluster, kubernetes::Kubernetes},
    nas::entry_address,
    telemetry::{LogFormat, init_logs},
};

/// As for every command, but what Kubernetes' client says on its own: the commands tell of their errors themselves, and a
/// line among those that move would break them.
const LOGS: &str = "warn,abb_operator::nas=info,kube_client=off,kube_runtime=off";

/// Runs one command.
pub(super) async fn run(plugin: Plugin) -> Result<(), Failure> {
    let Plugin { cluster, command } = plugin;
    // A live screen has no place for lines of a log.
    let is_live = matches!(&command, PluginCommand::Status(args) if args.watch);
    init_logs(LogFormat::Text, if is_live { "off" } else { LOGS });
    match command {
        PluginCommand::Call { server, method } => call_server(&cluster, &server, &method).await,
        PluginCommand::Doctor(args) => doctor::run(&cluster, &args).await,
        PluginCommand::Status(args) => status::run(&Place::find(&cluster).await?, &args).await,
        PluginCommand::Backup(args) => backup::run(&Place::find(&cluster).await?, &args).await,
        PluginCommand::Cancel(args) => backup::cancel(&Place::find(&cluster).await?, &args).await,
        PluginCommand::History { task, output } => {
            history::run(&Place::find(&cluster).await?, &task, output).await
        }
        PluginCommand::Tasks { server, output } => {
            tasks::run(&Place::find(&cluster).await?, &server, output).await
        }
        PluginCommand::Import(args) => {
            let place = Place::find(&cluster).await?;
            import::run(&place, cluster.namespace.as_deref(), &args).await
        }
        PluginCommand::Suspend(args) => suspend::run(&Place::find(&cluster).await?, &args, true).await,
        PluginCommand::Resume(args) => suspend::run(&Place::find(&cluster).await?, &args, false).await,
        PluginCommand::Completion { shell } => completion::script("kubectl-abb", shell),
    }
}

/// A cluster, and the namespace that a command is about.
struct Place {
    client: kube::Client,
    kubernetes: Kubernetes,
    namespace: String,
}

impl Place {
    async fn find(args: &ClusterArgs) -> Result<Self, Failure> {
        let config = config(args).await?;
        let namespace = args
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = kube::Client::try_from(config)
            .map_err(|error| Failure::because("failed to set up the cluster's client", &error))?;
        let kubernetes = Kubernetes::new(client.clone(), "kubectl-abb");
        Ok(Self {
            client,
            kubernetes,
            namespace,
        })
    }

    async fn server(&self, name: &str) -> Result<BackupServer, Failure> {
        let namespace = &self.namespace;
        match self.kubernetes.read_server(namespace, name).await {
            Ok(Some(server)) => Ok(server),
            Ok(None) => Err(Failure::new(format!(
                "there is no BackupServer {name:?} in namespace {namespace:?}: see kubectl get backupservers --all-namespaces"
            ))),
            Err(error) => Err(Failure::new(error.to_string())),
        }
    }
}

async fn call_server(cluster: &ClusterArgs, name: &str, method: &MethodArgs) -> Result<(), Failure> {
    if call::prints_only(method) {
        return Ok(());
    }
    let invocation = call::invocation(method)?;
    let (kubernetes, server) = server_of(cluster, name).await?;
    if method.dry_run {
        let url: Option<url::Url> = server.spec.url.parse().ok();
        let address = url
            .as_ref()
            .map_or_else(|| server.spec.url.clone(), entry_address);
        call::print(&call::dry_run(&invocation, &address));
        return Ok(());
    }
    call::consent(&invocation, method.yes)?;
    let client = client_of(&kubernetes, &server, Clock::system())
        .await
        .map_err(|problem| Failure::new(problem.message))?;
    call::carry_out(&client, &invocation, server.spec.timeouts.request.get()).await
}

/// The cluster, and the BackupServer of that name in the namespace asked for.
async fn server_of(args: &ClusterArgs, name: &str) -> Result<(Kubernetes, BackupServer), Failure> {
    let place = Place::find(args).await?;
    let server = place.server(name).await?;
    Ok((place.kubernetes, server))
}

/// A client of the cluster that the flags name, and the namespace that they mean.
pub(super) async fn connect(args: &ClusterArgs) -> Result<(kube::Client, String), Failure> {
    let place = Place::find(args).await?;
    Ok((place.client, place.namespace))
}

pub(super) async fn config(args: &ClusterArgs) -> Result<Config, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::because("failed to find a cluster (set KUBECONFIG or --kubeconfig)", error)
    };
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    let kubeconfig = match &args.kubeconfig {
        Some(path) => Some(Kubeconfig::read_from(path).map_err(|error| failed(&error))?),
        None => None,
    };
    match (kubeconfig, &args.context) {
        (Some(kubeconfig), _) => Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| failed(&error)),
        (None, Some(_)) => Config::from_kubeconfig(&options)
            .await
            .map_err(|error| failed(&error)),
        (None, None) => Config::infer().await.map_err(|error| failed(&error)),
    }
}
