//! Settings files.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|given: &str| photond_fuzz::settings(given));
