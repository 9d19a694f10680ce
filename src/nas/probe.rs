//! What this NAS's Active Backup can do for this account, asked once per login in one round trip where the NAS takes
//! several calls in one, else call by call. It reads and decides nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::call::Invocation;
use super::client::Client;
use super::code::{Context, Meaning};
use super::error::Error;
use super::records::{Package, Part};
use super::request::ListResults;
use super::request::siblings::LOG;
use super::request::tasks::Extra;
use super::wire;

/// The id of the package (dsm-api-facts 4).
const PACKAGE_ID: &str = "ActiveBackup";

/// Something the package can be asked for, beyond the list of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Results of finished jobs (`Log.list_result`): the evidence of every run.
    History,
    /// Rows of the log (`Log.list_log`): also what was asked for and did not start.
    Log,
    /// What runs and waits (`Overview.list_activity`): who started it, and absence as evidence.
    Queue,
    /// The state and version of the packages (`SYNO.Core.Package`).
    Packages,
}

impl Capability {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::History, Self::Log, Self::Queue, Self::Packages];

    /// The name in a status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::History => "History",
            Self::Log => "Log",
            Self::Queue => "Queue",
            Self::Packages => "Packages",
        }
    }

    /// The cheapest call that shows it.
    fn call(self) -> Invocation {
        let one_row = Extra::from([("limit".to_owned(), Value::from(1))]);
        match self {
            Self::History => Invocation::from(&ListResults {
                limit: Some(1),
                ..ListResults::default()
            }),
            Self::Log => Invocation::of_known(LOG, "list_log", &one_row),
            Self::Queue => Invocation::list_activity(),
            Self::Packages => Invocation::list_packages(),
        }
    }
}

/// What a probe found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Active Backup's version, where the account may ask.
    pub package_version: Option<String>,
    /// Its state, such as `running`.
    pub package_status: Option<String>,
    /// What is there for this account.
    pub available: BTreeSet<Capability>,
    /// What is not, with the code that says so.
    pub unavailable: Vec<(Capability, i64)>,
    /// What the NAS did not tell at this moment, with the code it gave instead: busy, being upgraded.
    pub untold: Vec<(Capability, i64)>,
}

impl Capabilities {
    /// Whether each of them is known to be there or not.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.untold.is_empty()
    }
}

impl Client {
    /// Asks what this account can ask for.
    ///
    /// # Errors
    /// Those of a login and of a connection; a refused part is a finding and no error.
    pub async fn probe(&self) -> Result<Capabilities, Error> {
        let calls = Capability::ALL.map(Capability::call);
        let parts = match self.ask_together(&calls).await {
            Ok(read) => read.value,
            // Not every DSM or account has compound requests.
            Err(
                Error::Refused { .. }
                | Error::PermissionDenied { .. }
                | Error::PackageNotRunning { .. }
                | Error::Unexpected { .. }
                | Error::MethodMissing { .. },
            ) => self.ask_one_by_one(&calls).await?,
            Err(error) => return Err(error),
        };
        Ok(judge(&parts))
    }

    async fn ask_one_by_one(&self, calls: &[Invocation]) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::new();
        for call in calls {
            parts.push(match self.ask(call).await {
                Ok(read) => Ok(read.value),
                Err(error) => match error.code() {
                    Some(code) if error.code_of(call.call()) => Err(code),
                    _ => return Err(error),
                },
            });
        }
        Ok(parts)
    }
}

fn judge(parts: &[Part]) -> Capabilities {
    let mut found = Capabilities::default();
    for (capability, part) in Capability::ALL.into_iter().zip(parts) {
        match part {
            Ok(data) => {
                found.available.insert(capability);
                if capability == Capability::Packages
                    && let Some(package) = data.as_ref().and_then(active_backup)
                {
                    found.package_version = package.version;
                    found.package_status = package.status;
                }
            }
            Err(code) if Meaning::of(*code, Context::ActiveBackup).is_unavailable() => {
                found.unavailable.push((capability, *code));
            }
            Err(code) => found.untold.push((capability, *code)),
        }
    }
    found
}

/// Active Backup's row in the list of packages.
fn active_backup(data: &Value) -> Option<Package> {
    let packages = wire::packages(data).ok()?;
    packages.into_iter().find(|package| package.id == PACKAGE_ID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_become_findings() {
        let packages = json!({"packages": [
            {"id": "Other", "version": "1"},
            {"id": "ActiveBackup", "version": "2.7.0-13164", "additional": {"status": "running"}}
        ]});
        let found = judge(&[Ok(None), Err(103), Ok(None), Ok(Some(packages))]);
        assert_eq!(
            found,
            Capabilities {
                package_version: Some("2.7.0-13164".into()),
                package_status: Some("running".into()),
                available: BTreeSet::from([Capability::History, Capability::Queue, Capability::Packages]),
                unavailable: vec![(Capability::Log, 103)],
                untold: Vec::new(),
            }
        );
        assert_eq!(
            judge(&[Err(105), Err(105), Err(105), Err(105)]).unavailable.len(),
            Capability::ALL.len()
        );
        let busy = judge(&[Err(1007), Err(117), Ok(None), Err(119)]);
        assert!(!busy.is_whole() && busy.unavailable.is_empty(), "{busy:?}");
    }
}
