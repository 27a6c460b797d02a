//! End to end: the real binary, a real SQLite file, a real watcher, images made here.
//!
//! Tests wait for conditions, never for time; a wait that ends without its condition fails.

mod bad_input;
mod env;
mod indexing;
mod stopping;
mod watching;
