//! Watches, passes, leadership, shutdown. One loop turns per BackupServer; watched tasks are mapped to their server.
//!
//! Invariant: nothing is written and nothing is sent while the fence is closed.

pub mod cluster;
mod connect;
mod fleet;
pub mod kubernetes;
pub mod orphan;
mod pass;
mod read;
mod reign;
mod removal;
mod report;
mod share;
pub mod store;
mod swap;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, channel::mpsc, future, stream};
use jiff::Timestamp;
use kube::{
    Api, Client, Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        Controller, WatchStreamExt,
        controller::Action,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

use crate::{
    act::Fence,
    api::{BackupServer, BackupTask},
    clock::Clock,
    nas::{OneTimeCodes, SharedCarrier},
    telemetry::Metrics,
};
use cluster::Cluster;

pub use connect::{client_of, endpoint_of, refused_until};
pub use fleet::{Fleet, Memory, ServerKey};
pub use pass::pass;
pub use share::{Fences, Gain, Handle, Mode, Settings, Sharing};

/// What every pass shares.
pub struct Context<C> {
    /// Kubernetes, or the store of the demo.
    pub cluster: C,
    /// Sessions and inventories.
    pub fleet: Fleet,
    /// The fences in front of everything that sends.
    pub fence: Fences,
    /// Counters and gauges.
    pub metrics: Arc<Metrics>,
    /// Clock, chance, and the way to a NAS.
    pub machine: Machine,
}

/// What a process takes from the machine it runs on; a simulation gives its own.
#[derive(Clone)]
pub struct Machine {
    /// The clock.
    pub clock: Clock,
    /// The way to a NAS, where it is not a socket.
    pub carrier: Option<SharedCarrier>,
    /// Makes identities that no other process makes.
    pub identity: Arc<dyn Fn() -> String + Send + Sync>,
    /// The one-time codes that are spent.
    pub codes: OneTimeCodes,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            carrier: None,
            identity: Arc::new(|| uuid::Uuid::new_v4().to_string()),
            codes: OneTimeCodes::default(),
        }
    }
}

impl<C> Context<C> {
    /// Our clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.machine.clock.now()
    }

    /// The fence in front of one NAS and of the status of its objects.
    #[must_use]
    pub fn fence_of(&self, server: &ServerKey) -> Fence {
        self.fence.of_server(server)
    }

    /// The fence in front of the status of tasks whose server does not exist.
    #[must_use]
    pub fn fence_of_orphans(&self) -> Fence {
        self.fence.of_orphans()
    }
}

type Guarded<K> = DeserializeGuard<K>;

/// The watched objects of one scope (a namespace, or all).
#[derive(Clone)]
pub struct Scope {
    /// Servers.
    pub servers: Store<Guarded<BackupServer>>,
    /// Tasks.
    pub tasks: Store<Guarded<BackupTask>>,
    namespace: Option<String>,
    // `Store::wait_until_ready` keeps one waker only: a second waiter (kube's own, a probe) silences the first.
    lists: [watch::Receiver<u64>; 2],
    servers_changed: watch::Receiver<u64>,
}

impl Scope {
    /// Waits until both watches have listed once.
    pub async fn ready(&self) {
        for lists in &self.lists {
            // The only error is that the watch has ended, which is shutdown.
            let _ = lists.clone().wait_for(|lists| *lists > 0).await;
        }
    }

    /// Whether both watches have listed once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lists.iter().all(|lists| *lists.borrow() > 0)
    }

    /// The servers that exist.
    #[must_use]
    pub fn server_keys(&self) -> Vec<ServerKey> {
        let key =
            |server: &Arc<Guarded<BackupServer>>| (server.namespace().unwrap_or_default(), server.name_any());
        self.servers.state().iter().map(key).collect()
    }

    /// Ticks when a server is created or deleted, or the servers were listed anew.
    #[must_use]
    pub fn servers_changed(&self) -> watch::Receiver<u64> {
        self.servers_changed.clone()
    }

    /// Whether this scope watches for a server that does not exist.
    fn misses(&self, (namespace, name): &ServerKey) -> bool {
        let is_ours = self.namespace.as_ref().is_none_or(|ours| ours == namespace);
        let reference = ObjectRef::<Guarded<BackupServer>>::new(name).within(namespace);
        is_ours && self.servers.get(&reference).is_none()
    }

    /// The readable tasks of one server.
    #[must_use]
    pub fn tasks_of(&self, (namespace, name): &ServerKey) -> Vec<Arc<BackupTask>> {
        self.tasks
            .state()
            .iter()
            .filter_map(|task| task.0.as_ref().ok())
            .filter(|task| {
                task.namespace().as_deref() == Some(namespace.as_str()) && task.spec.server_ref.name == *name
            })
            .map(|task| Arc::new(task.clone()))
            .collect()
    }

    /// The readable server.
    #[must_use]
    pub fn server(&self, (namespace, name): &ServerKey) -> Option<BackupServer> {
        let reference = ObjectRef::<Guarded<BackupServer>>::new(name).within(namespace);
        self.servers
            .get(&reference)
            .and_then(|server| server.0.as_ref().ok().cloned())
    }
}

