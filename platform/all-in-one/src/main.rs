//! `cloverleaf`: every service in one process.

mod demo;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Cloverleaf: the routing tier of Cloud Foundry in one binary.
#[derive(Debug, Parser)]
#[command(name = "cloverleaf", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
}

fn main() -> ExitCode {
    let Command::Up(up) = Arguments::parse().command;
    match up.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cloverleaf: {error:#}");
            ExitCode::FAILURE
        }
    }
}
