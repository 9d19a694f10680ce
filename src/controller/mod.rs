//! Watches, passes, leadership, shutdown. One loop turns per BackupServer; watched tasks are mapped to their server.
//!
//! Invariant: nothing is written and nothing is sent while the fence is closed.

mod awake;
mod carry;
mod client;
pub mod cluster;
mod connect;
mod fleet;
mod guard;
mod judge;
pub mod kubernetes;
mod news;
pub mod orphan;
pub mod packed;
mod pass;
mod read;
mod reign;
mod removal;
mod report;
mod share;
pub mod store;
mod swap;
mod tasks;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::{FutureExt, Stream, StreamExt, channel::mpsc, future, future::BoxFuture, stream};
use jiff::Timestamp;
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        Controller, WatchStreamExt,
        controller::Action,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::Instant,
};

use crate::{
    act::Fence,
    api::{BackupServer, BackupTask},
    clock::Clock,
    nas::{OneTimeCodes, SharedCarrier},
    telemetry::Metrics,
};
use cluster::Cluster;
use guard::Guarded;

pub use client::cluster_client;
pub use connect::{client_of, endpoint_of, refused_until};
pub use fleet::{Fleet, Memory, ServerKey};
pub use pass::{pass, pass_over, prepare};
pub use share::{Fences, Gain, Handle, Mode, Settings, Sharing};
pub use tasks::TaskStore;

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

/// The watched objects of one scope (a namespace, or all).
#[derive(Clone)]
pub struct Scope {
    /// Servers.
    pub servers: Store<Guarded<BackupServer>>,
    /// Tasks.
    pub tasks: TaskStore,
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
    pub(crate) fn misses(&self, (namespace, name): &ServerKey) -> bool {
        let is_ours = self.namespace.as_ref().is_none_or(|ours| ours == namespace);
        let reference = ObjectRef::<Guarded<BackupServer>>::new(name).within(namespace);
        is_ours && self.servers.get(&reference).is_none()
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
    tasks: BoxFuture<'static, ()>,
    orphans: watch::Receiver<u64>,
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
        let (orphaned, orphans) = watch::channel(0);
        let orphaned = Arc::new(orphaned);
        let (server_store, server_stream, server_lists, servers_changed) =
            watch_servers(api(client, namespace), Arc::clone(&orphaned));
        let watched = Watched {
            store: TaskStore::default(),
            servers: server_store.clone(),
            wake: wake_server,
            orphaned,
        };
        let tasks = watched.store.clone();
        let (follow, task_lists) = watch_tasks(api(client, namespace), watched);
        // What changed while a watch was away shows when its list is complete, in no event of its own.
        let relisted = stream::select(changes(server_lists.clone()), changes(task_lists.clone()));
        let servers = Controller::for_stream(server_stream, server_store.clone())
            .reconcile_on(woken_servers)
            .reconcile_all_on(relisted.map(|_| ()));
        let scope = Scope {
            servers: server_store,
            tasks,
            namespace: namespace.map(str::to_owned),
            lists: [server_lists, task_lists],
            servers_changed,
        };
        Self {
            servers,
            tasks: follow.boxed(),
            orphans,
            scope,
        }
    }

