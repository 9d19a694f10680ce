//! `simulate`: a NAS to try things on.

use std::{fs::File, io::BufReader, path::Path};

use super::Failure;
use crate::{
    config::SimulateArgs,
    record::Trace,
    simulator::{self, Options, Scenario},
};

/// Serves until the process is ended.
pub(super) async fn run(args: SimulateArgs) -> Result<(), Failure> {
    let SimulateArgs {
        listen,
        admin,
        plaintext,
        scenario,
        time_scale,
        replay,
    } = args;
    let replay = replay.as_deref().map(recording).transpose()?;
    let scenario = match &scenario {
        Some(path) => Scenario::from_file(path)
            .map_err(|error| Failure::because("failed to use the scenario", &error))?,
        None => Scenario::seed(),
    };
    let options = Options {
        listen,
        admin: Some(admin),
        plaintext,
        scenario,
        time_scale,
        replay,
    };
    let nas = simulator::start(options)
        .await
        .map_err(|error| Failure::because("failed to start the simulated NAS", &error))?;
    println!("url:         {}", nas.url());
    if let Some(fingerprint) = nas.fingerprint() {
        println!("fingerprint: {fingerprint}");
    }
    println!("username:    {}", nas.username());
    println!("password:    {}", nas.password());
    if let Some(admin) = nas.admin_url() {
        println!("admin:       {admin}");
    }
    super::operate::ended().await;
    nas.shutdown().await;
    Ok(())
}

fn recording(path: &Path) -> Result<Trace, Failure> {
    let what = format!("failed to use {}", path.display());
    let file = File::open(path).map_err(|error| Failure::usage(format!("{what}: {error}")))?;
    Trace::read(BufReader::new(file)).map_err(|error| {
        let why = Failure::because(&what, &error);
        Failure::usage(why.to_string())
    })
}
