//! `cloverleaf-router`: a thin binary around the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cloverleaf_router::cli::run(std::env::args_os().skip(1))
}
