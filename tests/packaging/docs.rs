//! Documentation that is made from the code, or compared with it.

mod markdown;
mod reference;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_reference_is_made_from_the_code() {
    let path = format!("{ROOT}/docs/reference.md");
    let fresh = reference::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == fresh,
        "docs/reference.md is out of date: run UPDATE_DOCS=1 cargo test --test packaging docs"
    );
}
