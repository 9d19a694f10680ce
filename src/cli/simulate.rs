//! `simulate`: a NAS to try things on.

use super::Failure;
use crate::{
    config::SimulateArgs,
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
    } = args;
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