    /// Runs until `stop` turns true; passes under way are finished first.
    pub async fn run<C: Cluster>(
        self,
        context: Arc<Context<C>>,
        gains: &broadcast::Sender<Gain>,
        mut known: watch::Receiver<bool>,
        stop: watch::Receiver<bool>,
    ) {
        let Self {
            servers,
            tasks,
            orphans,
            scope,
        } = self;
        let servers_known = scope.servers.clone();
        let gained =
            heard(gains.subscribe()).filter_map(move |gain| future::ready(gained(&servers_known, gain)));
        let led = heard(gains.subscribe()).filter(|gain| future::ready(!matches!(gain, Gain::Server(_))));
        let all = heard(gains.subscribe()).filter(|gain| future::ready(*gain == Gain::Everything));
        let is_leased = context.fence.is_leased();
        let lone = orphan::follow(
            Arc::clone(&context),
            scope.clone(),
            stream::select(changes(orphans).map(|_| ()), led.map(|_| ())),
            stop.clone(),
        );
        // A controller that is stopped before its store is filled waits for that. No pass can be under way then, but a login
        // can be, whose session is to be ended.
        let (unfilled, begun, preparing) = (scope.clone(), stop.clone(), Arc::clone(&context));
        let given_up = async move {
            stopped(begun).await;
            if unfilled.is_ready() {
                future::pending::<()>().await;
            }
            preparing.fleet.quiet().await;
        };
        let passes = servers
            .reconcile_on(gained)
            .reconcile_all_on(all.map(|_| ()))
            .graceful_shutdown_on(stopped(stop.clone()))
            .run(
                reconcile_server,
                |_, error, _| match *error {},
                Arc::new((context, scope)),
            )
            .for_each(|_| future::ready(()));
        let passes = async {
            tokio::select! {
                () = passes => {}
                () = given_up => {}
            }
        };
        let watching = async {
            let tasks = async {
                // A list of the tasks that is asked for once the Leases are known shows what the last holders of servers wrote
                // that are free, and no second one is needed.
                if is_leased {
                    let _ = tokio::time::timeout(FIRST_LOOK, known.wait_for(|known| *known)).await;
                }
                tasks.await;
            };
            tokio::select! {
                () = tasks => {}
                () = stopped(stop) => {}
            }
        };
        future::join3(passes, lone, watching).await;
    }
}

/// The servers' watch, the store it fills, how often it has listed, and how often anything of them has changed.
#[allow(
    clippy::type_complexity,
    reason = "taken apart where it is called, the one time"
)]
fn watch_servers(
    api: Api<Guarded<BackupServer>>,
    orphaned: Arc<watch::Sender<u64>>,
) -> (
    Store<Guarded<BackupServer>>,
    impl Stream<Item = Result<Guarded<BackupServer>, watcher::Error>> + Send + 'static,
    watch::Receiver<u64>,
    watch::Receiver<u64>,
) {
    let (store, writer) = reflector::store();
    let (lists, listed) = watch::channel(0);
    let (changes, told) = watch::channel(0);
    let stream = watcher(api, watching())
        .default_backoff()
        .modify(|server| server.meta_mut().managed_fields = None)
        .reflect(writer)
        .inspect(move |event| {
            match event {
                Ok(watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {}
                Ok(watcher::Event::InitDone) => lists.send_modify(|lists| *lists += 1),
                Ok(watcher::Event::Init | watcher::Event::InitApply(_)) | Err(_) => return,
            }
            changes.send_modify(|changes| *changes += 1);
            orphaned.send_modify(|times| *times += 1);
        })
        .applied_objects();
    (store, stream, listed, told)
}

/// What the tasks' watch fills and wakes.
struct Watched {
    store: TaskStore,
    servers: Store<Guarded<BackupServer>>,
    wake: mpsc::UnboundedSender<ObjectRef<Guarded<BackupServer>>>,
    orphaned: Arc<watch::Sender<u64>>,
}

impl Watched {
    /// The tasks of a server have changed, and the store has them. A failed send is a controller that has ended.
    fn touch(&self, (namespace, name): &ServerKey) {
        let server = ObjectRef::new(name).within(namespace);
        if self.servers.get(&server).is_none() {
            self.orphaned.send_modify(|times| *times += 1);
        }
        let _ = self.wake.unbounded_send(server);
    }

    fn put(&self, task: Guarded<BackupTask>) -> Option<ServerKey> {
        match task.0 {
            Ok(task) => {
                let server = server_of(&task);
                self.store.put(task).then_some(server)
            }
            Err(error) => {
                let named = &error.metadata;
                let namespace = named.namespace.clone().unwrap_or_default();
                let name = named.name.clone().unwrap_or_default();
                tracing::warn!(namespace, task = name, error = %error.error, "cannot read the BackupTask");
                self.store.remove_named(&namespace, &name)
            }
        }
    }

    /// Takes what the watch tells; `asked` is a time before it asked for that.
    fn take(&self, event: watcher::Event<Guarded<BackupTask>>, asked: Instant, lists: &watch::Sender<u64>) {
        match event {
            watcher::Event::Init => self.store.begin_list(asked),
            watcher::Event::InitApply(task) => drop(self.put(task)),
            watcher::Event::InitDone => {
                self.store.end_list();
                lists.send_modify(|lists| *lists += 1);
                self.orphaned.send_modify(|times| *times += 1);
            }
            watcher::Event::Apply(task) => {
                if let Some(server) = self.put(task) {
                    self.touch(&server);
                }
            }
            watcher::Event::Delete(task) => {
                let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
                let server = match &task.0 {
                    Ok(task) => self.store.remove(task).then(|| server_of(task)),
                    Err(_) => self.store.remove_named(&namespace, &name),
                };
                if let Some(server) = server {
                    self.touch(&server);
                }
            }
        }
    }
}

/// Follows the tasks for as long as it is polled; and how often they were listed.
fn watch_tasks(
    api: Api<Guarded<BackupTask>>,
    watched: Watched,
) -> (impl Future<Output = ()> + Send + 'static, watch::Receiver<u64>) {
    let (lists, receiver) = watch::channel(0);
    let follow = async move {
        let mut config = watching().streaming_lists();
        loop {
            let mut events = watcher(api.clone(), config.clone()).default_backoff().boxed();
            loop {
                let asked = Instant::now();
                let Some(event) = events.next().await else { break };
                match event {
                    Ok(event) => watched.take(event, asked, &lists),
                    Err(error) if is_unknown(&error) && *lists.borrow() == 0 => {
                        tracing::info!("this API server does not stream lists; they are read page by page");
                        config = watching().page_size(PAGE);
                        break;
                    }
                    Err(error) => tracing::warn!(%error, "failed to watch the BackupTasks"),
                }
            }
        }
    };
    (follow, receiver)
}

/// Whether the API server refused what it does not know (Kubernetes before 1.34, or with `WatchList` switched off).
fn is_unknown(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if [400, 422].contains(&status.code))
}

