//! What people say of photos: XMP, IPTC, a PNG's texts, names of files.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| photond_fuzz::words(bytes));
