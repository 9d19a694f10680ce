//! `crd`: the definitions that stand in `crds/`.

use std::io::Write;

use super::Failure;
use crate::{api::definitions_yaml, config::CrdArgs};

/// Prints the definitions, or writes them into a folder.
pub(super) fn run(args: &CrdArgs) -> Result<(), Failure> {
    let files =
        definitions_yaml().map_err(|error| Failure::because("failed to write the definitions", &error))?;
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
