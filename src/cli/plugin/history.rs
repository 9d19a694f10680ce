//! `history`: the finished runs of a BackupTask.

use super::Place;
use crate::{cli::Failure, config::Format};

pub(super) async fn run(place: &Place, task: &str, output: Option<Format>) -> Result<(), Failure> {
    let _ = (place, task, output);
    Err(Failure::new("not built yet"))
}
