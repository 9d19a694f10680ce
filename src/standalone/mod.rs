//! The controller without a cluster: manifests in place of what was applied, a folder in place of etcd, the same passes
//! with the same decisions. `plan` lets a pass decide and takes down the call it was about to record; `apply` lets it go on.
//! What is printed of it is `cli`'s.
//!
//! Invariant: nothing is sent that was not kept in the folder before, as nothing is sent that was not written to the API
//! server.

mod advice;
mod credentials;
mod declare;
mod folder;
mod ground;
mod plan;

pub use advice::{Advice, advise};
pub use credentials::{Account, Credentials, LiveSecrets};
pub use declare::{Kept, declare};
pub use folder::{Answers, Applied, Folder, FolderError};
pub use ground::{Ground, Look, Standalone};
pub use plan::{Change, Declared, Origins, Plan, PlannedAct, PlannedServer, PlannedTask, Verdict, plan};
