//! The whole API over HTTP: each method and each parameter that is known of it against the simulated NAS, with the exact
//! bytes of each request; the table in the documents; the text of each class of failure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cells;
mod docs;
mod errors;
mod nas;
mod siblings;
mod tasks;
