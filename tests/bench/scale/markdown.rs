//! The figures as a table of the documentation: what stands between two marks of the page is replaced, so that no number
//! there was typed.

use std::{fs, path::Path};

const BEGIN: &str = "<!-- scale: begin -->\n";
const END: &str = "<!-- scale: end -->";

/// Puts a text between the marks of a page.
///
/// # Panics
/// When the page or its marks are missing.
pub fn replace(page: &Path, text: &str) {
    let old = fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let parts = old.split_once(BEGIN);
    let parts = parts.and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{} has no marks", page.display()));
    fs::write(page, format!("{before}{BEGIN}{text}{END}{after}")).unwrap();
}

/// A cell: nothing in it may end it.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
