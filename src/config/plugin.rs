//! Arguments of the kubectl plugin.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{MethodArgs, duration};

/// Work with Active Backup for Business from the terminal: kubectl abb.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-abb",
    bin_name = "kubectl abb",
    version,
    about,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 failed, 3 bad usage or input."
)]
pub struct Plugin {
    /// Where the objects are.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: PluginCommand,
}

/// The flags that every kubectl command has.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Namespace; the kubeconfig's own by default.
    #[arg(short, long, global = true, value_name = "NS")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; the current one by default.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig; as kubectl finds it by default.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// Which BackupTasks.
#[derive(Args, Clone, Debug, Default)]
pub struct TaskArgs {
    /// The BackupTasks.
    #[arg(
        value_name = "NAME",
        required_unless_present = "selector",
        conflicts_with = "selector"
    )]
    pub names: Vec<String>,
    /// Those with these labels, such as `tier=gold,site!=lab`.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
}

/// How a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// More columns.
    Wide,
    /// The objects, for programs.
    Json,
    /// The objects, for people.
    Yaml,
}

/// Arguments of `status`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = STATUS_HELP)]
pub struct StatusArgs {
    /// Only these BackupTasks and their servers.
    #[arg(value_name = "NAME", conflicts_with = "selector")]
    pub names: Vec<String>,
    /// Only BackupTasks with these labels.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// In every namespace.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// `wide` shows more columns; `json` and `yaml` the objects.
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Go on and show each change, until ^C.
    #[arg(short, long)]
    pub watch: bool,
}

const STATUS_HELP: &str = "\
Examples:
  kubectl abb status
  kubectl abb status -A -o wide
  kubectl abb status laptop --watch
  kubectl abb status -o json | jq '.items[] | select(.kind == \"BackupTask\") | .status.lastResult'";

const HISTORY_HELP: &str = "\
Times are UTC. A run in flight comes first. The bars are to the scale of the largest run shown.

Examples:
  kubectl abb history laptop
  kubectl abb history laptop -o wide
  kubectl abb history laptop -o json | jq '.[] | select(.status != \"Success\")'";

const TASKS_HELP: &str = "\
It logs in with the BackupServer's Secret, reads, and logs out. What no BackupTask stands for has `-` under MANAGED BY.

Examples:
  kubectl abb tasks nas
  kubectl abb tasks nas -o wide
  kubectl abb tasks nas -o json | jq '.tasks[] | select(.managedBy == [])'";

/// Arguments of `backup`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = BACKUP_HELP)]
pub struct BackupArgs {
    /// Which.
    #[command(flatten)]
    pub tasks: TaskArgs,
    /// Wait for the results; the exit code is 1 if one is no success.
    #[arg(short, long)]
    pub wait: bool,
    /// Wait no longer than this; the runs go on.
    #[arg(long, requires = "wait", value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// The token that asks for the run, 1 to 63 characters; one of its own by default. The same token asks once.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

const BACKUP_HELP: &str = "\
It sets the annotation activebackup.dev/backup-requested, which asks for exactly one run, whatever happens on the way. ^C
while waiting leaves the run alone.

Examples:
  kubectl abb backup laptop
  kubectl abb backup laptop server --wait
  kubectl abb backup -l tier=gold --wait --timeout 2h
  kubectl abb backup laptop --wait --token before-upgrade-1.37";

/// Arguments of `cancel`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = CANCEL_HELP)]
pub struct CancelArgs {
    /// Which.
    #[command(flatten)]
    pub tasks: TaskArgs,
    /// Wait until the runs have ended.
    #[arg(short, long)]
    pub wait: bool,
    /// Wait no longer than this.
    #[arg(long, requires = "wait", value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
}

const CANCEL_HELP: &str = "\
It sets the annotation activebackup.dev/cancel-requested, which cancels the run that is in flight when the operator sees it.

Examples:
  kubectl abb cancel laptop
  kubectl abb cancel -l tier=gold --wait";

/// Arguments of `import`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = IMPORT_HELP)]
pub struct ImportArgs {
    /// The BackupServer.
    pub server: String,
    /// Write one file per task and a kustomization.yaml into this folder instead of printing.
    #[arg(short = 'd', long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}

const IMPORT_HELP: &str = "\
It asks the NAS for its tasks and prints a BackupTask for each one that none stands for. They start nothing: without a
trigger a BackupTask shows what the NAS does.

Examples:
  kubectl abb import nas
  kubectl abb import nas --output-dir backups/
  kubectl abb import nas | kubectl apply -f -";

const SUSPEND_HELP: &str = "\
It sets the annotation activebackup.dev/suspended, which Git does not fight. A run in progress goes on.

Examples:
  kubectl abb suspend laptop
  kubectl abb suspend -l tier=gold";

const RESUME_HELP: &str = "\
It takes the annotation activebackup.dev/suspended away. What became due meanwhile runs then.

Examples:
  kubectl abb resume laptop
  kubectl abb resume -l tier=gold";

const CALL_SERVER_HELP: &str = "\
The data of the answer go to standard output as JSON; fields that hold secrets are left out. Exit codes: 0 the NAS
answered success, 1 it did not or nobody knows, 3 the call is wrong or needs --yes.

Examples:
  kubectl abb call nas list -p load_result=true
  kubectl abb call nas Log.list_result -p task_id=5 -p limit=10
  kubectl abb call nas backup -p 'task_ids=[5]' -p trigger_type=1 --dry-run
  kubectl abb call nas --methods";

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = DOCTOR_HELP)]
pub struct DoctorArgs {
    /// The BackupServer; all of the namespace by default.
    pub server: Option<String>,
    /// Name of the operator's Lease, where it cannot be guessed.
    #[arg(long, value_name = "NAME")]
    pub lease_name: Option<String>,
    /// Namespace of the operator's Lease, where it cannot be guessed.
    #[arg(long, value_name = "NS")]
    pub lease_namespace: Option<String>,
}

