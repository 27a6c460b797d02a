//! End to end: the real binary, a real SQLite file, a real watcher, images made here.
//!
//! Tests wait for conditions, never for time; a wait that ends without its condition fails.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod asking;
mod assistant;
mod bad_input;
mod detecting;
mod durable;
mod env;
mod faults;
#[allow(dead_code)]
#[path = "../../src/model/testing/graphs.rs"]
mod graphs;
#[path = "../../src/model/install/hostile.rs"]
mod hostile;
mod in_picture;
mod indexing;
mod lan;
mod metrics;
mod models;
mod names;
mod pairs;
mod people;
mod places;
mod roots;
mod saying;
mod searching;
mod service;
mod serving;
mod sidecars;
mod stopping;
mod switching;
mod tags;
mod terminal;
mod trials;
mod verify;
mod watching;
