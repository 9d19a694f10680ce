//! Asks a NAS everything that only reads, and writes down what it answers.
//!
//! The requests are those of the shipped client; a refused one is recorded like any other answer. What leads nowhere,
//! such as a refused login, ends the recording.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::redact::Redactor;
use super::trace::{DsmHeader, Exchange, FORMAT, Header};
use crate::nas::{Client, Error, Extra, Invocation, ListDevices, ListResults, ListTasks, RawExchange};

/// Rows of a log that are asked for: one page.
const PAGE: u64 = 100;

/// Tasks whose versions are asked for. More tell nothing new and keep the NAS busy.
const MOST_VERSION_LISTS: usize = 20;

/// What is recorded beyond one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How long to watch for runs; zero for not at all.
    pub watch: Duration,
    /// The time between two looks.
    pub interval: Duration,
}

/// Why a recording ended early. What was written up to then can be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The NAS cannot be asked.
    #[error("failed to ask the NAS")]
    Ask(#[source] Error),
    /// The output cannot be written.
    #[error("failed to write the recording")]
    Write(#[source] std::io::Error),
}

/// What was recorded and is not written yet.
#[derive(Default)]
struct Heard {
    redactor: Redactor,
    exchanges: Vec<Exchange>,
}

/// Records into `output`; the number of exchanges. It ends when the plan is done or when `stop` resolves.
pub async fn record(
    client: Client,
    plan: Plan,
    output: &mut (impl Write + Send),
    stop: impl Future<Output = ()>,
) -> Result<usize, RecordError> {
    let start = client.clock().now();
    let heard = Arc::new(Mutex::new(Heard::default()));
    let tap = {
        let heard = Arc::clone(&heard);
        Arc::new(move |raw: &RawExchange<'_>| hear(&heard, raw, start))
    };
    let client = client.with_tap(tap);
    let mut file = File {
        heard,
        output,
        written: 0,
    };
    let recorded = tokio::select! {
        recorded = rounds(&client, plan, start, &mut file) => recorded,
        () = stop => Ok(()),
    };
    client.logout().await;
    recorded?;
    file.write()?;
    Ok(file.written)
}

fn hear(heard: &Mutex<Heard>, raw: &RawExchange<'_>, start: Timestamp) {
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(exchange) = Exchange::of(raw, start, &mut heard.redactor) {
        heard.exchanges.push(exchange);
    }
}

struct File<'a, W> {
    heard: Arc<Mutex<Heard>>,
    output: &'a mut W,
    written: usize,
}

impl<W: Write> File<'_, W> {
    fn line(&mut self, line: &impl serde::Serialize) -> Result<(), RecordError> {
        let mut text = serde_json::to_string(line).map_err(|error| RecordError::Write(error.into()))?;
        text.push('\n');
        self.output.write_all(text.as_bytes()).map_err(RecordError::Write)
    }

    /// Writes what was heard since.
    fn write(&mut self) -> Result<(), RecordError> {
        let exchanges = {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut heard.exchanges)
        };
        for exchange in exchanges {
            self.line(&exchange)?;
            self.written += 1;
        }
        self.output.flush().map_err(RecordError::Write)
    }

    /// The header names the NAS as the redacted answer does.
    fn header(&mut self, start: Timestamp) -> Result<(), RecordError> {
        let dsm = {
            let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            let data = heard
                .exchanges
                .iter()
                .filter(|exchange| exchange.api == "SYNO.DSM.Info")
                .find_map(|exchange| exchange.body.as_ref()?.get("data"));
            let text = |name: &str| Some(data?.get(name)?.as_str()?.to_owned());
            DsmHeader {
                model: text("model"),
                version: text("version_string"),
            }
        };
        self.line(&Header {
            trace: FORMAT.to_owned(),
            recorded: start.strftime("%Y-%m-%d").to_string(),
            dsm,
        })
    }
}

async fn rounds<W: Write>(
    client: &Client,
    plan: Plan,
    start: Timestamp,
    file: &mut File<'_, W>,
) -> Result<(), RecordError> {
    go_on(client.api_info().await)?;
    go_on(client.dsm_info().await)?;
    file.header(start)?;
    file.write()?;
    go_on(client.list_packages().await)?;
    let everything = ListTasks {
        load_result: true,
        load_devices: true,
        load_status: true,
        load_versions: true,
        load_verify_status: true,
        ..ListTasks::default()
    };
    let tasks = go_on(client.list_tasks(&everything).await)?;
    file.write()?;
    go_on(client.list_with_device().await)?;
    look(client).await?;
    go_on(client.ask(&first_log_page()).await)?;
    go_on(client.list_settings().await)?;
    go_on(client.list_devices(&ListDevices::default()).await)?;
    file.write()?;
    let tasks = tasks.map(|read| read.value.tasks).unwrap_or_default();
    for task in tasks.iter().take(MOST_VERSION_LISTS) {
        go_on(client.list_versions(task.id).await)?;
    }
    file.write()?;
    // The first round may take long; the time to watch counts from its end.
    let until = Instant::now() + plan.watch;
    let polled = ListTasks {
        load_versions: false,
        load_verify_status: false,
        ..everything
    };
    while Instant::now() + plan.interval <= until {
        tokio::time::sleep(plan.interval).await;
        go_on(client.list_tasks(&polled).await)?;
        look(client).await?;
        file.write()?;
    }
    Ok(())
}

/// What changes while something runs.
async fn look(client: &Client) -> Result<(), RecordError> {
    go_on(client.list_activity().await)?;
    let page = ListResults {
        offset: Some(0),
        limit: Some(PAGE),
        ..ListResults::default()
    };
    go_on(client.list_results(&page).await)?;
    Ok(())
}

fn first_log_page() -> Invocation {
    let page = Extra::from([("offset".to_owned(), json!(0)), ("limit".to_owned(), json!(PAGE))]);
    Invocation::new("SYNO.ActiveBackup.Log", "list_log", None, &page)
        .expect("the names are letters, dots and underscores")
}

/// An answer that cannot be used is worth recording too; without a session or a connection there is nothing to record.
fn go_on<T>(read: Result<T, Error>) -> Result<Option<T>, RecordError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(
            error @ (Error::LoginRefused { .. }
            | Error::CertificateRejected { .. }
            | Error::Configuration { .. }
            | Error::Unreachable { .. }),
        ) => Err(RecordError::Ask(error)),
        Err(_) => Ok(None),
    }
}
