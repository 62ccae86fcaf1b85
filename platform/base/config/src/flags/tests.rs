use super::*;

const FLAGS: Flags = Flags {
    program: "router",
    about: "routes",
    examples: &[("router -c a.yml", "run"), ("router", "run with defaults")],
    flags: &[
        Flag {
            name: "c",
            kind: FlagKind::Text("FILE"),
            help: "configuration file",
        },
        Flag {
            name: "check",
            kind: FlagKind::Switch,
            help: "check only",
        },
        Flag {
            name: "syncInterval",
            kind: FlagKind::Duration,
            help: "between syncs",
        },
        Flag {
            name: "retries",
            kind: FlagKind::Number,
            help: "how often",
        },
    ],
};

fn parse(arguments: &[&str]) -> Result<Parsed, Outcome> {
    FLAGS.parse(arguments)
}

fn refused(arguments: &[&str]) -> String {
    let outcome = parse(arguments).expect_err("refused");
    assert_eq!(outcome.code, 2);
    assert!(outcome.text.ends_with(&FLAGS.usage()), "{}", outcome.text);
    outcome.text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn values_come_behind_a_blank_or_an_equals_sign_with_one_dash_or_two() {
    for arguments in [
        &["-c", "a.yml"][..],
        &["-c=a.yml"],
        &["--c", "a.yml"],
        &["--c=a.yml"],
    ] {
        assert_eq!(parse(arguments).expect("valid").text("c"), Some("a.yml"));
    }
    assert_eq!(
        parse(&["-c", "-check"]).expect("valid").text("c"),
        Some("-check")
    );
    assert_eq!(parse(&["-c="]).expect("valid").text("c"), Some(""));
    assert_eq!(parse(&["-c=a=b"]).expect("valid").text("c"), Some("a=b"));
    assert_eq!(
        parse(&["-c", "a", "-c", "b"]).expect("valid").text("c"),
        Some("b")
    );
    assert_eq!(parse(&[]).expect("valid").text("c"), None);
}

#[test]
fn switches_stand_alone_or_take_a_boolean() {
    for (argument, on) in [
        ("-check", true),
        ("-check=true", true),
        ("--check=T", true),
        ("-check=0", false),
    ] {
        assert_eq!(
            parse(&[argument]).expect("valid").is_on("check"),
            on,
            "{argument}"
        );
    }
    assert!(!parse(&[]).expect("valid").is_on("check"));
    assert_eq!(
        refused(&["-check=maybe"]),
        "invalid value \"maybe\" for flag -check: expected true or false"
    );
}

#[test]
fn durations_and_numbers_are_checked() {
    let parsed = parse(&["-syncInterval=1m30s", "-retries", "-2"]).expect("valid");
    assert_eq!(
        parsed.duration("syncInterval"),
        Some(GoDuration::from_nanoseconds(90_000_000_000))
    );
    assert_eq!(parsed.number("retries"), Some(-2));
    assert!(refused(&["-syncInterval", "15"]).contains("expected a duration"));
    assert!(refused(&["-retries=x"]).contains("expected a whole number"));
}

#[test]
fn flags_end_at_the_first_other_argument() {
    let parsed = parse(&["-check", "file", "-c", "x"]).expect("valid");
    assert_eq!(parsed.rest, ["file", "-c", "x"]);
    assert_eq!(parsed.text("c"), None);
    assert_eq!(parse(&["--", "-c"]).expect("valid").rest, ["-c"]);
    assert_eq!(parse(&["-"]).expect("valid").rest, ["-"]);
}

#[test]
fn mistakes_are_code_2_with_the_usage() {
    assert_eq!(refused(&["-x"]), "flag provided but not defined: -x");
    assert_eq!(
        refused(&["--config=a"]),
        "flag provided but not defined: -config"
    );
    assert_eq!(refused(&["-c"]), "flag needs an argument: -c");
    assert_eq!(refused(&["-=x"]), "bad flag syntax: -=x");
    assert_eq!(refused(&["---c"]), "bad flag syntax: ---c");
}

#[test]
fn help_is_code_0_and_shows_everything() {
    for flag in ["-h", "--h", "-help", "--help"] {
        let outcome = parse(&[flag]).expect_err("help");
        assert_eq!(outcome.code, 0);
        assert_eq!(
            outcome.text,
            "\
router: routes

Usage:
  router -c a.yml  run
  router           run with defaults

Flags (one dash or two; -name value or -name=value):
  -c FILE                 configuration file
  -check                  check only
  -syncInterval DURATION  between syncs
  -retries NUMBER         how often
  -h                      print this text
"
        );
    }
}
