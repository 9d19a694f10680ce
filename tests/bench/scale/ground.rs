//! Where things are measured: a namespace with its simulated NAS and a BackupTask for each of their tasks, which the
//! operator has looked at once. Both arms of a comparison have one, made alike.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use abb_operator::simulator::Scenario;
use serde_json::{Value, json};

use crate::{
    arm,
    audit::Audit,
    floor,
    harness::{Namespace, cluster},
    nas::{self, Hosts, Nas},
    objects::{GROUP, Objects, WRITERS, for_each},
    settings::Settings,
    witness::{Witness, settled},
};

/// How long ten thousand statuses may take on a busy machine.
const SETTLED_WITHIN: Duration = Duration::from_mins(15);
/// Nothing written for so long is quiet: longer than the bench's polls of the NAS while something runs, and longer with
/// many tasks, whose list takes its time to read.
const QUIET: Duration = Duration::from_millis(2500);
const QUIET_PER_TASK: Duration = Duration::from_micros(500);

/// What a ground is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One NAS for each.
    pub scenarios: Vec<Scenario>,
    /// Tasks of each that have an object; those of the NAS when none is given.
    pub declared: Option<usize>,
    /// How often an idle and a busy NAS is read.
    pub idle: &'static str,
    pub active: &'static str,
    /// `spec.timeouts`.
    pub timeouts: Value,
}

impl Plan {
    /// Servers with tasks whose runs take so long.
    pub fn new(servers: usize, tasks: usize, run_seconds: f64) -> Self {
        let scenarios = (1..=servers).map(|number| {
            let mut scenario = nas::scenario(tasks, run_seconds);
            scenario.serial = format!("SCALE{number:08}");
            scenario
        });
        Self {
            scenarios: scenarios.collect(),
            declared: None,
            idle: "5m",
            active: "1s",
            timeouts: json!({}),
        }
    }

    pub fn timeouts(mut self, timeouts: Value) -> Self {
        self.timeouts = timeouts;
        self
    }

    pub fn polling(mut self, idle: &'static str, active: &'static str) -> Self {
        (self.idle, self.active) = (idle, active);
        self
    }
}

/// A namespace with all that belongs to it.
pub struct Ground {
    pub namespace: Namespace,
    pub objects: Objects,
    pub hosts: Hosts,
    /// Names of the objects, server by server.
    pub tasks: Vec<Vec<String>>,
    active: &'static str,
}

impl Ground {
    /// Makes namespace, NAS and objects; nothing has looked at them yet.
    pub async fn bare(prefix: &str, plan: &Plan) -> Self {
        let namespace = cluster().await.namespace(prefix).await;
        let hosts = nas::start(cluster().await, namespace.name(), &plan.scenarios).await;
        let objects = Objects {
            client: namespace.client().await,
            namespace: namespace.name().to_owned(),
        };
        let account = &hosts.nas[0];
        let secret = json!({
            "metadata": { "name": "nas" },
            "stringData": { "username": account.username, "password": account.password },
        });
        objects.create("secrets", &secret).await;
        let servers = hosts.nas.iter().enumerate();
        for_each(servers, WRITERS, |(index, nas)| {
            let objects = objects.clone();
            async move { objects.create("backupservers", &server(index, nas, plan)).await }
        })
        .await;
        let tasks: Vec<Vec<String>> = plan
            .scenarios
            .iter()
            .enumerate()
            .map(|(index, scenario)| {
                let declared = plan.declared.unwrap_or(scenario.generate_tasks as usize);
                (1..=declared).map(|number| task_name(index, number)).collect()
            })
            .collect();
        let ground = Self {
            namespace,
            objects,
            hosts,
            tasks,
            active: plan.active,
        };
        ground.declare().await;
        ground
    }

    async fn declare(&self) {
        let all = self.tasks.iter().enumerate();
        let all = all.flat_map(|(server, names)| names.iter().map(move |name| (server, name)));
        for_each(all, WRITERS, |(server, name)| async move {
            let object = json!({
                "apiVersion": GROUP,
                "kind": "BackupTask",
                "metadata": { "name": name },
                "spec": {
                    "serverRef": { "name": server_name(server) },
                    "task": { "name": nas_task(name) },
                    "triggers": {},
                },
            });
            self.objects.create("backuptasks", &object).await;
        })
        .await;
    }

