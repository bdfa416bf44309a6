//! `certificate_serial` of this crate under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatelodge_proto_fuzz::certificate_serial(data);
});
