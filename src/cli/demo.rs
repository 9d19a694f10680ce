//! `demo`: a whole run with everything embedded. The simulated NAS, the example manifests, and the same observe,
//! decide, act and status as in a cluster, over a store in memory; or, with `--cluster`, against a real one.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::Secret, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{conditions, wait::await_condition},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::{
    Failure,
    call::print,
    plugin::screen_of,
    progress::{Board, Ended, results, standard_error},
    screen::Screen,
};
use crate::{
    api::{BackupServer, BackupTask, TlsSpec, definitions},
    config::{DemoArgs, RunArgs},
    controller::store::MemoryStore,
    simulator::{self, Options, Scenario, Simulator},
    standalone::{Credentials, Ground, Standalone},
    telemetry::{LogFormat, init_logs},
};

/// The manifests a user would apply, with the simulated NAS's address and certificate put in.
const MANIFESTS: &str = include_str!("../../docs/examples/first-backup.yaml");
/// The seed's run took 522 s; at this scale it takes about eight.
const TIME_SCALE: f64 = 65.0;
/// The demo gives up after this long: something is wrong then, and waiting shows nothing more.
const LIMIT: Duration = Duration::from_secs(60);
/// Longest time between two looks.
const PAUSE: Duration = Duration::from_secs(1);
const NAMESPACE: &str = "default";

/// Shows a run.
pub(super) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let options = Options {
        time_scale: TIME_SCALE,
        scenario: Scenario::seed(),
        ..Options::default()
    };
    let nas = simulator::start(options)
        .await
        .map_err(|error| Failure::because("failed to start the simulated NAS", &error))?;
    let manifests = manifests(&nas)?;
    let done = if args.cluster {
        Box::pin(in_cluster(args, &nas, manifests)).await
    } else {
        Box::pin(embedded(&nas, manifests)).await
    };
    nas.shutdown().await;
    done
}

struct Manifests {
    secret: Secret,
    server: BackupServer,
    task: BackupTask,
}

fn manifests(nas: &Simulator) -> Result<Manifests, Failure> {
    let mut documents = MANIFESTS.split("\n---\n");
    let mut secret: Secret = document(documents.next())?;
    let mut server: BackupServer = document(documents.next())?;
    let task: BackupTask = document(documents.next())?;
    nas.url().clone_into(&mut server.spec.url);
    server.spec.tls = Some(TlsSpec {
        fingerprint: nas.fingerprint().map(str::to_owned),
        ..TlsSpec::default()
    });
    let values = [("username", nas.username()), ("password", nas.password())];
    secret.string_data = Some(
        values
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    );
    Ok(Manifests { secret, server, task })
}

fn document<T: DeserializeOwned>(text: Option<&str>) -> Result<T, Failure> {
    const READING: &str = "failed to read the example";
    let value: serde_json::Value =
        serde_saphyr::from_str(text.unwrap_or("")).map_err(|error| Failure::because(READING, &error))?;
    // The binary reads these types from JSON anyway; reading them from YAML too would cost it a megabyte.
    serde_json::from_str(&value.to_string()).map_err(|error| Failure::because(READING, &error))
}

async fn embedded(
    nas: &Simulator,
    Manifests {
        mut secret,
        mut server,
        mut task,
    }: Manifests,
) -> Result<(), Failure> {
    init_logs(LogFormat::Text, "warn");
    println!(
        "A simulated NAS listens on {} with the tasks of a real one.",
        nas.url()
    );
    println!(
        "The BackupTask {:?} asks for a run of {:?}.\n",
        task.name_any(),
        task.spec.task.name.as_deref().unwrap_or("")
    );
    let store = MemoryStore::default();
    let mut credentials = Credentials::default();
    secret.metadata.namespace = Some(NAMESPACE.to_owned());
    credentials.add_secret(secret);
    server.metadata.namespace = Some(NAMESPACE.to_owned());
    task.metadata.namespace = Some(NAMESPACE.to_owned());
    let name = task.name_any();
    store.apply_server(server);
    store.apply_task(task);
    let standalone = Standalone::new(Ground::new(store.clone(), credentials));
    let mut board = Board::new(standard_error());
    let turns = async {
        loop {
            let next = Box::pin(standalone.turn()).await.next;
            if let Some(task) = store.task(NAMESPACE, &name) {
                board.show(&task);
                if let Some(ended) = answer(&task) {
                    board.end(&ended);
                    return ended;
                }
            }
            tokio::time::sleep(next.min(PAUSE)).await;
        }
    };
    let ended = tokio::time::timeout(LIMIT, turns)
        .await
        .map_err(|_| Failure::new(format!("the run did not end within {LIMIT:?}")))?;
    board.finish();
    standalone.log_out().await;
    let screen = Screen::stdout();
    print(&format!(
        "{}\nWhat `kubectl abb status` shows of it:\n\n{}\n",
        results(screen, &[ended]),
        screen_of(store.servers(), store.tasks(), screen)
    ));
    let effects = nas
        .ledger()
        .iter()
        .filter(|effect| effect.kind == "backup")
        .count();
    print(&format!(
        "The NAS's ledger has {effects} backup for the one token.\n"
    ));
    Ok(())
}

