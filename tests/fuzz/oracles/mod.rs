//! What must hold of every answer, whatever is in it. Each oracle is one function over bytes that panics where it does
//! not hold; the fuzz targets feed it what they find, `tests/properties` what it generates.

pub mod catalogue;
pub mod envelope;
pub mod error_bodies;
pub mod list_with_device;
pub mod mutate;
pub mod redaction;
pub mod reference;
pub mod results;
pub mod status_read_back;
pub mod task_list;
pub mod visible;
