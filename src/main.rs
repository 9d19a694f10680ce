//! probe
fn main() {
    for (_, y) in abb_operator::api::definitions_yaml().expect("x") { print!("{y}"); }
}
