//! Proof that nothing is missed: random operations, kills at every moment, wounds, and an oracle that
//! shares no code with photond.
//!
//! Short in `make test`, long in `make torture` (see the Makefile for the numbers, which are read
//! from the environment). Every trial logs its seed; `PHOTOND_SEED` repeats it.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod anatomy;
mod content;
mod converge;
#[allow(dead_code)]
#[path = "../daemon/env.rs"]
mod env;
mod kills;
mod mutations;
mod oracle;
mod places;
mod rng;
mod samples;
mod seeds;
mod soak;
mod strict;
mod tree;
mod world;
mod wounds;
