//! Arguments as typed, and what is made of them: a configuration that is valid. Nothing below reads the environment.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{api::GoDuration, telemetry::LogFormat};

mod account;
#[cfg(feature = "terminal")]
mod manifests;
#[cfg(feature = "terminal")]
mod plugin;

pub use account::AccountArgs;
#[cfg(feature = "terminal")]
pub use manifests::{ApplyArgs, ManifestArgs, PlanArgs, PlanFormat};
#[cfg(feature = "terminal")]
pub use plugin::{
    BackupArgs, CancelArgs, ClusterArgs, DoctorArgs, Format, ImportArgs, Plugin, PluginCommand, Shell,
    StatusArgs, TaskArgs,
};

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
    #[cfg(feature = "terminal")]
    /// Show a whole run with everything embedded: no cluster, no NAS, nothing to configure.
    Demo(DemoArgs),
    #[cfg(feature = "terminal")]
    /// Show what manifests would send to a NAS, and why; no cluster is needed.
    Plan(Box<PlanArgs>),
    #[cfg(feature = "terminal")]
    /// Carry manifests out against a NAS, without a cluster.
    Apply(Box<ApplyArgs>),
    /// Call one method of a NAS's Active Backup API.
    Call(Box<CallArgs>),
    /// Record what a NAS answers, without anything personal.
    Record(Box<RecordArgs>),
    /// Ask a running operator whether it is ready.
    Ready(ReadyArgs),
    #[cfg(feature = "terminal")]
    /// Print what makes a shell complete commands, flags and names.
    #[command(after_long_help = COMPLETION_HELP)]
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Arguments of `run`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = RUN_HELP)]
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
    /// Namespace of the Leases; the kubeconfig's or the pod's own by default.
    #[arg(long, value_name = "NS", env = "ABB_LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of the first replica's Lease; those of the others and of the BackupServers begin with it.
    #[arg(
        long,
        default_value = "abb-operator",
        value_name = "NAME",
        env = "ABB_LEASE_NAME"
    )]
    pub lease_name: String,
    /// How long a replica counts as alive without renewal; renewed every third of it. At least 3s.
    #[arg(long, default_value = "60s", value_parser = lease_duration, value_name = "DURATION", env = "ABB_LEASE_DURATION")]
    pub lease_duration: Duration,
    /// Let one replica serve all BackupServers while the others stand by, instead of sharing them out.
    #[arg(long, env = "ABB_SINGLE_LEADER")]
    pub single_leader: bool,
    /// Serve without a Lease. Only where nothing can start a second process.
    #[arg(long, env = "ABB_NO_LEADER_ELECTION")]
    pub no_leader_election: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value = "text", env = "ABB_LOG_FORMAT")]
    pub log_format: LogFormat,
}

const RUN_HELP: &str = "\
The cluster is found by KUBECONFIG, ~/.kube/config, or the pod's service account.

Examples:
  abb-operator run
  abb-operator run --watch-namespace backups --listen 127.0.0.1:8080
  KUBECONFIG=lab.kubeconfig abb-operator run --lease-namespace backups --log-format json";

