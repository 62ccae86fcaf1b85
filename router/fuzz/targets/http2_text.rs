#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cloverleaf_router_fuzz::http2_text::check(data));
