//! `crd`: the definitions that stand in `crds/`.

use std::io::Write;

use super::Failure;
use crate::config::CrdArgs;

/// Prints the definitions, or writes them into a folder.
pub(super) fn run(args: &CrdArgs) -> Result<(), Failure> {
    let files = definitions()?;
    let Some(folder) = &args.output_dir else {
        let text: String = files.into_iter().map(|(_, text)| text).collect();
        // A reader that has seen enough (head, less) is no failure.
        let _ = std::io::stdout().write_all(text.as_bytes());
        return Ok(());
    };
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text)
            .map_err(|error| Failure::because(&format!("failed to write {}", path.display()), &error))?;
    }
    Ok(())
}

/// File name and text of each definition, made from the types. `crds/` is written with this.
#[cfg(feature = "terminal")]
fn definitions() -> Result<Vec<(String, String)>, Failure> {
    crate::api::definitions_yaml()
        .map_err(|error| Failure::because("failed to write the definitions", &error))
}

/// The same as it stands in `crds/`, which a test compares with the types: the schemas of the types and what makes YAML of
/// them would be a thirtieth of the image's binary.
#[cfg(not(feature = "terminal"))]
#[allow(clippy::unnecessary_wraps, reason = "as the one that makes them")]
fn definitions() -> Result<Vec<(String, String)>, Failure> {
    let files = [
        (
            "activebackup.dev_backupservers.yaml",
            include_str!("../../crds/activebackup.dev_backupservers.yaml"),
        ),
        (
            "activebackup.dev_backuptasks.yaml",
            include_str!("../../crds/activebackup.dev_backuptasks.yaml"),
        ),
    ];
    Ok(files
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .to_vec())
}
