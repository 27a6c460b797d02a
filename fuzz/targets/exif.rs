//! EXIF blocks.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: photond_fuzz::contain_panics_of_decoders(),
    |bytes: &[u8]| photond_fuzz::exif(bytes)
);
