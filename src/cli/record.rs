//! `record`: what a NAS answers, for a report or a replay, without anything personal.

use std::{fs::File, io::BufWriter};

use super::{Failure, nas::client};
use crate::{
    config::RecordArgs,
    nas::explain,
    record::{self, Plan, RecordError},
};

/// Records the NAS that the flags name. Ctrl-C ends it early and leaves a whole file.
pub(super) async fn run(args: RecordArgs) -> Result<(), Failure> {
    let RecordArgs {
        output,
        watch,
        interval,
        nas,
    } = args;
    let client = client(&nas)?;
    let address = client.address();
    let file = File::create(&output)
        .map_err(|error| Failure::usage(format!("failed to write {}: {error}", output.display())))?;
    let plan = Plan { watch, interval };
    let mut file = BufWriter::new(file);
    match record::record(client, plan, &mut file, super::operate::ended()).await {
        Ok(exchanges) => {
            eprintln!(
                "recorded {exchanges} answers in {}; read it before you pass it on",
                output.display()
            );
            Ok(())
        }
        Err(RecordError::Ask(error)) => Err(Failure::new(explain(&address, &error))),
        Err(error @ RecordError::Write(_)) => Err(Failure::because("the recording ended", &error)),
    }
}
