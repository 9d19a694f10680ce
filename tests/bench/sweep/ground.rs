//! Where runs take place: a namespace with its own simulated NAS, two replicas of the real operator that share a
//! Lease, and a witness. It serves many runs, one after the other; one in which something was found is given up.

use std::{sync::Arc, time::Duration};

use abb_operator::{
    api::{BackupServer, BackupTask},
    simulator::{self, Control, Effect, Options, RequestRecord, Scenario, Simulator, TaskSpec},
};
use kube::{Api, Client, api::PostParams};
use serde_json::json;

use crate::{
    harness::{Namespace, Operator, cluster, eventually, eventually_within},
    judge::{Finding, Kind},
    lab::{secret, server_at},
    witness::Witness,
};

/// The NAS task, and the BackupTask, of triggers and cancels.
pub const NIGHTLY: &str = "nightly";
/// The NAS's number of it.
pub const NIGHTLY_ID: i64 = 1;
/// A takeover takes up to eight seconds; this is for a busy machine.
const LEADER_WITHIN: Duration = Duration::from_secs(60);
/// Lines of a log that are printed when something was found.
const LOG_TAIL: usize = 40;

/// A namespace with all that belongs to it.
pub struct Ground {
    pub nas: Arc<Simulator>,
    pub namespace: Namespace,
    pub tasks: Api<BackupTask>,
    pub witness: Witness,
    pub replicas: [Operator; 2],
    client: Client,
    /// Ended processes of the run under way, for their logs.
    ended: Vec<Operator>,
    /// Length of the ledger at the last judgement.
    judged: usize,
}

impl Ground {
    pub async fn new() -> Self {
        let nas = Arc::new(simulated_nas().await);
        let namespace = cluster().await.namespace("sweep").await;
        namespace.apply(&secret(nas.password())).await.ok();
        // Far more removals than a sweep makes; the breaker's count is judged at the end.
        let spec = "removals: {allowed: true, maxPerDay: 10000}";
        namespace.apply(&server_at(nas.url(), "", spec)).await.ok();
        let client = namespace.client().await;
        let tasks: Api<BackupTask> = Api::namespaced(client.clone(), namespace.name());
        let witness = Witness::start(tasks.clone(), Arc::clone(&nas));
        let replicas = [namespace.operator(&[]), namespace.operator(&[])];
        let ground = Self {
            nas,
            namespace,
            tasks,
            witness,
            replicas,
            client,
            ended: Vec::new(),
            judged: 0,
        };
        ground.declare(NIGHTLY, NIGHTLY).await;
        ground
    }

    /// Creates a BackupTask for a task of the NAS.
    pub async fn declare(&self, name: &str, unique_key: &str) {
        let object = json!({
            "apiVersion": "activebackup.dev/v1alpha1",
            "kind": "BackupTask",
            "metadata": { "name": name },
            "spec": { "serverRef": { "name": "nas" }, "task": { "uniqueKey": unique_key } },
        });
        let object = serde_json::from_value(object).unwrap();
        self.tasks.create(&PostParams::default(), &object).await.unwrap();
    }

    /// Waits until both replicas are ready, exactly one leads, and that one reads the NAS; gives its place.
    pub async fn leader(&mut self) -> usize {
        for replica in &mut self.replicas {
            replica.wait_ready().await;
        }
        let replicas = &self.replicas;
        let leader = eventually_within("exactly one replica leads", LEADER_WITHIN, async || {
            let leads = [leads(&replicas[0]).await, leads(&replicas[1]).await];
            match leads {
                [true, false] => Ok(0),
                [false, true] => Ok(1),
                both => Err(both),
            }
        })
        .await;
        let lists = self.requests_of("list");
        eventually("the leader reads the NAS", async || {
            (self.requests_of("list") > lists).then_some(())
        })
        .await;
        leader
    }

    /// Starts another replica in the place of one that has ended.
    pub fn replace(&mut self, place: usize) {
        let next = self.namespace.operator(&[]);
        self.ended
            .push(std::mem::replace(&mut self.replicas[place], next));
    }