/// The controllers of one scope with their stores.
pub struct Controllers {
    servers: Controller<Guarded<BackupServer>>,
    tasks: Controller<Guarded<BackupTask>>,
    /// The watched objects.
    pub scope: Scope,
}

impl Controllers {
    /// Watches one namespace, or all.
    #[must_use]
    pub fn new(client: &Client, namespace: Option<&str>) -> Self {
        // Invariant: a loop is woken from the stream that has filled the store it will read. A second watch of the
        // same kind, as `Controller::watches` opens, may be ahead of the store: the pass then sees the old object and
        // nothing wakes it again before the next poll.
        let (wake_server, woken_servers) = mpsc::unbounded();
        let (wake_task, woken_tasks) = mpsc::unbounded();
        // A failed send is a controller that has ended.
        let (task_store, task_stream, task_lists, _) = watched(api(client, namespace), move |task| {
            let _ = server_of(task).map(|server| wake_server.unbounded_send(server));
        });
        let store = task_store.clone();
        let (server_store, server_stream, server_lists, servers_changed) = watched(api(client, namespace), move |server| {
            for task in tasks_of(&store, server) {
                let _ = wake_task.unbounded_send(task);
            }
        });
        // What changed while a watch was away shows when its list is complete, in no event of its own.
        let relisted =
            || stream::select(changes(server_lists.clone()), changes(task_lists.clone())).map(|_| ());
        let servers = Controller::for_stream(server_stream, server_store.clone())
            .reconcile_on(woken_servers)
            .reconcile_all_on(relisted());
        let tasks = Controller::for_stream(task_stream, task_store.clone())
            .reconcile_on(woken_tasks)
            .reconcile_all_on(relisted());
        let scope = Scope {
            servers: server_store,
            tasks: task_store,
            namespace: namespace.map(str::to_owned),
            lists: [server_lists, task_lists],
            servers_changed,
        };
        Self {
            servers,
            tasks,
            scope,
        }
    }

    /// Runs until `stop` turns true; passes under way are finished first.
    pub async fn run<C: Cluster>(
        self,
        context: Arc<Context<C>>,
        gains: &broadcast::Sender<Gain>,
        stop: watch::Receiver<bool>,
    ) {
        let scope = self.scope.clone();
        let forgetting = forget_the_gone(Arc::clone(&context), scope.clone(), stop.clone());
        let known = scope.servers.clone();
        let shared = Arc::new((context, scope));
        let gained = heard(gains.subscribe()).filter_map(move |gain| future::ready(gained(&known, gain)));
        let led = heard(gains.subscribe()).filter(|gain| future::ready(!matches!(gain, Gain::Server(_))));
        let all = heard(gains.subscribe()).filter(|gain| future::ready(*gain == Gain::Everything));
        let servers = self
            .servers
            .reconcile_on(gained)
            .reconcile_all_on(all.map(|_| ()))
            .graceful_shutdown_on(stopped(stop.clone()))
            .run(
                reconcile_server,
                |_, error, _| match *error {},
                Arc::clone(&shared),
            )
            .for_each(|_| future::ready(()));
        let tasks = self
            .tasks
            .reconcile_all_on(led.map(|_| ()))
            .graceful_shutdown_on(stopped(stop))
            .run(reconcile_task, |_, error, _| match *error {}, shared)
            .for_each(|_| future::ready(()));
        future::join3(servers, tasks, forgetting).await;
    }
}

/// A watch, the store it fills, how often it has listed, and how often anything has changed since. `touched` sees each object that was changed or deleted,
/// after the store has it.
fn watched<K>(
    api: Api<K>,
    touched: impl Fn(&K) + Send + 'static,
) -> (
    Store<K>,
    impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
    watch::Receiver<u64>,
    watch::Receiver<u64>,
)
where
    K: Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let (lists, listed) = watch::channel(0);
    let (changes, changed) = watch::channel(0);
    let stream = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .inspect(move |event| match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::Delete(object)) => {
                touched(object);
                changes.send_modify(|changes| *changes += 1);
            }
            Ok(watcher::Event::InitDone) => {
                lists.send_modify(|lists| *lists += 1);
                changes.send_modify(|changes| *changes += 1);
            }
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) | Err(_) => {}
        })
        .applied_objects();
    (store, stream, listed, changed)
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// What is gained from now on.
fn heard(gains: broadcast::Receiver<Gain>) -> impl Stream<Item = Gain> + Send {
    stream::unfold(gains, |mut gains| async move {
        match gains.recv().await {
            Ok(gain) => Some((gain, gains)),
            Err(RecvError::Lagged(_)) => Some((Gain::Everything, gains)),
            Err(RecvError::Closed) => None,
        }
    })
}

