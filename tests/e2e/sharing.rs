//! Several replicas: each BackupServer is served by one of them, all have their part, and what one leaves the others take up.
//! No run is asked for twice on the way.

use std::collections::{BTreeMap, BTreeSet};

use abb_operator::simulator::{self, Options, Scenario, Simulator};
use serde_json::Value;

use crate::{
    harness::{Namespace, Operator, cluster, eventually, rights::RELEASE},
    lab::{TASK, secret, server_at, task},
};

/// What names the server of a Lease.
const SERVER: &str = "activebackup.dev/server";

/// Several NAS, declared in one namespace as `nas-0`, `nas-1`, …, each with a task of the same name.
struct Park {
    namespace: Namespace,
    nas: Vec<Simulator>,
}

impl Park {
    async fn new(prefix: &str, size: usize) -> Self {
        abb_operator::install_crypto();
        let namespace = cluster().await.namespace(prefix).await;
        let mut park = Self {
            namespace,
            nas: Vec::new(),
        };
        for _ in 0..size {
            park.nas.push(plain_nas().await);
        }
        let all: Vec<String> = (0..size).map(|number| park.declared(number)).collect();
        park.namespace.apply(&all.join("---\n")).await.ok();
        park
    }

    fn declared(&self, number: usize) -> String {
        let nas = &self.nas[number];
        let named = |text: String| text.replace("name: nas}", &format!("name: nas-{number}}}"));
        let task = task(&format!("nas-{number}"), TASK, "");
        [
            named(secret(nas.password())),
            named(server_at(nas.url(), "", "")),
            named(task),
        ]
        .join("---\n")
    }

    /// Asks for one run on each NAS.
    async fn request(&self, token: &str) {
        let spec = format!("triggers: {{request: {token}}}");
        let all = (0..self.nas.len()).map(|number| {
            task(&format!("nas-{number}"), TASK, &spec)
                .replace("name: nas}", &format!("name: nas-{number}}}"))
        });
        let all: Vec<String> = all.collect();
        self.namespace.apply(&all.join("---\n")).await.ok();
    }

    /// Waits until each run that was asked for by a token has succeeded, and until each NAS was asked for so many in all.
    async fn have_run(&self, token: &str, runs: usize) {
        eventually(&format!("each has run for {token}"), async || {
            let list = self.list("bt").await;
            let is_done = |task: &Value| {
                let receipt = &task["status"]["receipts"]["request"];
                receipt["token"] == token && receipt["outcome"] == "Succeeded"
            };
            let waiting: Vec<&Value> = list.iter().filter(|task| !is_done(task)).collect();
            if waiting.is_empty() {
                Ok(())
            } else {
                Err(format!("{waiting:#?}"))
            }
        })
        .await;
        for (number, nas) in self.nas.iter().enumerate() {
            let backups = nas
                .ledger()
                .iter()
                .filter(|effect| effect.kind == "backup")
                .count();
            assert_eq!(backups, runs, "nas-{number}");
        }
    }

