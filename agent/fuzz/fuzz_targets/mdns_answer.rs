//! `mdns_answer` of this crate under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatelodge_agent_fuzz::mdns_answer(data);
});
