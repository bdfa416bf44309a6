//! `find_frame` of this crate under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatelodge_proto_fuzz::find_frame(data);
});
