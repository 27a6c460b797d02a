//! Messages of a decoding process.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|given: &[u8]| photond_fuzz::reply(given));