/// Arguments of `crd`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = CRD_HELP)]
pub struct CrdArgs {
    /// Write one file per definition into this folder instead of printing.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}

const CRD_HELP: &str = "\
Examples:
  abb-operator crd | kubectl apply --server-side -f -
  abb-operator crd --output-dir crds/";

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
    /// Serve the answers of a recording, which `record` made, instead of a scenario; nothing sent has an effect.
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    pub replay: Option<PathBuf>,
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
  abb-operator simulate --replay nas.jsonl
  curl -s http://127.0.0.1:5999/ledger";

#[cfg(feature = "terminal")]
/// Arguments of `demo`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = DEMO_HELP)]
pub struct DemoArgs {
    /// Install the CRDs into the current kubeconfig's cluster and run there against the simulated NAS.
    #[arg(long)]
    pub cluster: bool,
    /// Namespace for the example manifests, with --cluster; the kubeconfig's own by default.
    #[arg(long, value_name = "NS", requires = "cluster")]
    pub namespace: Option<String>,
}

#[cfg(feature = "terminal")]
const DEMO_HELP: &str = "\
Examples:
  abb-operator demo
  abb-operator demo --cluster --namespace demo";

/// Which NAS, and whom to be there. Secrets come from files or from the environment, never from arguments, which every
/// user of a machine can read.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "NAS")]
pub struct NasArgs {
    /// The account.
    #[command(flatten)]
    pub account: AccountArgs,
    /// PEM file of the authority that signed the certificate of the NAS; the system's by default.
    #[arg(long, value_name = "FILE", env = "ABB_NAS_CA_FILE", group = "trust")]
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of the certificate of the NAS, in hexadecimal.
    #[arg(long, value_name = "SHA256", env = "ABB_NAS_FINGERPRINT", group = "trust")]
    pub fingerprint: Option<String>,
    /// Accept any certificate: no protection against a forged NAS.
    #[arg(long, group = "trust")]
    pub insecure_skip_verify: bool,
    /// Accept an http URL: everybody on the way reads the password.
    #[arg(long)]
    pub allow_plaintext: bool,
    /// Longest wait for an answer; a list of tasks may take six times as long.
    #[arg(long, default_value = "20s", value_parser = duration, value_name = "DURATION", env = "ABB_NAS_REQUEST_TIMEOUT")]
    pub request_timeout: Duration,
}

/// What to call.
#[derive(Args, Clone, Debug)]
pub struct MethodArgs {
    /// `list` of SYNO.ActiveBackup.Task, `Log.list_result` of a sibling, or a full name such as SYNO.DSM.Info.getinfo.
    #[arg(value_name = "METHOD", required_unless_present = "methods")]
    pub method: Option<String>,
    /// A parameter; repeatable. The value is JSON where it reads as JSON, else a string.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Version of the API; the one that is known to work by default.
    #[arg(long, value_name = "N")]
    pub api_version: Option<i64>,
    /// Print the request, without credentials, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Send it although it changes something, or although nobody knows what it does.
    #[arg(long)]
    pub yes: bool,
    /// Print what is known of every method, and send nothing.
    #[arg(long)]
    pub methods: bool,
}

/// Arguments of `call`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = CALL_HELP)]
pub struct CallArgs {
    /// The call.
    #[command(flatten)]
    pub method: MethodArgs,
    /// The NAS.
    #[command(flatten)]
    pub nas: NasArgs,
}

/// What `call` prints below its flags.
const CALL_HELP: &str = "\
The data of the answer go to standard output as JSON; fields that hold secrets are left out. Exit codes: 0 the NAS
answered success, 1 it did not or nobody knows, 3 the call is wrong or needs --yes.

Examples:
  abb-operator call list -p load_result=true
  abb-operator call Log.list_result -p task_id=5 -p 'filter={\"job_action\":1}' -p limit=10
  abb-operator call backup -p 'task_ids=[5]' -p trigger_type=1 --dry-run
  abb-operator call backup -p 'task_ids=[5]' -p trigger_type=1 --yes
  abb-operator call --methods";

/// Arguments of `record`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = RECORD_HELP)]
pub struct RecordArgs {
    /// File to write, JSON lines.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Then look again for so long, so that a run can be seen.
    #[arg(long, default_value = "0s", value_parser = any_duration, value_name = "DURATION")]
    pub watch: Duration,
    /// Time between two looks.
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "DURATION")]
    pub interval: Duration,
    /// The NAS.
    #[command(flatten)]
    pub nas: NasArgs,
}

const RECORD_HELP: &str = "\
Only reading methods are called. Names of tasks, hosts, users and shares, addresses, UUIDs, paths, serial numbers and all
other text become pseudonyms before they are written, secrets become REDACTED; numbers, times, states and versions stay.
The first line is a header, every other one is an exchange.

Examples:
  abb-operator record --url https://nas.example:5001 --username me --password-file pw --output nas.jsonl
  abb-operator record --output nas.jsonl --watch 30m --interval 5s
  abb-operator simulate --replay nas.jsonl";

/// Arguments of `ready`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = READY_HELP)]
pub struct ReadyArgs {
    /// Where it answers.
    #[arg(long, default_value = "http://127.0.0.1:8080/readyz", value_parser = web_address, value_name = "URL")]
    pub url: url::Url,
    /// How long to go on asking.
    #[arg(long, default_value = "0s", value_parser = any_duration, value_name = "DURATION")]
    pub wait: Duration,
}

const READY_HELP: &str = "\
Exit codes: 0 it is ready, 1 it is not, with the reason, 3 bad usage.

