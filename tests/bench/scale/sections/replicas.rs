//! Many servers and three replicas: who calls whom, how even the shares are, and what a kill does to them. A caller is
//! known by its connection: the NAS tells the port a request came from, the kernel whose port that is, and the session
//! ties together requests over several connections.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use abb_operator::simulator::RequestRecord;

use crate::{
    arm::{self, Running},
    audit::Audit,
    burst,
    ground::{Ground, Plan},
    nas::arrived,
    objects::{WRITERS, for_each, request},
    report::{Figure, Limit, Report},
    settings::Settings,
    sockets,
    stats::{milliseconds, most, number},
    witness::Witness,
};

const REPLICAS: usize = 3;
const LEASE: &str = "6s";
const LEASE_SECONDS: f64 = 6.0;
/// Time for the shares to become even, and the time that is then watched.
const EVEN_AFTER: Duration = Duration::from_secs(40);
const WATCHED: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

pub async fn measure(settings: &Settings, report: &mut Report) {
    let plan = Plan::new(settings.shared_servers, settings.shared_tasks, 0.1).polling("3s", "1s");
    let ground = Ground::settled("replicas", &plan, settings).await;
    let mut audit = Audit::of(ground.namespace.cluster());
    audit.skip();
    let start = || arm::operator(settings, &ground, &["--lease-duration", LEASE]);
    let mut replicas: Vec<Running> = (0..REPLICAS).map(|_| start()).collect();
    for replica in &mut replicas {
        replica.wait_ready().await;
    }
    let ports = Ports::watch(&replicas);
    tokio::time::sleep(EVEN_AFTER).await;
    for nas in &ground.hosts.nas {
        nas.forget_requests().await;
    }
    tokio::time::sleep(WATCHED).await;
    let callers = callers(&ground, &ports).await;
    let several = callers.values().filter(|callers| callers.known.len() > 1).count();
    let nobody = callers
        .values()
        .filter(|callers| callers.known.is_empty())
        .count();
    let requests: usize = callers.values().map(|callers| callers.requests).sum();
    let unknown: usize = callers.values().map(|callers| callers.unknown).sum();
    report.add(
        Figure::new(
            "replicas",
            "servers called by several replicas",
            "count",
            vec![number(several)],
        )
        .limit(Limit::Exactly(0.0))
        .note(format!(
            "{requests} requests, of {unknown} the caller is not known"
        )),
    );
    report.add(
        Figure::new(
            "replicas",
            "servers called by nobody",
            "count",
            vec![number(nobody)],
        )
        .limit(Limit::Exactly(0.0)),
    );
    let mut shares: BTreeMap<u32, usize> = replicas.iter().map(|replica| (replica.pid, 0)).collect();
    for pid in callers.values().filter_map(|callers| callers.known.first()) {
        *shares.entry(*pid).or_default() += 1;
    }
    let shares_text = format!("{:?}", shares.values().collect::<Vec<_>>());
    let largest = number(shares.values().copied().max().unwrap_or_default());
    let mean = number(settings.shared_servers) / number(REPLICAS);
    report.add(
        Figure::new(
            "replicas",
            "largest share by the mean",
            "ratio",
            vec![largest / mean],
        )
        .limit(Limit::AtMost(1.07))
        .note(shares_text),
    );
    // The one with the most: with a single leader the leader.
    let killed = *shares.iter().max_by_key(|(_, count)| **count).unwrap().0;
    let orphans: Vec<usize> = callers
        .iter()
        .filter(|(_, callers)| callers.known.contains(&killed))
        .map(|(server, _)| *server)
        .collect();
    kill(&ground, &mut replicas, killed, &orphans, &ports, report).await;
    // As many calls as changes, for every task: checked here.
    let changes = burst::changes(&ground, &mut audit).await;
    report.add(
        Figure::new(
            "replicas",
            "calls for changes around the kill",
            "count",
            vec![number(changes.len())],
        )
        .limit(Limit::Exactly(number(settings.shared_servers)))
        .note("one for each, none twice"),
    );
    drop(ports);
    for replica in replicas {
        replica.stop().await;
    }
    ground.clear().await;
}

