//! `ready`: asks a running operator whether it is ready. The image has no shell and no curl; this is what `helm test`
//! runs in it.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Failure;
use crate::config::ReadyArgs;

/// Longest wait for one answer; the probe answers from memory.
const ANSWER: Duration = Duration::from_secs(5);
/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks until the answer is 200 or the time is over.
pub(super) async fn run(args: &ReadyArgs) -> Result<(), Failure> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER)
        .no_proxy()
        .build()
        .map_err(|error| Failure::because("failed to set up the client", &error))?;
    let begun = Instant::now();
    loop {
        match ask(&client, args).await {
            Ok(()) => {
                println!("{} is ready", args.url);
                return Ok(());
            }
            Err(failure) if begun.elapsed() + PAUSE > args.wait => return Err(failure),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn ask(client: &reqwest::Client, args: &ReadyArgs) -> Result<(), Failure> {
    let url = &args.url;
    let answer = client.get(url.clone()).send().await.map_err(|error| {
        Failure::because(
            &format!("failed to ask {url} (does the operator run, and is this its --listen address?)"),
            &error.without_url(),
        )
    })?;
    let status = answer.status();
    if status == reqwest::StatusCode::OK {
        return Ok(());
    }
    let why = answer.text().await.unwrap_or_default();
    Err(Failure::new(format!(
        "{url} is not ready: {status}: {}",
        why.trim()
    )))
}
