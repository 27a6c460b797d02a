//! Dates, places and sentences of queries.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|given: &str| photond_fuzz::query(given));