const DOCTOR_HELP: &str = "\
One line per check: ok, note, warn or fail, what was looked at, what was found, and what to do. It changes nothing, and tries
no login that was refused before its time. The exit code is 1 if one fails.

Examples:
  kubectl abb doctor
  kubectl abb doctor nas -n backups
  kubectl abb doctor --lease-namespace operators --lease-name backup-operator";

/// Who asks for completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// For `kubectl-abb` in bash.
    Bash,
    /// For `kubectl-abb` in zsh.
    Zsh,
    /// For `kubectl-abb` in fish.
    Fish,
    /// For `kubectl-abb` in `PowerShell`.
    Powershell,
    /// For `kubectl-abb` in elvish.
    Elvish,
    /// For `kubectl abb`, by kubectl's completion of any shell.
    Kubectl,
}

impl From<clap_complete::Shell> for Shell {
    fn from(shell: clap_complete::Shell) -> Self {
        match shell {
            clap_complete::Shell::Zsh => Self::Zsh,
            clap_complete::Shell::Fish => Self::Fish,
            clap_complete::Shell::PowerShell => Self::Powershell,
            clap_complete::Shell::Elvish => Self::Elvish,
            _ => Self::Bash,
        }
    }
}

const COMPLETION_HELP: &str = "\
kubectl completes `kubectl abb` where it completes itself (kubectl completion --help) and finds a program kubectl_complete-abb
in PATH: the script of `completion kubectl`. The scripts for a shell complete `kubectl-abb`. They ask the plugin itself, which
asks the cluster for names.

Examples:
  kubectl abb completion kubectl > ~/.local/bin/kubectl_complete-abb && chmod +x ~/.local/bin/kubectl_complete-abb
  source <(kubectl abb completion bash)
  kubectl abb completion fish > ~/.config/fish/completions/kubectl-abb.fish";

/// The plugin's commands.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Show servers, tasks, results and what they wait for, on one screen.
    Status(StatusArgs),
    /// Ask for a run of each of these BackupTasks.
    Backup(BackupArgs),
    /// Cancel the run in flight of each of these BackupTasks.
    Cancel(CancelArgs),
    /// Show the finished runs of a BackupTask.
    #[command(after_long_help = HISTORY_HELP)]
    History {
        /// The BackupTask.
        task: String,
        /// `wide` shows more columns; `json` and `yaml` the runs as they stand in the status.
        #[arg(short, long, value_enum, value_name = "FORMAT")]
        output: Option<Format>,
    },
    /// Ask a BackupServer's NAS for its tasks, with the BackupTasks that stand for them.
    #[command(after_long_help = TASKS_HELP)]
    Tasks {
        /// The BackupServer.
        server: String,
        /// `wide` shows more columns; `json` and `yaml` all that is known.
        #[arg(short, long, value_enum, value_name = "FORMAT")]
        output: Option<Format>,
    },
    /// Print manifests for the tasks of a NAS that no BackupTask stands for.
    Import(ImportArgs),
    /// Hold everything back for these BackupTasks; observing goes on.
    #[command(after_long_help = SUSPEND_HELP)]
    Suspend(TaskArgs),
    /// Let these BackupTasks act again.
    #[command(after_long_help = RESUME_HELP)]
    Resume(TaskArgs),
    /// Check everything between you and a run: definitions, rights, operator, Secret, TLS, login, package, clock.
    Doctor(DoctorArgs),
    /// Call one method of the Active Backup API of a BackupServer's NAS, with its Secret.
    #[command(after_long_help = CALL_SERVER_HELP)]
    Call {
        /// The BackupServer.
        server: String,
        /// The call.
        #[command(flatten)]
        method: MethodArgs,
    },
    /// Print what makes a shell, or kubectl's own completion, complete commands, flags and names.
    #[command(after_long_help = COMPLETION_HELP)]
    Completion {
        /// The shell; `kubectl` for `kubectl abb` in every shell in which kubectl completes.
        #[arg(value_enum)]
        shell: Shell,
    },
}
