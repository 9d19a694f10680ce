//! Arguments of the kubectl plugin.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{CALL_HELP, MethodArgs};

/// Work with Active Backup for Business from the terminal: kubectl abb.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-abb",
    bin_name = "kubectl abb",
    version,
    about,
    arg_required_else_help = true,
    after_help = "To start a backup:\n  \
kubectl annotate backuptask NAME activebackup.dev/backup-requested=TOKEN --overwrite"
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

/// The plugin's commands.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Call one method of the Active Backup API of a BackupServer's NAS, with its Secret.
    #[command(after_long_help = CALL_HELP)]
    Call {
        /// The BackupServer.
        server: String,
        /// The call.
        #[command(flatten)]
        method: MethodArgs,
    },
    /// Check the way from a BackupServer to its NAS: Secret, TLS, login, package, rights, clock.
    Doctor {
        /// The BackupServer.
        server: String,
    },
}