/// What came of the token, once that is known.
fn answer(task: &BackupTask) -> Option<Ended> {
    let receipts = task.status.as_ref()?.receipts.as_ref()?;
    let receipt = receipts
        .request
        .as_ref()
        .filter(|receipt| receipt.outcome.is_final())?;
    Some(Ended::backup(task, receipt.outcome, receipt.result_id))
}

async fn in_cluster(args: DemoArgs, nas: &Simulator, manifests: Manifests) -> Result<(), Failure> {
    let config = Config::infer()
        .await
        .map_err(|error| Failure::because("failed to find a cluster (set KUBECONFIG)", &error))?;
    let namespace = args.namespace.unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config.clone())
        .map_err(|error| Failure::because("failed to set up the cluster's client", &error))?;
    install(&client).await?;
    let Manifests { secret, server, task } = manifests;
    let [secret_name, server_name, task_name] = [secret.name_any(), server.name_any(), task.name_any()];
    apply(
        &Api::namespaced(client.clone(), &namespace),
        &secret_name,
        &secret,
    )
    .await?;
    apply(
        &Api::namespaced(client.clone(), &namespace),
        &server_name,
        &server,
    )
    .await?;
    apply(&Api::namespaced(client.clone(), &namespace), &task_name, &task).await?;
    println!(
        "A simulated NAS listens on {}; the operator runs here until ^C. In another terminal, try:",
        nas.url()
    );
    println!("  kubectl get backuptasks -n {namespace} --watch");
    println!("  kubectl get backuptask {task_name} -n {namespace} -o yaml");
    let patch = r#"{"spec":{"triggers":{"request":"second-run"}}}"#;
    println!("  kubectl patch backuptask {task_name} -n {namespace} --type merge -p '{patch}'");
    println!("  kubectl delete backuptask {task_name} -n {namespace}\n");
    let run = RunArgs {
        watch_namespaces: vec![namespace.clone()],
        listen: ([127, 0, 0, 1], 0).into(),
        lease_namespace: Some(namespace),
        lease_name: "abb-operator-demo".to_owned(),
        single_leader: true,
        lease_duration: Duration::from_secs(15),
        no_leader_election: false,
        log_format: LogFormat::Text,
    };
    init_logs(LogFormat::Text, "info");
    let (stop, stopped) = watch::channel(false);
    let signals = tokio::spawn(async move {
        super::operate::ended().await;
        stop.send_replace(true);
    });
    let done = super::operate::operate(config, run, stopped).await;
    signals.abort();
    done
}

/// Installs the definitions and waits until the API server serves them.
async fn install(client: &Client) -> Result<(), Failure> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in definitions() {
        let name = definition.name_any();
        apply(&api, &name, &definition).await?;
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        match tokio::time::timeout(LIMIT, established).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(Failure::because(&format!("failed to wait for {name}"), &error)),
            Err(_) => {
                return Err(Failure::new(format!(
                    "the API server does not serve {name} after {LIMIT:?}"
                )));
            }
        }
    }
    Ok(())
}

async fn apply<K>(api: &Api<K>, name: &str, object: &K) -> Result<(), Failure>
where
    K: Clone + std::fmt::Debug + DeserializeOwned + serde::Serialize,
{
    let params = PatchParams::apply("abb-operator-demo").force();
    let applied = api.patch(name, &params, &Patch::Apply(object)).await;
    applied
        .map(|_| ())
        .map_err(|error| Failure::because(&format!("failed to apply {name:?}"), &error))
}
