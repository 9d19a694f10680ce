//! What answers at the address, and what the account can do there: DSM, the login, the machine, the package, its tasks, the
//! clock. The session is ended at the end; nothing is changed.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::{cluster::Site, report::Report, secret::Usable};
use crate::{
    api::{BackupServer, ConditionType, condition},
    cli::screen::span,
    clock::Clock,
    controller::{client_of, refused_until},
    nas::{Capability, Catalogue, Client, Credentials, DsmInfo, Endpoint, Error, ListTasks, Read, explain},
};

/// A clock that is off by more makes results hard to place in time (contract, Rules).
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Asks DSM, first without and then with the account.
pub(super) async fn look(
    site: &Site,
    server: &BackupServer,
    endpoint: Endpoint,
    secret: Option<Usable>,
    report: &mut Report,
) {
    let Some(catalogue) = dsm(endpoint, report).await else {
        return;
    };
    clock(server, &catalogue, report);
    let has_package = package_is_listed(&catalogue.value, report);
    let Some(secret) = secret else {
        report.note("login", "not tried without the Secret");
        return;
    };
    if is_refused(site, server, &secret, report) {
        return;
    }
    let client = match client_of(&site.kubernetes, server, Clock::system()).await {
        Ok(client) => client,
        Err(problem) => {
            report.fail("login", &problem.message, "correct the Secret");
            return;
        }
    };
    with_account(server, &client, has_package, report).await;
    client.logout().await;
}

/// Whether it is DSM that answers. Needs no account.
async fn dsm(endpoint: Endpoint, report: &mut Report) -> Option<Read<Catalogue>> {
    let nobody = Credentials {
        username: String::new(),
        password: SecretString::from(""),
        otp_secret: None,
        device: None,
    };
    let url = endpoint.url.to_string();
    let client = match Client::new(endpoint, nobody) {
        Ok(client) => client.without_login(),
        Err(error) => {
            report.fail_told("dsm", &explain(url.trim_end_matches('/'), &error));
            return None;
        }
    };
    match client.api_info().await {
        Ok(read) if read.value.apis.is_empty() => {
            let found = format!("{} answers, and lists no API of DSM", client.address());
            report.fail("dsm", &found, "check that spec.url leads to DSM itself");
            None
        }
        Ok(read) => {
            report.ok("dsm", "it answers");
            Some(read)
        }
        Err(error) => {
            report.fail_told("dsm", &explain(&client.address(), &error));
            None
        }
    }
}

fn package_is_listed(catalogue: &Catalogue, report: &mut Report) -> bool {
    let is_listed = catalogue.has_active_backup();
    if !is_listed {
        report.fail(
            "package",
            "DSM lists no Active Backup for Business: it is not installed, or stopped",
            "install it, or start it in DSM's Package Center",
        );
    }
    is_listed
}

/// A login that was refused is not tried before its time: each attempt brings the account nearer to a block.
fn is_refused(site: &Site, server: &BackupServer, secret: &Usable, report: &mut Report) -> bool {
    let Some(next) = refused_until(server, &secret.version, Timestamp::now()) else {
        return false;
    };
    let conditions = server
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    let why = condition(conditions, ConditionType::Ready).map_or("refused", |ready| &ready.reason);
    let found = format!(
        "not tried: the NAS refused it ({why}), and each attempt brings a block nearer; the next is at {next}"
    );
    let remedy = format!(
        "mend what the status says; a changed Secret is tried at once: kubectl -n {} edit secret {}",
        site.namespace, server.spec.credentials.secret_ref.name
    );
    report.fail("login", &found, &remedy);
    true
}

async fn with_account(server: &BackupServer, client: &Client, has_package: bool, report: &mut Report) {
    let address = client.address();
    let dsm = match client.dsm_info().await {
        Ok(read) => read.value,
        Err(error) if error.is_unavailable() => {
            report.ok("login", "the account is let in");
            report.warn(
                "machine",
                "the account may not ask DSM who it is: another NAS behind the address goes unnoticed",
                "let it read the information of the system (Control Panel, User & Group, Delegated Administration)",
            );
            DsmInfo::default()
        }
        Err(error) => {
            report.fail_told("login", &explain(&address, &error));
            return;
        }
    };
    if dsm != DsmInfo::default() {
        report.ok("login", "the account is let in");
        machine(server, dsm, report);
    }
    if !has_package {
        return;
    }
    match client.list_tasks(&ListTasks::default()).await {
        Ok(read) if read.value.is_complete() => {
            let count = read.value.tasks.len();
            let tasks = if count == 1 { "task" } else { "tasks" };
            let found = format!("the account may use Active Backup, and sees {count} {tasks}");
            report.ok("permission", &found);
        }
        Ok(_) => report.warn(
            "permission",
            "the list of tasks is incomplete: nothing follows from a task that is not in it",
            "put the account into the group administrators, or delegate Active Backup to it as a whole",
        ),
        Err(error) => {
            let what = if matches!(error, Error::PackageNotRunning { .. }) {
                "package"
            } else {
                "permission"
            };
            report.fail_told(what, &explain(&address, &error));
            return;
        }
    }
    capabilities(client, report).await;
    if client.logins() > 1 {
        report.warn(
            "session",
            "the NAS ended the session in the middle of these checks",
            "use an account that nobody else logs in with, and see DSM's logout timer (Control Panel, Security)",
        );
    }
}

