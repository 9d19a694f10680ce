//! Bytes: of the binary that is measured, and of the image where one was built.

use std::{fs, path::PathBuf};

use crate::{
    report::{Figure, Limit, Report},
    settings::Settings,
};

const MIB: f64 = 1_048_576.0;

pub fn measure(settings: &Settings, report: &mut Report) {
    let bytes = fs::metadata(&settings.operator).unwrap().len();
    report.add(Figure::new("size", "binary", "MiB", vec![mib(bytes)]).limit(Limit::AtMost(8.0)));
    // `.ci/image` leaves the layers below the target directory; elsewhere by SCALE_IMAGE.
    let otherwise = settings
        .json
        .parent()
        .unwrap()
        .join("image/abb-operator.oci/blobs/sha256");
    let blobs = std::env::var_os("SCALE_IMAGE").map_or(otherwise, PathBuf::from);
    if let Ok(blobs) = fs::read_dir(&blobs) {
        let bytes = blobs.flatten().filter_map(|blob| blob.metadata().ok());
        let bytes: u64 = bytes.map(|blob| blob.len()).sum();
        report.add(Figure::new("size", "image", "MiB", vec![mib(bytes)]).limit(Limit::AtMost(10.0)));
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes of files are far below 2^52")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}