    /// The same, and the operator has written what it sees and is gone again.
    pub async fn settled(prefix: &str, plan: &Plan, settings: &Settings) -> Self {
        let ground = Self::bare(prefix, plan).await;
        let operator = arm::operator(settings, &ground, &[]);
        ground.wait_settled().await;
        ground.wait_quiet().await;
        operator.stop().await;
        ground
    }

    /// Waits until every object has been looked at.
    pub async fn wait_settled(&self) {
        let expected = self.names().count();
        let witness = Witness::start(&self.objects, false);
        witness
            .until("all tasks are settled", SETTLED_WITHIN, |statuses| {
                statuses.len() >= expected && statuses.values().all(settled)
            })
            .await;
    }

    /// Waits until the operator, or the floor, has written nothing for a while.
    pub async fn wait_quiet(&self) {
        let mut audit = Audit::of(self.namespace.cluster());
        audit.skip();
        let (begun, mut last) = (Instant::now(), Instant::now());
        let mut before = 0;
        let quiet = QUIET + QUIET_PER_TASK * u32::try_from(self.names().count()).unwrap();
        while last.elapsed() < quiet {
            assert!(begun.elapsed() < SETTLED_WITHIN, "the writes do not end");
            tokio::time::sleep(Duration::from_millis(100)).await;
            let writes = audit.count(|entry| {
                entry.is_operator_of(self.namespace.name()) && entry.is_write() && !entry.is_lease()
            });
            if writes > before {
                (before, last) = (writes, Instant::now());
            }
        }
    }

    /// All names of objects.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.tasks.iter().flatten()
    }

    /// The only NAS.
    pub fn nas(&self) -> &Nas {
        &self.hosts.nas[0]
    }

    /// What the floor is told.
    pub fn floor_plan(&self) -> String {
        let servers = self.hosts.nas.iter().enumerate();
        let plan = floor::Plan {
            kubeconfig: self.namespace.operator_kubeconfig_path().to_owned(),
            namespace: self.namespace.name().to_owned(),
            poll_seconds: self.active.trim_end_matches('s').parse().unwrap(),
            servers: servers
                .map(|(index, nas)| (server_name(index), nas.clone()))
                .collect(),
        };
        serde_json::to_string(&plan).unwrap()
    }

    /// Where the logs of its processes are.
    pub fn directory(&self) -> PathBuf {
        let path = self.namespace.cluster().directory().join(self.namespace.name());
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// Takes everything away again: what comes later meets an API server of the same size.
    pub async fn clear(self) {
        let Self { objects, tasks, .. } = &self;
        for_each(tasks.iter().flatten(), WRITERS, |name| async move {
            let _gone = objects
                .try_patch(
                    "backuptasks",
                    name,
                    "",
                    &json!({ "metadata": { "finalizers": null } }),
                )
                .await;
        })
        .await;
        self.namespace
            .kubectl(&["delete", "backuptasks,backupservers", "--all", "--wait=false"])
            .await
            .ok();
    }
}

/// Name of a BackupServer.
pub fn server_name(index: usize) -> String {
    format!("nas-{index:03}")
}

/// Name of a BackupTask for the task of that number.
pub fn task_name(server: usize, number: usize) -> String {
    format!("{}-task-{number:04}", server_name(server))
}

/// The task of the NAS that a BackupTask means.
pub fn nas_task(name: &str) -> &str {
    &name[server_name(0).len() + 1..]
}

fn server(index: usize, nas: &Nas, plan: &Plan) -> Value {
    json!({
        "apiVersion": GROUP,
        "kind": "BackupServer",
        "metadata": { "name": server_name(index) },
        "spec": {
            "url": nas.url,
            "credentials": { "secretRef": { "name": "nas" } },
            "tls": { "allowPlaintext": true },
            "polling": { "idle": plan.idle, "active": plan.active },
            "limits": { "maxConcurrentRuns": 0 },
            "timeouts": plan.timeouts,
            "removals": { "allowed": true, "maxPerDay": 10_000 },
        },
    })
}
