//! The `photond` binary.
fn main() {}
