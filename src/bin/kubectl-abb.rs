//! The kubectl plugin. It prints its help; the commands come later.

use clap::Parser;

/// Work with Active Backup for Business from the terminal: kubectl abb.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-abb",
    bin_name = "kubectl abb",
    version,
    about,
    arg_required_else_help = true
)]
#[command(after_help = "This version has no commands yet. Until then:\n  \
kubectl get backuptasks\n  \
kubectl patch backuptask NAME --type merge -p '{\"spec\":{\"triggers\":{\"request\":\"TOKEN\"}}}'\n  \
kubectl annotate backuptask NAME activebackup.dev/backup-requested=TOKEN --overwrite")]
struct Cli {}

fn main() {
    Cli::parse();
}
