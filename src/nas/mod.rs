//! The only way to a NAS: reads, and mutations that are sent at most once.
//!
//! Requests are values (`request`), answers are parsed from bytes (`lenient`, `wire`), and what is between them only
//! moves bytes (`transport`, `armed`). Nothing here decides what should be done, retries a mutation, or knows
//! Kubernetes. The inventory uses the reads, the actor uses [`Client::arm`]; both get errors sorted by meaning,
//! decided on codes and never on message text.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that cannot go on has to panic")
)]

mod advice;
mod answer;
mod armed;
mod call;
mod carrier;
mod client;
mod code;
mod codes;
mod error;
mod intake;
mod lenient;
mod login;
pub mod methods;
mod model;
mod probe;
pub mod reach;
mod records;
mod request;
mod session;
mod settings;
mod tap;
mod tls;
mod transport;
pub mod visible;
pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use advice::{explain, explain_answer};
pub use answer::{Answer, Exchange, UnknownWhy, classify_mutation};
pub use armed::Armed;
pub use call::Invocation;
pub use carrier::{Carried, Carrier, SharedCarrier};
pub use client::{CallRecord, Client, Observer, Read, entry_address};
pub use code::{Context, Meaning};
pub use codes::OneTimeCodes;
pub use error::{Call, Cause, Error};
pub use login::{is_seed, login_route};
pub use model::{
    Activity, ActivityList, ApiEntry, Catalogue, Device, DeviceTask, DeviceTaskList, DsmInfo, LogPage,
    LogRow, Progress, ResultDevice, ResultId, ResultPage, ResultRow, Task, TaskId, TaskList, UniqueKey,
    Version, VersionList, job_action, log_type, status,
};
pub use probe::{Capabilities, Capability};
pub use records::{DetailRow, DeviceRecord, Open, OpenList, Package, Part, Setting, Transfer};
pub use request::siblings::{DeleteVersions, DeviceFilter, ListDevices, ListResultDetail, ListTransfers};
pub use request::tasks::{
    CancelWaiting, CheckFolder, CreateTask, CreateVm, DefaultTaskName, Extra, RetentionPolicy, Schedule,
    SetTasks, VirtualMachine, VmCheck,
};
pub use request::{ListResults, ListTasks, Mutation, TaskFilter};
pub use settings::{Credentials, Endpoint, RememberedDevice, Trust, parse_fingerprint};
pub use tap::{RawAnswer, RawExchange, Tap};
pub use wire::{TaskListEnd, TaskSink};