    /// Replicas that have ended without anybody asking.
    pub fn crashed(&mut self) -> Vec<Finding> {
        self.replicas
            .iter_mut()
            .filter_map(Operator::exit_status)
            .map(|status| Finding::new(Kind::Crash, format!("a replica ended by itself: {status}")))
            .collect()
    }

    /// Requests for a method since the last judgement.
    pub fn requests_of(&self, method: &str) -> u64 {
        let count = Control::CountRequests {
            api: None,
            method: Some(method.to_owned()),
        };
        self.nas.control(count).unwrap()["count"].as_u64().unwrap()
    }

    /// Effects since the last judgement.
    pub fn effects(&self) -> Vec<Effect> {
        self.nas.ledger().split_off(self.judged)
    }

    /// Whether an effect of a kind has taken place since the last judgement.
    pub fn has_effect(&self, kind: &str) -> bool {
        self.effects().iter().any(|effect| effect.kind == kind)
    }

    /// Effects and requests since the last judgement, which this is.
    pub fn take_record(&mut self) -> (Vec<Effect>, Vec<RequestRecord>) {
        let effects = self.effects();
        self.judged += effects.len();
        let requests = self.nas.requests();
        self.nas.control(Control::ResetRequests).unwrap();
        self.nas.control(Control::ClearFaults).unwrap();
        self.ended.clear();
        (effects, requests)
    }

    /// The ends of the logs of this run's processes.
    pub fn logs(&self) -> String {
        let of = |operator: &Operator| {
            let log = operator.log();
            let lines: Vec<&str> = log.lines().collect();
            lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
        };
        let all = self.ended.iter().chain(&self.replicas);
        all.map(of)
            .collect::<Vec<_>>()
            .join("\n--- the next process ---\n")
    }

    /// The last judgement: nothing came after the runs, and the breaker counted every removal.
    pub async fn close(mut self) -> Vec<Finding> {
        // Longer than a call's deadline and the settling time.
        let lists = self.requests_of("list");
        eventually("some polls more", async || {
            (self.requests_of("list") > lists + 6).then_some(())
        })
        .await;
        let (late, _) = self.take_record();
        let mutations = ["backup", "cancel", "remove"];
        let mut findings = self.witness.take_findings();
        for effect in late
            .iter()
            .filter(|effect| mutations.contains(&effect.kind.as_str()))
        {
            findings.push(Finding::new(
                Kind::Duplicate,
                format!("after all was settled: {effect:?}"),
            ));
        }
        let servers: Api<BackupServer> = Api::namespaced(self.client.clone(), self.namespace.name());
        let status = servers.get("nas").await.unwrap().status;
        let counted = status
            .and_then(|status| status.removals)
            .map_or(0, |removals| removals.count);
        let ledger = self.nas.ledger();
        let removals = ledger.iter().filter(|effect| effect.kind == "remove").count();
        if usize::try_from(counted).unwrap() < removals {
            let text = format!("the breaker counts {counted} removals, truly {removals}");
            findings.push(Finding::new(Kind::Contradiction, text));
        }
        findings.extend(self.crashed());
        findings
    }
}

async fn leads(operator: &Operator) -> bool {
    operator.metric("abb_leader", &[]).await == Some(1.0)
}

/// A NAS with one task, whose jobs take as long as they say. It queues a second `backup` behind a run in progress: a
/// call too many becomes an effect too many.
async fn simulated_nas() -> Simulator {
    abb_operator::install_crypto();
    let task = TaskSpec {
        id: Some(NIGHTLY_ID),
        name: Some(NIGHTLY.to_owned()),
        unique_key: Some(NIGHTLY.to_owned()),
        ..TaskSpec::default()
    };
    let mut scenario = Scenario {
        tasks: vec![task],
        ..Scenario::default()
    };
    scenario.behaviour.backup_while_running = simulator::BackupWhileRunning::Success;
    scenario.behaviour.cancel_seconds = 1.0;
    scenario.behaviour.remove_seconds = 2.0;
    let options = Options {
        plaintext: true,
        scenario,
        ..Options::default()
    };
    simulator::start(options).await.unwrap()
}