    async fn list(&self, kind: &str) -> Vec<Value> {
        let text = self.namespace.kubectl(&["get", kind, "-o", "json"]).await.ok();
        let list: Value = serde_json::from_str(&text).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// Who holds the Lease of each server.
    async fn holders(&self) -> BTreeMap<String, String> {
        let leases = self.list("lease").await;
        let held = leases.iter().filter_map(|lease| {
            let server = lease["metadata"]["annotations"][SERVER].as_str()?;
            let holder = lease["spec"]["holderIdentity"].as_str()?;
            (!holder.is_empty()).then(|| (server.to_owned(), holder.to_owned()))
        });
        held.collect()
    }

    /// Waits until the replicas have so many servers each, in any order, and each server is read by one of them alone.
    async fn shared(&self, replicas: &[&Operator], shares: &[usize]) {
        eventually(&format!("the shares are {shares:?}"), async || {
            let holders = self.holders().await;
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for holder in holders.values() {
                *counts.entry(holder).or_default() += 1;
            }
            let mut found: Vec<usize> = counts.values().copied().collect();
            found.sort_unstable();
            let read = read_by(replicas).await;
            let is_read = read.len() == self.nas.len() && read.values().all(|readers| *readers == 1);
            if found == shares && is_read {
                Ok(())
            } else {
                Err(format!("{counts:?}, {read:?}"))
            }
        })
        .await;
        self.one_caller_each(replicas).await;
    }

    /// Each NAS is called by one replica alone, by what the replicas count.
    async fn one_caller_each(&self, replicas: &[&Operator]) {
        let before = calls(replicas).await;
        let lists = |nas: &Simulator| {
            nas.requests()
                .iter()
                .filter(|request| request.method == "list")
                .count()
        };
        let seen: Vec<usize> = self.nas.iter().map(lists).collect();
        eventually("each NAS is read on", async || {
            let all = self.nas.iter().zip(&seen);
            all.clone()
                .all(|(nas, seen)| lists(nas) >= seen + 2)
                .then_some(())
        })
        .await;
        let after = calls(replicas).await;
        for number in 0..self.nas.len() {
            let server = format!("nas-{number}");
            let grew = |(before, after): (&BTreeMap<String, f64>, &BTreeMap<String, f64>)| {
                after.get(&server).unwrap_or(&0.0) > before.get(&server).unwrap_or(&0.0)
            };
            let callers = before.iter().zip(&after).filter(|both| grew(*both)).count();
            assert_eq!(callers, 1, "{server}");
        }
    }
}

async fn plain_nas() -> Simulator {
    let options = Options {
        plaintext: true,
        time_scale: 300.0,
        scenario: Scenario::seed(),
        ..Options::default()
    };
    simulator::start(options).await.unwrap()
}

/// The value of the label `server` of a metric's line.
fn server_of(line: &str) -> Option<String> {
    let rest = line.split("server=\"").nth(1)?;
    rest.split('"').next().map(str::to_owned)
}

/// How many replicas serve each server, by their metrics.
async fn read_by(replicas: &[&Operator]) -> BTreeMap<String, usize> {
    let mut readers = BTreeMap::new();
    for replica in replicas {
        let text = replica.metrics().await;
        let up = text.lines().filter(|line| line.starts_with("abb_server_up{"));
        for server in up.filter_map(server_of) {
            *readers.entry(server).or_default() += 1;
        }
    }
    readers
}

/// Calls of each replica to each NAS.
async fn calls(replicas: &[&Operator]) -> Vec<BTreeMap<String, f64>> {
    let mut all = Vec::new();
    for replica in replicas {
        let mut calls: BTreeMap<String, f64> = BTreeMap::new();
        let text = replica.metrics().await;
        for line in text
            .lines()
            .filter(|line| line.starts_with("abb_nas_requests_total{"))
        {
            let count: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            *calls.entry(server_of(line).unwrap()).or_default() += count;
        }
        all.push(calls);
    }
    all
}

async fn leaders(replicas: &[&Operator]) -> usize {
    let mut leaders = 0;
    for replica in replicas {
        leaders += usize::from(replica.metric("abb_leader", &[]).await == Some(1.0));
    }
    leaders
}

#[tokio::test]
async fn replicas_share_the_servers_and_take_up_what_another_leaves() {
    let mut park = Park::new("shared", 12).await;
    let start = || park.namespace.operator(&[]);
    let (mut first, mut second, mut third) = (start(), start(), start());
    for replica in [&mut first, &mut second, &mut third] {
        replica.wait_ready().await;
    }
    park.shared(&[&first, &second, &third], &[4, 4, 4]).await;
    assert_eq!(leaders(&[&first, &second, &third]).await, 1);
    park.request("a").await;
    let mut fourth = park.namespace.operator(&[]);
    park.shared(&[&first, &second, &third, &fourth], &[3, 3, 3, 3])
        .await;
    park.have_run("a", 1).await;

    park.request("b").await;
    assert_eq!(second.terminate().await, Some(0), "{}", second.log());
    park.shared(&[&first, &third, &fourth], &[4, 4, 4]).await;
    park.have_run("b", 2).await;

    park.request("c").await;
    third.kill().await;
    park.shared(&[&first, &fourth], &[6, 6]).await;
    park.have_run("c", 3).await;
    assert_eq!(leaders(&[&first, &fourth]).await, 1);

    // A server that goes leaves no Lease behind; one that comes is somebody's at once.
    park.namespace
        .kubectl(&["delete", "bt,bsrv", "nas-11"])
        .await
        .ok();
    park.nas.pop();
    eventually("its Lease is gone", async || {
        let leases = park.list("lease").await;
        let named: Vec<Value> = leases
            .iter()
            .map(|lease| lease["metadata"]["annotations"][SERVER].clone())
            .collect();
        let is_gone = !named
            .iter()
            .any(|name| name.as_str().is_some_and(|name| name.ends_with("/nas-11")));
        if is_gone { Ok(()) } else { Err(named) }
    })
    .await;
    park.nas.push(plain_nas().await);
    park.namespace.apply(&park.declared(11)).await.ok();
    park.shared(&[&first, &fourth], &[6, 6]).await;

    // The last one has everything, and the first slot.
    assert_eq!(first.terminate().await, Some(0), "{}", first.log());
    park.shared(&[&fourth], &[12]).await;
    assert_eq!(leaders(&[&fourth]).await, 1);
    assert_eq!(fourth.terminate().await, Some(0), "{}", fourth.log());
    assert!(park.holders().await.is_empty(), "all are released");
}

#[tokio::test]
async fn a_paused_replica_sends_nothing_and_comes_back_for_its_part() {
    let park = Park::new("share-paused", 4).await;
    let (mut first, mut second) = (park.namespace.operator(&[]), park.namespace.operator(&[]));
    first.wait_ready().await;
    second.wait_ready().await;
    park.shared(&[&first, &second], &[2, 2]).await;
    let before = park.holders().await;
    second.signal("STOP");
    eventually("the other one has all", async || {
        let holders: BTreeSet<String> = park.holders().await.into_values().collect();
        if holders.len() == 1 { Ok(()) } else { Err(holders) }
    })
    .await;
    assert_eq!(before.len(), 4);
    park.request("a").await;
    second.signal("CONT");
    park.have_run("a", 1).await;
    park.shared(&[&first, &second], &[2, 2]).await;
    park.request("b").await;
    park.have_run("b", 2).await;
}

#[tokio::test]
async fn quiet_replicas_renew_their_slots_and_do_nothing_else() {
    let park = Park::new("share-quiet", 3).await;
    let (mut first, mut second) = (park.namespace.operator(&[]), park.namespace.operator(&[]));
    first.wait_ready().await;
    second.wait_ready().await;
    park.shared(&[&first, &second], &[1, 2]).await;
    let requests = || {
        let all = park.namespace.cluster().operator_requests(park.namespace.name());
        all.into_iter()
            .filter(|line| line.ends_with(" leases"))
            .collect::<Vec<_>>()
    };
    let renewed = async || park.namespace.get("lease", RELEASE).await["spec"]["renewTime"].clone();
    let (before, mut last, mut renewals) = (requests().len(), renewed().await, 0);
    eventually("the first slot is renewed five times", async || {
        let now = renewed().await;
        renewals += usize::from(now != last);
        last = now;
        if renewals >= 5 { Ok(()) } else { Err(renewals) }
    })
    .await;
    let made = requests().split_off(before);
    assert!(made.iter().all(|request| request == "patch leases"), "{made:?}");
    assert!(
        (10..=13).contains(&made.len()),
        "two replicas, five renewals each: {made:?}"
    );
}

#[tokio::test]
async fn leases_that_somebody_deletes_are_made_again() {
    let park = Park::new("share-deleted", 3).await;
    let (mut first, mut second) = (park.namespace.operator(&[]), park.namespace.operator(&[]));
    first.wait_ready().await;
    second.wait_ready().await;
    park.shared(&[&first, &second], &[1, 2]).await;
    park.namespace.kubectl(&["delete", "lease", "--all"]).await.ok();
    park.shared(&[&first, &second], &[1, 2]).await;
    park.request("a").await;
    park.have_run("a", 1).await;
    assert_eq!(leaders(&[&first, &second]).await, 1);
}

#[tokio::test]
async fn with_a_single_leader_one_serves_everything() {
    let park = Park::new("single", 3).await;
    let alone = || park.namespace.operator(&["--single-leader"]);
    let mut first = alone();
    first.wait_ready().await;
    let is_read_by = async |replica: &Operator| {
        eventually("it reads all", async || {
            let read = read_by(&[replica]).await;
            if read.len() == 3 {
                Ok(())
            } else {
                Err(format!("{read:?}\n{}", replica.log()))
            }
        })
        .await;
    };
    is_read_by(&first).await;
    let mut second = alone();
    second.wait_ready().await;
    park.one_caller_each(&[&first, &second]).await;
    assert!(read_by(&[&second]).await.is_empty(), "it reads no NAS");
    assert!(park.holders().await.is_empty(), "there is one Lease");
    first.kill().await;
    is_read_by(&second).await;

    // One that would share stands by as well, as long as somebody leads alone.
    let mut third = park.namespace.operator(&[]);
    third.wait_ready().await;
    park.request("a").await;
    park.have_run("a", 1).await;
    park.one_caller_each(&[&second, &third]).await;
    assert!(read_by(&[&third]).await.is_empty(), "it reads no NAS");
    assert_eq!(second.terminate().await, Some(0), "{}", second.log());
    park.shared(&[&third], &[3]).await;

    // The other way round, the one that would lead alone has to wait.
    let mut fourth = alone();
    fourth.wait_ready().await;
    park.one_caller_each(&[&third, &fourth]).await;
    assert!(read_by(&[&fourth]).await.is_empty(), "it reads no NAS");
    assert_eq!(third.terminate().await, Some(0), "{}", third.log());
    is_read_by(&fourth).await;
}

#[tokio::test]
async fn the_leader_of_an_older_version_is_waited_for() {
    let park = Park::new("older", 1).await;
    let lease = format!(
        "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {{name: {RELEASE}}}\nspec: {{holderIdentity: older, \
         leaseDurationSeconds: 6, renewTime: \"2026-01-01T00:00:00.000000Z\"}}\n"
    );
    park.namespace.apply(&lease).await.ok();
    let mut operator = park.namespace.operator(&[]);
    operator.wait_ready().await;
    assert_eq!(operator.metric("abb_leader", &[]).await, Some(0.0));
    assert!(park.holders().await.is_empty());
    park.shared(&[&operator], &[1]).await;
    let lease = park.namespace.get("lease", RELEASE).await;
    assert_eq!(lease["spec"]["leaseTransitions"], 1, "{lease:#}");
}
