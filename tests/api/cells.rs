//! One case for each row of the table of methods: the method alone, and each parameter that is known of it.

use std::collections::BTreeSet;

use abb_operator::nas::{Invocation, methods};

use super::nas::{Lab, Seen};
use super::{siblings, tasks};

/// One case.
pub struct Cell {
    /// API and method, as in `SYNO.ActiveBackup.Task list`.
    pub method: &'static str,
    /// The parameters that it shows; none is the method itself.
    pub parameters: &'static [&'static str],
    /// The call, made from its types.
    pub call: Invocation,
    /// The bytes that are posted, without the session.
    pub form: &'static str,
    /// Whether the NAS did what the parameter says.
    pub shows: fn(&Seen) -> bool,
}

fn all() -> Vec<Cell> {
    let mut cells = tasks::cells();
    cells.extend(siblings::cells());
    cells
}

#[tokio::test]
async fn every_method_and_parameter_over_http() {
    let mut failures = Vec::new();
    for Cell {
        method,
        parameters,
        call,
        form,
        shows,
    } in all()
    {
        assert_eq!(call.call().to_string(), method);
        assert_eq!(call.form(), form, "{method} {parameters:?}");
        let lab = Lab::new().await;
        let seen = lab.make(&call).await;
        if !shows(&seen) {
            failures.push(format!("{form}: {} {:?}", seen.data, seen.effects));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// A parameter that the table names and no case shows would be a claim without a test.
#[test]
fn every_row_of_the_table_has_its_case() {
    let shown: BTreeSet<(String, String)> = all()
        .iter()
        .flat_map(|cell| {
            let names = cell.parameters.iter().copied().chain([""]);
            names
                .map(|name| (cell.method.to_owned(), name.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    let known: BTreeSet<(String, String)> = methods::all()
        .filter(|method| method.call.api != "SYNO.Entry.Request")
        .flat_map(|method| {
            let names = method
                .parameters
                .iter()
                .map(|parameter| parameter.name)
                .chain([""]);
            names
                .map(|name| (method.call.to_string(), name.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    let missing: Vec<_> = known.difference(&shown).collect();
    let unknown: Vec<_> = shown.difference(&known).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing {missing:?}, unknown {unknown:?}"
    );
}
