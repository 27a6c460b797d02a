//! What containers of all formats say before anything is decoded.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: photond_fuzz::contain_panics_of_decoders(),
    |bytes: &[u8]| -> libfuzzer_sys::Corpus { photond_fuzz::container(bytes, "tga") }
);