Examples:
  abb-operator ready
  abb-operator ready --url http://127.0.0.1:9090/readyz --wait 2m";

#[cfg(feature = "terminal")]
const COMPLETION_HELP: &str = "\
The script asks abb-operator itself at each TAB, so that it stays right after an update.

Examples:
  source <(abb-operator completion bash)
  abb-operator completion zsh > ~/.zfunc/_abb-operator
  abb-operator completion fish > ~/.config/fish/completions/abb-operator.fish";

fn web_address(text: &str) -> Result<url::Url, String> {
    let url: url::Url = text
        .parse()
        .map_err(|error: url::ParseError| format!("{error}; write it as http://127.0.0.1:8080/readyz"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with http:// or https://".to_owned());
    }
    Ok(url)
}

fn any_duration(text: &str) -> Result<Duration, String> {
    GoDuration::try_from(text.to_owned())
        .map(|duration| duration.get())
        .map_err(|error| error.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = GoDuration::try_from(text.to_owned())
        .map_err(|error| error.to_string())?
        .get();
    if duration < Duration::from_secs(1) {
        return Err("must be at least 1s".to_owned());
    }
    Ok(duration)
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

    /// The programs that an example starts, as words: what `bash` reads, as far as the examples need it.
    fn started(example: &str) -> Vec<Vec<String>> {
        let mut programs = vec![vec![String::new()]];
        let mut quote = None;
        for letter in example.chars() {
            let program = programs.last_mut().unwrap();
            match (quote, letter) {
                (Some(open), letter) if letter == open => quote = None,
                (None, '\'') => quote = Some(letter),
                (None, '|' | '&' | '(' | ')' | ';') => programs.push(vec![String::new()]),
                (None, '>') => {
                    // What it is written to.
                    programs.push(vec!["file".to_owned()]);
                }
                (None, letter) if letter.is_whitespace() => program.push(String::new()),
                (_, letter) => program.last_mut().unwrap().push(letter),
            }
        }
        for program in &mut programs {
            program.retain(|word| !word.is_empty());
            let is_set = |word: &String| {
                word.split_once('=')
                    .is_some_and(|(name, _)| name.chars().all(|it| it.is_ascii_uppercase() || it == '_'))
            };
            let set = program.iter().take_while(|word| is_set(word)).count();
            program.drain(..set);
        }
        programs
    }

    /// The lines below "Examples:" of a command's help.
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command
            .get_after_long_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let below = help.split_once("Examples:\n").map_or("", |(_, below)| below);
        below.lines().map(|line| line.trim().to_owned()).collect()
    }

    fn parsed<P: Parser + CommandFactory>(name: &[&str]) -> usize {
        let mut seen = 0;
        for command in P::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
        {
            let mut own = 0;
            for example in examples(command) {
                for words in started(&example) {
                    if words.len() <= name.len() || !words.iter().zip(name).all(|(word, part)| word == part) {
                        continue;
                    }
                    let rest = &words[name.len()..];
                    let parsed =
                        P::try_parse_from(name[..1].iter().copied().chain(rest.iter().map(String::as_str)));
                    assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
                    own += usize::from(rest[0] == command.get_name());
                }
            }
            assert!(
                own > 0,
                "{} {} has no example of its own",
                name.join(" "),
                command.get_name()
            );
            seen += own;
        }
        seen
    }

    #[test]
    fn every_command_has_examples_and_each_is_one() {
        assert!(parsed::<Cli>(&["abb-operator"]) > 20);
        assert!(parsed::<Plugin>(&["kubectl", "abb"]) > 20);
        assert_eq!(
            started("A=b abb-operator x -p 'a b|c' > f | jq . && source <(kubectl abb y)"),
            [
                &["abb-operator", "x", "-p", "a b|c"][..],
                &["file", "f"],
                &["jq", "."],
                &[],
                &["source", "<"],
                &["kubectl", "abb", "y"],
                &[],
            ]
        );
    }

    #[test]
    fn short_or_broken_leases_are_refused() {
        assert_eq!(lease_duration("6s"), Ok(Duration::from_secs(6)));
        for wrong in ["2s", "0s", "a minute", "3500ms"] {
            assert!(lease_duration(wrong).is_err(), "{wrong}");
        }
    }
}
