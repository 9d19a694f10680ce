//! What `plan` and `apply` begin with: manifests, judged, and the sources of what belongs to them.

use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::{
    Failure, nas,
    progress::standard_error,
    screen::{Tone, safe},
};
use crate::{
    config::{AccountArgs, ManifestArgs},
    decide::schedule_fault,
    manifest::{Fault, Manifests, load},
    standalone::{Account, Credentials, LiveSecrets},
};

/// Where manifests without a namespace are, unless something else is said.
pub(super) const DEFAULT_NAMESPACE: &str = "default";

/// Reads the manifests, and what only calendars and zones can tell of them.
pub(super) fn read(args: &ManifestArgs, namespace: &str, now: Timestamp) -> Result<Manifests, Vec<Fault>> {
    let manifests = load(&args.filenames, namespace)?;
    let mut faults: Vec<Fault> = manifests
        .tasks
        .iter()
        .filter_map(|task| {
            let message = schedule_fault(&task.object, now)?;
            Some(task.fault("spec.triggers.schedule", message))
        })
        .collect();
    if faults.is_empty() {
        return Ok(manifests);
    }
    faults.sort();
    Err(faults)
}

/// Says on standard error what is wrong with manifests.
pub(super) fn refuse(faults: &[Fault]) -> Failure {
    let screen = standard_error();
    for fault in faults {
        let text = fault.to_string();
        if screen.is_terminal() {
            eprint!("{}", screen.paragraph(Tone::Bad, "fail", &safe(&text)));
        } else {
            // As compilers write it, so that editors find the place.
            eprintln!("{}", safe(&text));
        }
    }
    let s = if faults.len() == 1 { "" } else { "s" };
    Failure::usage(format!(
        "{} fault{s} in the manifests; no NAS was asked",
        faults.len()
    ))
}

/// Secrets and `ConfigMap`s of the manifests, the folder, the environment, and a cluster.
pub(super) fn credentials(
    args: &ManifestArgs,
    manifests: &mut Manifests,
    live: Option<LiveSecrets>,
    key: Vec<u8>,
) -> Result<Credentials, Failure> {
    let account = account(&args.account)?;
    if let Some(folder) = args.secrets.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Failure::usage(format!(
            "--secrets {} is no folder",
            folder.display()
        )));
    }
    let mut credentials = Credentials::new(args.secrets.clone(), account, live, key);
    for secret in manifests.secrets.drain(..) {
        credentials.add_secret(secret.object);
    }
    for map in manifests.config_maps.drain(..) {
        credentials.add_config_map(map.object);
    }
    Ok(credentials)
}

/// The account of the environment, where there is one. All or nothing: a password without an address goes nowhere.
fn account(args: &AccountArgs) -> Result<Option<Account>, Failure> {
    // A pipeline that has no secret sets the variable to nothing.
    let password = nas::secret(args.password())?.filter(|password| !password.expose_secret().is_empty());
    let Some(password) = password else {
        return Ok(None);
    };
    let (Some(url), Some(username)) = (args.url.clone(), args.username.clone()) else {
        return Err(Failure::usage(
            "a password is given without its address and account: set ABB_NAS_URL and ABB_NAS_USERNAME; it is sent to that \
             address only",
        ));
    };
    Ok(Some(Account {
        url,
        username,
        password,
        otp_secret: nas::secret(args.otp_secret())?,
    }))
}
