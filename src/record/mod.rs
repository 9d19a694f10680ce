//! Recordings of what a NAS answers, fit to be shown to others, and their replay.
//!
//! `redact` takes out everything personal before anything is kept. Nothing here changes a NAS: a recording is made of
//! reading calls only.

pub mod redact;
