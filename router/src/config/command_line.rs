//! The router's flags.

use std::ffi::OsString;
use std::path::PathBuf;

use cloverleaf_config::{Flag, FlagKind, Flags, Outcome};

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arguments {
    /// The configuration file; none for the built-in defaults.
    pub config: Option<PathBuf>,
    /// Whether to check the configuration and end.
    pub check: bool,
}

const FLAGS: Flags = Flags {
    program: "cloverleaf-router",
    about: "HTTP router of Cloud Foundry's routing tier, a drop-in for GoRouter",
    examples: &[
        (
            "cloverleaf-router -c gorouter.yml",
            "run with GoRouter's configuration",
        ),
        (
            "cloverleaf-router -c gorouter.yml -check",
            "say what is wrong with it, start nothing",
        ),
        (
            "cloverleaf-router",
            "run with the defaults: NATS on localhost:4222, HTTP on port 8081",
        ),
    ],
    flags: &[
        Flag {
            name: "c",
            kind: FlagKind::Text("FILE"),
            help: "configuration file, YAML with GoRouter's keys",
        },
        Flag {
            name: "check",
            kind: FlagKind::Switch,
            help: "print every problem and note about the configuration; exit 0 when it is good, else 1",
        },
    ],
};

impl Arguments {
    /// Reads the arguments, the program's own name left out.
    ///
    /// # Errors
    /// What to print to standard error and the exit code: for `-h`, and for mistakes. An argument
    /// that is no flag is one of them: GoRouter ignores it, and then runs without the file that
    /// was meant.
    pub fn parse<I>(arguments: I) -> Result<Self, Outcome>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let parsed = FLAGS.parse(arguments)?;
        if let Some(unexpected) = parsed.rest.first() {
            return Err(Outcome {
                text: format!(
                    "unexpected argument: {unexpected} (a file is given with -c)\n\n{}",
                    FLAGS.usage()
                ),
                code: 2,
            });
        }
        Ok(Self {
            config: parsed
                .text("c")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            check: parsed.is_on("check"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_given_in_every_way_that_go_takes() {
        for arguments in [
            &["-c", "gorouter.yml"][..],
            &["-c=gorouter.yml"],
            &["--c", "gorouter.yml"],
            &["--c=gorouter.yml"],
        ] {
            let parsed = Arguments::parse(arguments).expect("valid");
            assert_eq!(parsed.config, Some(PathBuf::from("gorouter.yml")));
            assert!(!parsed.check);
        }
        assert_eq!(Arguments::parse([""; 0]), Ok(Arguments::default()));
    }

    #[test]
    fn check_is_a_switch() {
        assert!(Arguments::parse(["-check"]).expect("valid").check);
        assert!(!Arguments::parse(["-check=false"]).expect("valid").check);
    }

    #[test]
    fn an_unknown_flag_or_a_bare_file_is_code_2_and_help_is_code_0() {
        assert_eq!(
            Arguments::parse(["-config", "x"])
                .expect_err("unknown")
                .code,
            2
        );
        assert_eq!(
            Arguments::parse(["gorouter.yml"]).expect_err("bare").code,
            2
        );
        let help = Arguments::parse(["-h"]).expect_err("help");
        assert_eq!(help.code, 0);
        assert!(help.text.contains("-c FILE"), "{}", help.text);
    }
}
