#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cloverleaf_router_fuzz::session_cookies::check(data));