/// The server that was gained, where it is watched here.
fn gained(known: &Store<Guarded<BackupServer>>, gain: Gain) -> Option<ObjectRef<Guarded<BackupServer>>> {
    let Gain::Server((namespace, name)) = gain else {
        return None;
    };
    let server = ObjectRef::new(&name).within(&namespace);
    known.get(&server).map(|_| server)
}

fn changes<T: Copy + Send + Sync>(receiver: watch::Receiver<T>) -> impl Stream<Item = T> + Send {
    stream::unfold(receiver, |mut receiver| async move {
        receiver.changed().await.ok()?;
        let value = *receiver.borrow_and_update();
        Some((value, receiver))
    })
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is shutdown too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn server_of(task: &Guarded<BackupTask>) -> Option<ObjectRef<Guarded<BackupServer>>> {
    let task = task.0.as_ref().ok()?;
    Some(ObjectRef::new(&task.spec.server_ref.name).within(&task.namespace()?))
}

fn tasks_of(
    store: &Store<Guarded<BackupTask>>,
    server: &Guarded<BackupServer>,
) -> Vec<ObjectRef<Guarded<BackupTask>>> {
    let (namespace, name) = (server.namespace(), server.name_any());
    store
        .state()
        .iter()
        .filter(|task| task.namespace() == namespace)
        .filter(|task| {
            task.0
                .as_ref()
                .is_ok_and(|task| task.spec.server_ref.name == name)
        })
        .map(|task| ObjectRef::from_obj(task.as_ref()))
        .collect()
}

/// Ends the sessions of servers that were deleted: nothing else wakes for an object that is not there.
async fn forget_the_gone<C: Cluster>(
    context: Arc<Context<C>>,
    scope: Scope,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(FORGET_EVERY) => context.fleet.forget_if(|key| scope.misses(key)).await,
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// How often deleted servers are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(10);

type Shared<C> = Arc<(Arc<Context<C>>, Scope)>;

async fn reconcile_server<C: Cluster>(
    server: Arc<Guarded<BackupServer>>,
    shared: Shared<C>,
) -> Result<Action, Infallible> {
    let (context, scope) = shared.as_ref();
    scope.ready().await;
    let key = (server.namespace().unwrap_or_default(), server.name_any());
    if !context.fence_of(&key).is_open() {
        return Ok(Action::await_change());
    }
    // The store is newer than the object that woke us.
    let Some(server) = scope.server(&key) else {
        if let Err(error) = &server.0 {
            tracing::warn!(namespace = key.0, server = key.1, error = %error.error, "cannot read the BackupServer");
        }
        return Ok(Action::await_change());
    };
    let timer = context.metrics.reconcile("BackupServer");
    let next = pass(context, &server, scope.tasks_of(&key)).await;
    let unreadable = context.fleet.sample(&key).up == Some(false);
    timer.done(if unreadable { "nas_unreadable" } else { "ok" });
    Ok(Action::requeue(next.min(LONGEST_SLEEP)))
}

/// A pass that nothing else wakes is run again after this, so that a missed wake is never for good.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

async fn reconcile_task<C: Cluster>(
    task: Arc<Guarded<BackupTask>>,
    shared: Shared<C>,
) -> Result<Action, Infallible> {
    let (context, scope) = shared.as_ref();
    scope.ready().await;
    if !context.fence_of_orphans().is_open() {
        return Ok(Action::await_change());
    }
    let task = match &task.0 {
        Ok(task) => task,
        Err(error) => {
            let name = error.metadata.name.as_deref().unwrap_or("");
            tracing::warn!(task = name, error = %error.error, "cannot read the BackupTask");
            return Ok(Action::await_change());
        }
    };
    let key = (
        task.namespace().unwrap_or_default(),
        task.spec.server_ref.name.clone(),
    );
    if !scope.misses(&key) {
        return Ok(Action::await_change());
    }
    // The watch may lag behind a server that was created in the same breath.
    match context.cluster.read_server(&key.0, &key.1).await {
        Ok(Some(_)) | Err(_) => return Ok(Action::requeue(Duration::from_secs(1))),
        Ok(None) => {}
    }
    context.fleet.forget(&key).await;
    let timer = context.metrics.reconcile("BackupTask");
    let next = orphan::reconcile(context, task).await;
    timer.done("ok");
    Ok(next.map_or_else(Action::await_change, Action::requeue))
}
