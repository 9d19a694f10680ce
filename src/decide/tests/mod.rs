//! The tables over `decide`, one file for each subject: a row is a sentence, with what is given and what is
//! expected of it. Every row is also fed back into `decide`: a pass over what it has just written is quiet.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    clippy::wildcard_imports,
    reason = "a table reads best without the paths of what every row names"
)]

mod cancel;
mod edges;
mod fixtures;
mod freshness;
mod purity;
mod queue;
mod readiness;
mod removal;
mod requests;
mod results;
mod retries;
mod running;
mod schedule;
mod settle;
mod standing;
