//! Files of one format, through `inspect`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use photond::photo::Format;

fuzz_target!(
    init: photond_fuzz::contain_panics_of_decoders(),
    |bytes: &[u8]| -> libfuzzer_sys::Corpus { photond_fuzz::inspect(bytes, "tif", Format::Tiff) }
);
