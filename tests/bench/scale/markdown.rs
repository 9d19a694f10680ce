//! The figures as tables of the documentation: what stands between the two marks of a section is replaced, so that no number
//! there was typed.

use std::{fs, path::Path};

/// Puts a text between the marks of a section.
///
/// # Panics
/// When the page or its marks are missing.
pub fn replace(page: &Path, section: &str, text: &str) {
    let (begin, end) = (
        format!("<!-- scale {section}: begin -->\n"),
        format!("<!-- scale {section}: end -->"),
    );
    let old = fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let parts = old.split_once(&begin);
    let parts = parts.and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{} has no marks of {section}", page.display()));
    fs::write(page, format!("{before}{begin}{text}{end}{after}")).unwrap();
}

/// A cell: nothing in it may end it.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
