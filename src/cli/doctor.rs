//! `doctor`: the way from a BackupServer to its NAS, step by step. Each line says ok, warn or fail; a failed step names
//! the remedy and ends the way.

use jiff::SignedDuration;

use super::{Failure, call::print};
use crate::{
    api::BackupServer,
    clock::Clock,
    controller::{client_of, cluster::Cluster},
    nas::{Capability, Client, DsmInfo, Error, ListTasks, explain},
};

/// A clock that is off by more makes results hard to place in time (contract, Rules).
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Checks one server, and ends its session.
pub(super) async fn run<C: Cluster>(cluster: &C, server: &BackupServer) -> Result<(), Failure> {
    let client = match client_of(cluster, server, Clock::system()).await {
        Ok(client) => client,
        Err(problem) => return Err(fail("settings", &problem.message)),
    };
    ok("settings", "Secret and trust are readable");
    let checked = check(&client).await;
    client.logout().await;
    checked
}

async fn check(client: &Client) -> Result<(), Failure> {
    let address = client.address();
    let failed = |step: &str, error: &Error| fail(step, &explain(&address, error));
    let (catalogue, date, begun) = match client.api_info().await {
        Ok(read) => (read.value, read.nas_date, read.begun),
        Err(error) => return Err(failed("address and TLS", &error)),
    };
    ok("address and TLS", "DSM answers");
    let dsm = match client.dsm_info().await {
        Ok(read) => read.value,
        Err(error) if error.is_unavailable() => {
            warn(
                "system",
                "this account may not ask DSM who it is: another NAS behind the address goes unnoticed",
            );
            DsmInfo::default()
        }
        Err(error) => return Err(failed("login", &error)),
    };
    let text = |part: Option<String>| part.unwrap_or_else(|| "unknown".to_owned());
    ok(
        "login",
        &format!(
            "{}, {}, serial {}",
            text(dsm.model),
            text(dsm.version),
            text(dsm.serial)
        ),
    );
    if !catalogue.has_active_backup() {
        warn(
            "package",
            "DSM does not list Active Backup: it is not installed, or stopped",
        );
    }
    let tasks = match client.list_tasks(&ListTasks::default()).await {
        Ok(read) => read.value,
        Err(error) => return Err(failed("tasks", &error)),
    };
    if tasks.is_complete() {
        ok("tasks", &format!("{} readable", tasks.tasks.len()));
    } else {
        warn(
            "tasks",
            "the list is incomplete: nothing follows from a task that is not in it",
        );
    }
    match client.probe().await {
        Ok(found) => {
            let version = text(found.package_version);
            let what = format!(
                "Active Backup {version}, state {}",
                text(found.package_status.clone())
            );
            match found.package_status.as_deref() {
                Some("running") => ok("package", &what),
                _ => warn("package", &what),
            }
            for capability in Capability::ALL {
                if let Some((_, code)) = found
                    .unavailable
                    .iter()
                    .find(|(missing, _)| *missing == capability)
                {
                    warn(
                        "capability",
                        &format!("{} is not available (error {code})", capability.as_str()),
                    );
                }
            }
        }
        Err(error) => warn("capability", &explain(&address, &error)),
    }
    match date.map(|date| date.duration_since(begun)) {
        Some(skew) if skew.abs() > SKEW => warn(
            "clock",
            &format!(
                "the NAS is {}s ahead of this machine: set both by NTP",
                skew.as_secs()
            ),
        ),
        Some(_) => ok("clock", "within 5s of this machine"),
        None => warn("clock", "the NAS does not tell its time"),
    }
    Ok(())
}

fn ok(step: &str, what: &str) {
    print(&format!("ok    {step}: {what}\n"));
}

fn warn(step: &str, what: &str) {
    print(&format!("warn  {step}: {what}\n"));
}

fn fail(step: &str, what: &str) -> Failure {
    print(&format!("fail  {step}: {what}\n"));
    Failure::new(format!("{step}: the way to the NAS ends here"))
}
