//! `run`: the controller in a cluster, from start to a clean end.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use kube::{Config, ResourceExt};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{broadcast, watch},
};

use super::Failure;
use crate::{
    act::Fence,
    api::BackupServer,
    config::RunArgs,
    controller::{
        Context, Controllers, Fences, Fleet, Handle, Machine, Mode, SILENCE, Scope, Settings, Sharing,
        cluster_client, kubernetes::Kubernetes,
    },
    serve::{self, Probes},
    telemetry::{Metrics, ServerSample, init_logs},
};

/// Runs until SIGINT or SIGTERM: passes under way end, sessions log out, the Lease is released.
pub(super) async fn run(args: RunArgs) -> Result<(), Failure> {
    init_logs(args.log_format, "info");
    let config = Config::infer().await.map_err(|error| {
        Failure::because(
            "failed to find a cluster (set KUBECONFIG, or run in a pod)",
            &error,
        )
    })?;
    let (stop, stopped) = watch::channel(false);
    let signals = tokio::spawn(async move {
        ended().await;
        tracing::info!("stopping");
        stop.send_replace(true);
    });
    let done = operate(config, args, stopped).await;
    signals.abort();
    done
}

/// The controller on a given cluster until `stop` turns true.
pub(super) async fn operate(
    mut config: Config,
    args: RunArgs,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    config.read_timeout = Some(SILENCE);
    config.reset_reader_on_write = true;
    let default_namespace = config.default_namespace.clone();
    let client = cluster_client(config)
        .map_err(|error| Failure::because("failed to set up the cluster's client", &error))?;
    let identity = identity();
    let metrics = Arc::new(Metrics::new());
    let (sharing, handle) = if args.no_leader_election {
        let (_, leading) = watch::channel(true);
        let (_, known) = watch::channel(true);
        let (gains, _) = broadcast::channel(1);
        let fences = Fences::from(Fence::open());
        let handle = Handle {
            fences,
            gains,
            leading,
            known,
        };
        (None, handle)
    } else {
        let settings = Settings {
            namespace: args.lease_namespace.clone().unwrap_or(default_namespace),
            name: args.lease_name.clone(),
            identity: identity.clone(),
            duration: args.lease_duration,
            mode: if args.single_leader {
                Mode::Single
            } else {
                Mode::Shared
            },
        };
        let (sharing, handle) = Sharing::new(client.clone(), settings);
        (Some(sharing), handle)
    };
    let Handle {
        fences,
        gains,
        leading,
        known,
    } = handle;
    let context = Arc::new(Context {
        cluster: Kubernetes::new(client.clone(), &identity),
        fleet: Fleet::default(),
        fence: fences,
        metrics: Arc::clone(&metrics),
        machine: Machine::default(),
    });
    let controllers: Vec<Controllers> = match args.watch_namespaces.as_slice() {
        [] => vec![Controllers::new(&client, None)],
        namespaces => namespaces
            .iter()
            .map(|namespace| Controllers::new(&client, Some(namespace)))
            .collect(),
    };
    let scopes: Vec<Scope> = controllers
        .iter()
        .map(|controllers| controllers.scope.clone())
        .collect();

    let (listener, address) = serve::bind(args.listen).await.map_err(|error| {
        Failure::because(
            &format!("failed to listen on {} (choose another --listen)", args.listen),
            &error,
        )
    })?;
    tracing::info!(%address, "listening");
    let probes = Arc::new(State {
        scopes: scopes.clone(),
        context: Arc::clone(&context),
    });
    let server = tokio::spawn(serve::serve(listener, probes));
    let leads = tokio::spawn(follow(leading, metrics, args.no_leader_election));

    let work = join_all(
        controllers
            .into_iter()
            .map(|controllers| controllers.run(Arc::clone(&context), &gains, known.clone(), stop.clone())),
    );
    // The slot outlives the passes: a call under way keeps its fence until it is over. Servers without one are given
    // away meanwhile.
    let (over, passes_over) = watch::channel(false);
    let share = async {
        if let Some(sharing) = sharing {
            sharing.run(&context, &scopes, stop.clone(), passes_over).await;
        }
    };
    let passes = async {
        work.await;
        context.fleet.log_out().await;
        context.cluster.close().await;
        over.send_replace(true);
    };
    futures::future::join(share, passes).await;
    server.abort();
    leads.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Resolves when the process is asked to end.
pub(super) async fn ended() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => futures::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

/// Unique per process, so that a restart never takes its predecessor's Lease for its own.
fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}_{}", host.trim(), uuid::Uuid::new_v4())
}

async fn follow(mut leading: watch::Receiver<bool>, metrics: Arc<Metrics>, always: bool) {
    metrics.leads(always || *leading.borrow());
    while leading.changed().await.is_ok() {
        let leads = *leading.borrow_and_update();
        metrics.leads(leads);
        tracing::info!(leads, "leadership");
    }
}

struct State {
    scopes: Vec<Scope>,
    context: Arc<Context<Kubernetes>>,
}

impl Probes for State {
    fn ready(&self) -> Result<(), String> {
        let listed = self.scopes.iter().all(Scope::is_ready);
        if listed {
            Ok(())
        } else {
            Err(
                "waiting for the API server to list BackupServers and BackupTasks (are the CRDs installed?)"
                    .to_owned(),
            )
        }
    }

    fn metrics(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            let mut servers: Vec<(BackupServer, ServerSample)> = Vec::new();
            for scope in &self.scopes {
                for server in scope.servers.state() {
                    let Ok(server) = server.0.as_ref() else { continue };
                    let key = (server.namespace().unwrap_or_default(), server.name_any());
                    servers.push((server.clone(), self.sample(&key)));
                }
            }
            let tasks = self.scopes.iter().flat_map(|scope| {
                let servers = scope.tasks.servers();
                servers
                    .into_iter()
                    .flat_map(|server| scope.tasks.of(&server))
                    .map(|task| task.open())
            });
            self.context
                .metrics
                .render(tasks, &servers)
                .unwrap_or_else(|error| format!("# {error}\n"))
        })
    }
}

impl State {
    /// A server in the middle of a pass gives what was last known; a scrape never waits for a NAS. A replica says
    /// nothing of a NAS that another one serves, also not what it knew when it did.
    fn sample(&self, key: &crate::controller::ServerKey) -> ServerSample {
        if self.context.fence_of(key).is_open() {
            self.context.fleet.sample(key)
        } else {
            ServerSample::default()
        }
    }
}
