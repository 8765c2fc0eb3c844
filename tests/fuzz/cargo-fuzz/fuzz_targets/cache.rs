//! The target `cache` on libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sbpf_fuzz::check("cache", input));