/// Kills a replica among changes to a task of every server, and waits until somebody reads each of its servers.
async fn kill(
    ground: &Ground,
    replicas: &mut Vec<Running>,
    killed: u32,
    orphans: &[usize],
    ports: &Ports,
    report: &mut Report,
) {
    let names: Vec<String> = ground.tasks.iter().map(|tasks| tasks[0].clone()).collect();
    let witness = Witness::start(&ground.objects, false);
    for nas in &ground.hosts.nas {
        nas.forget_requests().await;
    }
    // The kernel may give a port to another process later.
    ports.forget();
    let changed = |names: Vec<String>| async move {
        for_each(names, WRITERS, |name| async move {
            ground
                .objects
                .patch("backuptasks", &name, "", &request("around-the-kill"))
                .await;
        })
        .await;
    };
    let (before, after) = names.split_at(names.len() / 2);
    changed(before.to_vec()).await;
    let place = replicas.iter().position(|replica| replica.pid == killed).unwrap();
    let mut dead = replicas.remove(place);
    let at = burst::now();
    dead.signal("KILL");
    dead.ended().await;
    changed(after.to_vec()).await;
    burst::wait(&witness, &names, "around-the-kill").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut waits = Vec::new();
    for server in orphans {
        let requests = ground.hosts.nas[*server].requests().await;
        let sessions = sessions(&requests, ports);
        let taken = requests.iter().find(|request| {
            arrived(request) > at && caller(request, ports, &sessions).is_some_and(|pid| pid != killed)
        });
        waits.push(taken.map_or(f64::INFINITY, |request| {
            milliseconds(arrived(request) - at) / 1000.0
        }));
    }
    report.add(
        Figure::new(
            "replicas",
            "kill to the first request by another",
            "s",
            waits.clone(),
        )
        .limit(Limit::NeverAbove(LEASE_SECONDS + 1.0))
        .note(format!(
            "{} servers, the last after {:.2} s",
            orphans.len(),
            most(&waits)
        )),
    );
}

/// Who called one server.
struct Callers {
    known: BTreeSet<u32>,
    requests: usize,
    unknown: usize,
}

async fn callers(ground: &Ground, ports: &Ports) -> BTreeMap<usize, Callers> {
    let mut callers = BTreeMap::new();
    for (server, nas) in ground.hosts.nas.iter().enumerate() {
        let requests = nas.requests().await;
        let sessions = sessions(&requests, ports);
        let by: Vec<Option<u32>> = requests
            .iter()
            .map(|request| caller(request, ports, &sessions))
            .collect();
        callers.insert(
            server,
            Callers {
                known: by.iter().flatten().copied().collect(),
                requests: by.len(),
                unknown: by.iter().filter(|caller| caller.is_none()).count(),
            },
        );
    }
    callers
}

/// Whose sessions they are, from those of their requests whose port is known.
fn sessions(requests: &[RequestRecord], ports: &Ports) -> HashMap<u64, u32> {
    let known = requests.iter().filter_map(|request| {
        let pid = ports.owner(sockets::port_of(&request.remote))?;
        Some((request.session?, pid))
    });
    known.collect()
}

fn caller(request: &RequestRecord, ports: &Ports, sessions: &HashMap<u64, u32>) -> Option<u32> {
    ports
        .owner(sockets::port_of(&request.remote))
        .or_else(|| sessions.get(&request.session?).copied())
}

/// Whose port each was, looked up again and again while the processes run.
struct Ports {
    owners: Arc<Mutex<HashMap<u16, u32>>>,
    over: Arc<AtomicBool>,
}

impl Ports {
    fn watch(replicas: &[Running]) -> Self {
        let pids: Vec<u32> = replicas.iter().map(|replica| replica.pid).collect();
        let (owners, over) = (
            Arc::new(Mutex::new(HashMap::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let (seen, ended) = (Arc::clone(&owners), Arc::clone(&over));
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                for pid in &pids {
                    let ports = sockets::connections(*pid);
                    let mut owners = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    owners.extend(ports.into_iter().map(|(own, _)| (own, *pid)));
                }
                std::thread::sleep(LOOK);
            }
        });
        Self { owners, over }
    }

    /// Forgets whose each port was; those that are open are looked up again.
    fn forget(&self) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.clear();
    }

    fn owner(&self, port: u16) -> Option<u32> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.get(&port).copied()
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
