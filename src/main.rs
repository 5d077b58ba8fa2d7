//! The `wamplet` command.

fn main() {}
