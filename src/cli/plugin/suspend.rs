//! `suspend` and `resume`: the annotation that holds a BackupTask back.

use super::Place;
use crate::{cli::Failure, config::TaskArgs};

pub(super) async fn run(place: &Place, args: &TaskArgs, holds: bool) -> Result<(), Failure> {
    let _ = (place, args, holds);
    Err(Failure::new("not built yet"))
}
