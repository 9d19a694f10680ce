//! The figures of scale: `cargo bench --bench scale`. On the real API server and etcd, with the simulated NAS in a process
//! of its own, it measures what the operator costs beside the least loop that does the same (`floor`) and beside the
//! API server's own ceiling, prints one table and writes one JSON file. Counts come from the audit log and from the
//! NAS's ledger and list of requests; where a clock is used, the arms take turns and the ratio is judged.
//!
//! `SCALE_OPERATOR` names the binary to measure (that of this build otherwise), `SCALE_ONLY` the sections, separated by
//! commas; `SCALE_JSON` and `SCALE_PLOT` say where to write, and `SCALE_DOCS=docs/scaling.md` puts the table into the
//! documentation. All sizes are in `settings`.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../e2e/harness/mod.rs"]
mod harness;

mod arm;
mod audit;
mod burst;
mod floor;
mod gone;
mod ground;
mod markdown;
mod nas;
mod objects;
mod plot;
mod report;
mod sections;
mod settings;
mod sockets;
mod stats;
mod witness;

use std::{panic::AssertUnwindSafe, process::ExitCode, time::Instant};

use futures::FutureExt;
use report::Report;
use settings::Settings;

fn main() -> ExitCode {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    abb_operator::install_crypto();
    // The processes beside the bench are this program again.
    match std::env::var(nas::ROLE).as_deref() {
        Ok(nas::HOST) => runtime().block_on(nas::host()),
        Ok(floor::FLOOR) => runtime().block_on(floor::run()),
        _ => {}
    }
    // `cargo test --benches` runs this without it.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("the figures of scale are made with `cargo bench --bench scale`");
        return ExitCode::SUCCESS;
    }
    let settings = Settings::from_environment();
    if runtime().block_on(measure(&settings)) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Carries out the sections; whether all came to an end. A figure beyond its limit is a verdict, not a failure.
async fn measure(settings: &Settings) -> bool {
    let begun = Instant::now();
    let mut report = Report::new(settings);
    let mut complete = true;
    for section in sections::ALL.iter().filter(|section| settings.wants(section)) {
        println!("{section} …");
        let started = Instant::now();
        let measured = AssertUnwindSafe(sections::measure(section, settings, &mut report))
            .catch_unwind()
            .await;
        if let Err(panic) = measured {
            complete = false;
            report.broke(section, &panic_message(&*panic));
        }
        println!("{section}: {} s", started.elapsed().as_secs());
        // A later section may take the process down; what was measured stays.
        report.write();
    }
    report.document();
    println!("\n{}\n{} s", report.table(), begun.elapsed().as_secs());
    complete
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic".to_owned())
}
