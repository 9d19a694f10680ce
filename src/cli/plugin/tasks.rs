//! `tasks`: what the NAS has, now.

use super::Place;
use crate::{cli::Failure, config::Format};

pub(super) async fn run(place: &Place, server: &str, output: Option<Format>) -> Result<(), Failure> {
    let _ = (place, server, output);
    Err(Failure::new("not built yet"))
}