fn machine(server: &BackupServer, dsm: DsmInfo, report: &mut Report) {
    let text = |part: Option<String>| part.unwrap_or_else(|| "unknown".to_owned());
    let known = server
        .status
        .as_ref()
        .and_then(|status| status.dsm.as_ref())
        .and_then(|dsm| dsm.serial.clone());
    let serial = dsm.serial.clone();
    let found = format!(
        "{}, {}, serial {}",
        text(dsm.model),
        text(dsm.version),
        text(dsm.serial)
    );
    match (known, serial) {
        (Some(known), Some(serial)) if known != serial => report.fail(
            "machine",
            &format!("another NAS answers: {found}; status.dsm.serial is {known}"),
            "if it was not replaced on purpose, correct spec.url or the name server; if it was, each BackupTask is bound \
             anew by its annotation activebackup.dev/rebind",
        ),
        _ => report.ok("machine", &found),
    }
}

async fn capabilities(client: &Client, report: &mut Report) {
    let found = match client.probe().await {
        Ok(found) => found,
        Err(error) => {
            report.warn_told("capabilities", &explain(&client.address(), &error));
            return;
        }
    };
    if let Some(version) = &found.package_version {
        let what = format!("Active Backup for Business {version}");
        match found.package_status.as_deref() {
            Some("running") | None => report.ok("package", &what),
            Some(status) => report.warn(
                "package",
                &format!("{what} is {status}"),
                "see DSM's Package Center",
            ),
        }
    }
    for (capability, code) in &found.unavailable {
        report.warn(
            "capabilities",
            &format!(
                "{} is not there for this account (error {code}): {}",
                capability.as_str(),
                missed(*capability)
            ),
            "put the account into the group administrators, or update the package",
        );
    }
    for (capability, code) in &found.untold {
        let what = format!(
            "whether there is {} was not told (error {code})",
            capability.as_str()
        );
        report.note("capabilities", &what);
    }
    if found.unavailable.is_empty() {
        let names: Vec<&str> = found
            .available
            .iter()
            .map(|capability| capability.as_str())
            .collect();
        report.ok("capabilities", &names.join(", "));
    }
}

/// What is missed without a capability.
fn missed(capability: Capability) -> &'static str {
    match capability {
        Capability::History => "without results more calls end as OutcomeUnknown",
        Capability::Log => "a backup that was taken and did not start is noticed late",
        Capability::Queue => "without the queue more calls end as OutcomeUnknown",
        Capability::Packages => "the version of the package stays unknown",
    }
}

/// The clock of the NAS against this one, and against the operator's.
fn clock(server: &BackupServer, read: &Read<Catalogue>, report: &mut Report) {
    const WHAT: &str = "clock";
    let remedy =
        "set both by NTP: in DSM, Control Panel, Regional Options, Time, Synchronize with an NTP server";
    let Some(date) = read.nas_date else {
        report.warn(
            WHAT,
            "the NAS does not tell its time",
            "see whether a proxy before it takes the header Date away",
        );
        return;
    };
    // A Date is cut to whole seconds: half of one is missing in it.
    let skew = date.duration_since(read.begun) + SignedDuration::from_millis(500);
    let skew = skew.round(jiff::Unit::Second).unwrap_or(skew);
    let operators = server
        .status
        .as_ref()
        .and_then(|status| status.clock_skew_seconds);
    let operators = operators.map(SignedDuration::from_secs);
    let off = |skew: SignedDuration| {
        let side = if skew.is_negative() { "behind" } else { "ahead of" };
        format!("{} {side}", span(skew.abs()))
    };
    match operators {
        Some(theirs) if skew.abs() > SKEW && theirs.abs() <= SKEW => report.note(
            WHAT,
            &format!(
                "the NAS is {} this machine, and not off for the operator",
                off(skew)
            ),
        ),
        _ if skew.abs() > SKEW => report.warn(
            WHAT,
            &format!(
                "the NAS is {} this machine: results are hard to place in time",
                off(skew)
            ),
            remedy,
        ),
        Some(theirs) if theirs.abs() > SKEW => report.warn(
            WHAT,
            &format!(
                "the NAS was {} the operator when it last looked, and not off for this machine",
                off(theirs)
            ),
            remedy,
        ),
        _ => report.ok(WHAT, "within 5s of this machine"),
    }
}
