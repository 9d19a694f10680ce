//! What the chart renders, what its schema refuses. Helm is the real one; what it renders is looked at as objects.
//!
//! `UPDATE_CHART=1 cargo test --test packaging chart` brings up to date what is made from other files: the copies of
//! `crds/`, the part of the schema that comes from them, and the table of values in the chart's README.

mod helm;
mod made;
mod refusals;
mod rights;
mod sets;
mod structure;
mod values;

pub(crate) use helm::{Chart, Object, objects};
