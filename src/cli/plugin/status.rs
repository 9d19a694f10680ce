//! `status`: one screen of servers and tasks.

use super::Place;
use crate::{cli::Failure, config::StatusArgs};

pub(super) async fn run(place: &Place, args: &StatusArgs) -> Result<(), Failure> {
    let _ = (place, args);
    Err(Failure::new("not built yet"))
}
