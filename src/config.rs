//! Arguments as typed, and what is made of them: a configuration that is valid. Nothing below reads the environment.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{api::GoDuration, telemetry::LogFormat};

/// Declares backups of Synology Active Backup for Business in Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "abb-operator", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controller against a cluster.
    Run(RunArgs),
    /// Print the CustomResourceDefinitions.
    Crd(CrdArgs),
    /// Serve a simulated NAS to try things on.
    Simulate(SimulateArgs),
    /// Show a whole run with everything embedded: no cluster, no NAS, nothing to configure.
    Demo(DemoArgs),
}

/// Arguments of `run`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "The cluster is found by KUBECONFIG, ~/.kube/config, or the pod's service account.")]
pub struct RunArgs {
    /// Namespace to watch; repeatable. All that the account may see by default.
    #[arg(
        long = "watch-namespace",
        value_name = "NS",
        env = "ABB_WATCH_NAMESPACE",
        value_delimiter = ','
    )]
    pub watch_namespaces: Vec<String>,
    /// Address of /healthz, /readyz and /metrics; port 0 takes a free one.
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDR", env = "ABB_LISTEN")]
    pub listen: SocketAddr,
    /// Namespace of the Lease; the kubeconfig's or the pod's own by default.
    #[arg(long, value_name = "NS", env = "ABB_LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of the Lease.
    #[arg(
        long,
        default_value = "abb-operator",
        value_name = "NAME",
        env = "ABB_LEASE_NAME"
    )]
    pub lease_name: String,
    /// How long leadership lasts without renewal; renewed every third of it. At least 3s.
    #[arg(long, default_value = "60s", value_parser = lease_duration, value_name = "DURATION", env = "ABB_LEASE_DURATION")]
    pub lease_duration: Duration,
    /// Lead without a Lease. Only where nothing can start a second process.
    #[arg(long, env = "ABB_NO_LEADER_ELECTION")]
    pub no_leader_election: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value = "text", env = "ABB_LOG_FORMAT")]
    pub log_format: LogFormat,
}

/// Arguments of `crd`.
#[derive(Args, Clone, Debug)]
pub struct CrdArgs {
    /// Write one file per definition into this folder instead of printing.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}

/// Arguments of `simulate`.
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "Serve a simulated NAS to try things on: the documented Active Backup API over HTTPS, started from a \
real NAS's task list, with a ledger of everything that took effect.\n\nIt prints its URL, certificate fingerprint, \
user and password, and serves until ended.",
    after_long_help = SIMULATE_HELP
)]
pub struct SimulateArgs {
    /// Address of the NAS's API; port 0 takes a free one.
    #[arg(
        long,
        default_value = "127.0.0.1:5001",
        value_name = "ADDR",
        env = "ABB_SIMULATE_LISTEN"
    )]
    pub listen: SocketAddr,
    /// Address of the admin interface; port 0 takes a free one.
    #[arg(
        long,
        default_value = "127.0.0.1:5999",
        value_name = "ADDR",
        env = "ABB_SIMULATE_ADMIN"
    )]
    pub admin: SocketAddr,
    /// Serve plain HTTP instead of HTTPS.
    #[arg(long)]
    pub plaintext: bool,
    /// Tasks, behaviour and faults to start with, in YAML or JSON.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Shorten runs, queues and deletions by this factor; the clock stays true.
    #[arg(long, default_value_t = 1.0, value_parser = time_scale, value_name = "X")]
    pub time_scale: f64,
}

const SIMULATE_HELP: &str = "\
Admin interface (plain HTTP, JSON in and out):
  GET    /ledger                  effects so far, append-only
  GET    /requests                requests so far; /requests/count?api=&method= counts them
  GET    /state                   tasks, runs and sessions
  POST   /faults                  add a fault, such as {\"method\": \"backup\", \"kind\": \"LoseReplyAfter\"}
  DELETE /faults                  take all faults away
  POST   /power                   {\"on\": false} unplugs the network
  POST   /sessions/expire         every session is gone
  POST   /password                {\"password\": \"...\"}
  POST   /tasks                   add a task; POST /tasks/ID changes one; DELETE /tasks/ID makes it vanish
  POST   /tasks/ID/start          {\"origin\": \"person\"} starts a run that somebody else asked for
  POST   /tasks/ID/finish         {\"status\": 4} ends its run now
  POST   /tasks/ID/result         adds a finished result of any kind
  POST   /behaviour               changes switches, such as {\"cancelIdle\": \"Error1201\"}
  POST   /settings                changes other fields of the scenario, such as {\"maxConcurrentDevices\": 2}
  POST   /clock, /serial, /block, /package, /reboot, /reset-requests

Examples:
  abb-operator simulate --time-scale 60
  abb-operator simulate --scenario nas.yaml
  curl -s http://127.0.0.1:5999/ledger";

/// Arguments of `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Install the CRDs into the current kubeconfig's cluster and run there against the simulated NAS.
    #[arg(long)]
    pub cluster: bool,
    /// Namespace for the example manifests, with --cluster; the kubeconfig's own by default.
    #[arg(long, value_name = "NS", requires = "cluster")]
    pub namespace: Option<String>,
}

fn lease_duration(text: &str) -> Result<Duration, String> {
    let duration = GoDuration::try_from(text.to_owned())
        .map_err(|error| error.to_string())?
        .get();
    if duration < Duration::from_secs(3) {
        return Err("must be at least 3s: it is renewed every third of it".to_owned());
    }
    if duration.subsec_nanos() != 0 {
        return Err("must be whole seconds: a Lease has no finer ones".to_owned());
    }
    Ok(duration)
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale > 0.0 => Ok(scale),
        _ => Err("must be a number above 0, such as 60".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn short_or_broken_leases_are_refused() {
        assert_eq!(lease_duration("6s"), Ok(Duration::from_secs(6)));
        for wrong in ["2s", "0s", "a minute", "3500ms"] {
            assert!(lease_duration(wrong).is_err(), "{wrong}");
        }
    }
}
