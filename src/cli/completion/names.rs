//! Names for completions: what the words typed so far say about where to look, and the look itself, short and silent.

use std::{ffi::OsString, fmt::Debug, future::Future, path::PathBuf, time::Duration};

use clap::{ArgMatches, Command};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource,
    api::{ListParams, PartialObjectMeta},
    config::Kubeconfig,
};
use serde::de::DeserializeOwned;

use crate::{
    api::{BackupServer, BackupTask},
    cli::plugin,
    config::ClusterArgs,
    nas::methods,
};

/// Longest wait for names. Who types does not wait longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most names that are asked for.
const MOST: u32 = 500;

/// What was typed before the cursor, as far as it tells where names are.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    cluster: ClusterArgs,
    /// BackupTasks that stand there already.
    tasks: Vec<String>,
}

impl Typed {
    /// Reads the words as the command would, and passes over whatever is wrong or missing yet.
    pub fn read(command: Command, words: Vec<OsString>) -> Self {
        let Ok(matches) = command.ignore_errors(true).try_get_matches_from(words) else {
            return Self::default();
        };
        let mut typed = Self {
            cluster: ClusterArgs {
                namespace: value(&matches, "namespace"),
                context: value(&matches, "context"),
                kubeconfig: value::<PathBuf>(&matches, "kubeconfig"),
            },
            tasks: Vec::new(),
        };
        if let Some((_, inner)) = matches.subcommand() {
            let ClusterArgs {
                namespace,
                context,
                kubeconfig,
            } = &mut typed.cluster;
            *namespace = value(inner, "namespace").or(namespace.take());
            *context = value(inner, "context").or(context.take());
            *kubeconfig = value(inner, "kubeconfig").or(kubeconfig.take());
            let tasks = inner.try_get_many::<String>("names").ok().flatten();
            typed.tasks = tasks.into_iter().flatten().cloned().collect();
        }
        typed
    }
}

fn value<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Option<T> {
    matches.try_get_one::<T>(id).ok().flatten().cloned()
}

/// A name and what is said of it.
pub(super) type Named = (String, Option<String>);

/// What an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tasks,
    Servers,
    Namespaces,
    Contexts,
    Methods,
}

impl Kind {
    /// By the argument's name in `config`.
    pub fn of(argument: &str) -> Option<Self> {
        Some(match argument {
            "names" | "task" => Self::Tasks,
            "server" => Self::Servers,
            "namespace" | "lease_namespace" | "watch_namespaces" => Self::Namespaces,
            "context" => Self::Contexts,
            "method" => Self::Methods,
            _ => return None,
        })
    }

    /// All that there are.
    pub fn names(self, typed: &Typed) -> Vec<Named> {
        let plain = |names: Vec<String>| names.into_iter().map(|name| (name, None)).collect();
        match self {
            Self::Tasks => {
                let mut names = namespaced::<BackupTask>(typed.cluster.clone());
                names.retain(|name| !typed.tasks.contains(name));
                plain(names)
            }
            Self::Servers => plain(namespaced::<BackupServer>(typed.cluster.clone())),
            Self::Namespaces => plain(namespaces(typed.cluster.clone())),
            Self::Contexts => plain(contexts(typed.cluster.kubeconfig.clone())),
            Self::Methods => methods::all()
                .map(|method| (method.short_name(), Some(method.effect.label().to_owned())))
                .collect(),
        }
    }
}

fn contexts(kubeconfig: Option<PathBuf>) -> Vec<String> {
    let read = match kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    read.map(|kubeconfig| {
        kubeconfig
            .contexts
            .into_iter()
            .map(|context| context.name)
            .collect()
    })
    .unwrap_or_default()
}

fn namespaces(args: ClusterArgs) -> Vec<String> {
    in_time(async move {
        let (client, _) = connect(&args).await?;
        listed(Api::<Namespace>::all(client)).await
    })
}

fn namespaced<K>(args: ClusterArgs) -> Vec<String>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + 'static,
{
    in_time(async move {
        let (client, namespace) = connect(&args).await?;
        listed(Api::<K>::namespaced(client, &namespace)).await
    })
}

async fn connect(args: &ClusterArgs) -> Option<(Client, String)> {
    let mut config = plugin::config(args).await.ok()?;
    config.default_retry = false;
    let namespace = args
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    Some((Client::try_from(config).ok()?, namespace))
}

async fn listed<K>(api: Api<K>) -> Option<Vec<String>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    // Names alone: a status with its history would be most of the bytes.
    let list = api.list_metadata(&ListParams::default().limit(MOST)).await.ok()?;
    let name = |object: PartialObjectMeta<K>| object.metadata.name;
    Some(list.items.into_iter().filter_map(name).collect())
}

/// On a thread of its own, so that it does not matter what runs on this one.
fn in_time(look: impl Future<Output = Option<Vec<String>>> + Send + 'static) -> Vec<String> {
    let looked = std::thread::spawn(move || {
        crate::install_crypto();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok()?;
        let found = runtime.block_on(async { tokio::time::timeout(PATIENCE, look).await.ok().flatten() });
        // A name server that does not answer keeps its thread; nobody waits for it.
        runtime.shutdown_background();
        found
    });
    looked.join().ok().flatten().unwrap_or_default()
}
