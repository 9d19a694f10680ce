//! probe
fn main(){}
