//! Arguments of the commands that take manifests.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{AccountArgs, duration};

/// Which manifests, and where what belongs to them is found.
#[derive(Args, Clone, Debug)]
pub struct ManifestArgs {
    /// File or folder with manifests, `-` for standard input; repeatable.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub filenames: Vec<PathBuf>,
    /// Namespace of manifests that name none; `default` by default, or the context's own.
    #[arg(short, long, value_name = "NS")]
    pub namespace: Option<String>,
    /// Folder in which `apply` keeps what was asked for and what came of it.
    #[arg(long, value_name = "DIR", default_value = ".abb", env = "ABB_STATE")]
    pub state: PathBuf,
    /// Folder with one folder per Secret or ConfigMap, named as it is, one file per key. A file `url` in it binds it to that
    /// address.
    #[arg(long, value_name = "DIR", env = "ABB_SECRETS")]
    pub secrets: Option<PathBuf>,
    /// The account of servers whose Secret is found nowhere else. It is used at `--url` only.
    #[command(flatten)]
    pub account: AccountArgs,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For a comment of a pull request.
    Markdown,
}

/// Arguments of `plan`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = PLAN_HELP)]
pub struct PlanArgs {
    /// The manifests.
    #[command(flatten)]
    pub manifests: ManifestArgs,
    /// How the plan is printed.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: PlanFormat,
    /// Judge the manifests alone: no NAS is asked.
    #[arg(long, conflicts_with_all = ["context", "kubeconfig"])]
    pub offline: bool,
    /// Compare with the objects of this context of the kubeconfig instead of a state folder.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Compare with the objects of the cluster of this kubeconfig.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Use a Secret of the cluster also at addresses at which no BackupServer there uses it.
    #[arg(long)]
    pub any_address: bool,
    /// As if BackupTasks that no manifest declares any more were deleted.
    #[arg(long)]
    pub prune: bool,
}

const PLAN_HELP: &str = "\
The manifests are judged by the same schema and rules as the API server's. Nothing that changes a NAS is sent.
Exit codes: 0 nothing is due, 2 something is, 1 a NAS cannot be read or an object needs somebody, 3 the manifests are wrong.

Examples:
  abb-operator plan -f backups/
  abb-operator plan -f backups/ --offline
  abb-operator plan -f backups/ --context prod --prune -o markdown
  ABB_NAS_URL=https://nas.example:5001 ABB_NAS_USERNAME=me ABB_NAS_PASSWORD_FILE=pw abb-operator plan -f laptop.yaml";

/// Arguments of `apply`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = APPLY_HELP)]
pub struct ApplyArgs {
    /// The manifests.
    #[command(flatten)]
    pub manifests: ManifestArgs,
    /// Wait for the results; the exit code is 1 if one is no success.
    #[arg(short, long)]
    pub wait: bool,
    /// Wait no longer than this; the runs go on.
    #[arg(long, requires = "wait", value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// Delete the BackupTasks of the state that no manifest declares any more. With `removal.when: OnDelete` this destroys
    /// backups.
    #[arg(long)]
    pub prune: bool,
}

const APPLY_HELP: &str = "\
What is due is sent exactly once, as by the operator in a cluster: each call is kept in the state folder before it is sent,
and an apply that was killed is taken up by the next one. Keep that folder. Schedules and maxAge count whenever it is run, so
a timer that runs it every few minutes is an operator.
Exit codes: 0 done, 1 a NAS cannot be read, an object needs somebody or a run failed, 3 the manifests are wrong.

Examples:
  abb-operator apply -f backups/ --wait
  abb-operator apply -f backups/ --state /var/lib/abb --secrets /etc/abb/secrets";
