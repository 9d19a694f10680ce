//! `suspend` and `resume`: the annotation that holds a BackupTask back, beside what Git owns. What a manifest suspends only
//! its manifest resumes.

use kube::ResourceExt;

use super::{
    Place,
    chosen::{annotate, chosen},
};
use crate::{
    api::{ANNOTATION_SUSPENDED, BackupTask},
    cli::{Failure, call::print},
    config::TaskArgs,
};

const TRUE: &str = "true";

/// Suspends (`holds`) or resumes each task.
pub(super) async fn run(place: &Place, args: &TaskArgs, holds: bool) -> Result<(), Failure> {
    let tasks = chosen(place, args).await?;
    let mut held_by_git: Vec<String> = Vec::new();
    for task in tasks {
        let name = task.name_any();
        let changes = is_annotated(&task) != holds;
        if changes {
            let value = (ANNOTATION_SUSPENDED, holds.then_some(TRUE));
            let written = annotate(place, &name, value, None).await;
            let verb = if holds { "suspend" } else { "resume" };
            written
                .map_err(|refusal| refusal.explain(&format!("{verb} the BackupTask {name:?}"), "patch"))?;
        }
        print(&format!("backuptask/{name} {}\n", told(&task, holds, changes)));
        if holds && changes && task.status.as_ref().is_some_and(|status| status.run.is_some()) {
            eprintln!("warning: backuptask/{name}: the run in flight goes on: see kubectl abb cancel {name}");
        }
        if !holds && task.spec.suspend {
            held_by_git.push(name);
        }
    }
    if held_by_git.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "spec.suspend still holds {} back: take it out of the manifest, which is what Git or whoever applies it would set \
         again",
        held_by_git.join(", ")
    )))
}

fn is_annotated(task: &BackupTask) -> bool {
    task.annotations()
        .get(ANNOTATION_SUSPENDED)
        .is_some_and(|value| value == TRUE)
}

fn told(task: &BackupTask, holds: bool, changes: bool) -> &'static str {
    match (holds, changes) {
        (true, true) => "suspended",
        (true, false) => "was suspended already",
        (false, true) if task.spec.suspend => "is no longer suspended by its annotation",
        (false, true) => "resumed",
        (false, false) if task.spec.suspend => "is suspended by its manifest",
        (false, false) => "was not suspended",
    }
}
