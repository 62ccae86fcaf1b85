//! `cloverleaf-router`: a thin binary around the library.
//!
//! With the system's allocator: the data path does not allocate, and the table takes less memory with it than with
//! allocators that are made for many threads (docs/performance.md).

use std::process::ExitCode;

fn main() -> ExitCode {
    cloverleaf_router::cli::run(std::env::args_os().skip(1))
}
