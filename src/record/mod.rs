//! Recordings of what a NAS answers, fit to be shown to others.
//!
//! `redact` takes out everything personal before anything is kept, `trace` is the file, `recorder` asks. Nothing here
//! changes a NAS: a recording is made of reading calls only. The simulator serves a recording again.

mod recorder;
pub mod redact;
mod trace;

pub use recorder::{Plan, RecordError, record};
pub use trace::{DsmHeader, Exchange, FORMAT, Header, Trace, TraceError};