/// Objects on one page, where a list comes in pages: some hundred kilobytes.
const PAGE: u32 = 100;

/// A watch lasts that long, in seconds: each end costs a request. A connection that has died without a word is noticed
/// earlier, since the API server sends a bookmark every minute (see [`SILENCE`]).
const WATCH: u32 = 3600;

/// A connection to the API server on which nothing came for that long is given up.
pub const SILENCE: Duration = Duration::from_secs(180);

fn watching() -> watcher::Config {
    watcher::Config::default().timeout(WATCH)
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

pub(crate) fn server_of(task: &BackupTask) -> ServerKey {
    (
        task.namespace().unwrap_or_default(),
        task.spec.server_ref.name.clone(),
    )
}

type Shared<C> = Arc<(Arc<Context<C>>, Scope)>;

async fn reconcile_server<C: Cluster>(
    server: Arc<Guarded<BackupServer>>,
    shared: Shared<C>,
) -> Result<Action, Infallible> {
    let (context, scope) = shared.as_ref();
    let key = (server.namespace().unwrap_or_default(), server.name_any());
    let is_led = || context.fence_of(&key).is_open();
    // Whoever leads later is woken by that.
    if !is_led() {
        return Ok(Action::await_change());
    }
    if !scope.is_ready() {
        // The tasks are being listed. The NAS can be read meanwhile.
        let known = scope.server(&key);
        let prepared = async {
            if let Some(server) = &known {
                pass::prepare(context, server).await;
            }
        };
        future::join(scope.ready(), prepared).await;
        if !is_led() {
            return Ok(Action::await_change());
        }
    }
    // The store is newer than the object that woke us.
    let Some(server) = scope.server(&key) else {
        if let Err(error) = &server.0 {
            tracing::warn!(namespace = key.0, server = key.1, error = %error.error, "cannot read the BackupServer");
        }
        return Ok(Action::await_change());
    };
    let timer = context.metrics.reconcile("BackupServer");
    let listed_since = scope.tasks.listed_since();
    let edits = scope.tasks.edits(&key);
    let is_awaited = || scope.tasks.edits(&key) != edits;
    let next = pass_over(context, &server, scope.tasks.of(&key), listed_since, &is_awaited).await;
    let unreadable = context.fleet.sample(&key).up == Some(false);
    timer.done(if unreadable { "nas_unreadable" } else { "ok" });
    Ok(Action::requeue(next.min(LONGEST_SLEEP)))
}

/// The tasks are listed after this, whether the Leases are known or not.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// A pass that nothing else wakes is run again after this, so that a missed wake is never for good.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);
