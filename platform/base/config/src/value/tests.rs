use crate::{Document, section};

use super::*;

section! {
    /// One key of each type.
    pub struct All {
        /// A switch.
        switch: bool = true => Works,
        /// A port.
        port: u16 = 8080 => Works,
        /// A signed number.
        signed: i32 = -1 => Works,
        /// A count.
        count: usize = 2 => Works,
        /// A number.
        number: f64 = 0.5 => Works,
        /// Text.
        text: String = "default".to_owned() => Works,
        /// A time.
        time: Duration = Duration::from_secs(60) => Works,
        /// Names.
        names: Vec<String> = vec!["one".to_owned()] => Works,
        /// Numbers.
        numbers: Vec<f64> => Works,
    }
}

fn read(text: &str) -> (All, Vec<String>, Vec<String>) {
    let document = Document::parse(text).expect("YAML");
    let (all, reader) = Reader::read::<All>(&document);
    let reading = reader.finish("test.yml");
    let problems = reading.report.map_or(Vec::new(), |report| {
        report.problems().iter().map(ToString::to_string).collect()
    });
    let notes = reading.notes.iter().map(ToString::to_string).collect();
    (all, problems, notes)
}

/// What a good text makes of the defaults.
fn good(text: &str) -> All {
    let (all, problems, _) = read(text);
    assert_eq!(problems, [""; 0], "{text}");
    all
}

/// The only problem of a bad text, whose key stays at its default.
fn bad(text: &str) -> String {
    let (all, mut problems, _) = read(text);
    assert_eq!(all, All::default(), "{text}");
    assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    problems.remove(0)
}

#[test]
fn null_and_empty_values_leave_the_default() {
    for value in ["", "null", "~", "''", "[]", "{}"] {
        let text = format!(
            "switch: {value}\nport: {value}\nsigned: {value}\ncount: {value}\nnumber: {value}\ntime: {value}\n"
        );
        assert_eq!(good(&text), All::default(), "{value}");
    }
    assert_eq!(good("text:\nnames:"), All::default());
    assert_eq!(good("text: ''\nnames: ''").text, "");
    assert_eq!(good("names: []").names, [""; 0]);
}

#[test]
fn booleans() {
    assert!(!good("switch: false").switch);
    assert!(!good("switch: no").switch);
    assert!(!good("switch: 'off'").switch);
    assert_eq!(
        bad("switch: 'false'"),
        "line 1: switch: \"false\"; expected true or false, without quotes"
    );
    assert_eq!(
        bad("switch: 0"),
        "line 1: switch: 0; expected true or false, without quotes"
    );
    assert_eq!(
        bad("switch: [true]"),
        "line 1: switch: a list of one value; expected true or false, without quotes"
    );
}

#[test]
fn whole_numbers() {
    assert_eq!(good("port: 0x50").port, 80);
    assert_eq!(good("signed: -7").signed, -7);
    assert_eq!(
        bad("port: -1"),
        "line 1: port: -1; expected a whole number from 0 to 65535"
    );
    assert_eq!(
        bad("port: 65536"),
        "line 1: port: 65536; expected a whole number from 0 to 65535"
    );
    assert_eq!(
        bad("port: 80.5"),
        "line 1: port: 80.5; expected a whole number from 0 to 65535"
    );
    assert_eq!(
        bad("port: '80'"),
        "line 1: port: \"80\"; expected a whole number from 0 to 65535, without quotes"
    );
    assert_eq!(
        bad("port: {a: 1}"),
        "line 1: port: a map; expected a whole number from 0 to 65535"
    );
}

#[test]
fn a_negative_count_is_zero_with_a_notice() {
    let (all, problems, notes) = read("count: -5");
    assert_eq!((all.count, problems.len()), (0, 0));
    assert_eq!(notes, ["line 1: count: is negative, taken as 0"]);
    assert!(bad("count: 9223372036854775808").contains("from 0 to 9223372036854775807"));
}

#[test]
fn numbers() {
    assert_eq!(good("number: 1e-3").number, 0.001);
    assert_eq!(
        good("numbers: [1, 2.5, 10_000]").numbers,
        [1.0, 2.5, 10_000.0]
    );
    assert_eq!(
        bad("number: .inf"),
        "line 1: number: .inf; expected a number"
    );
    assert_eq!(
        bad("number: '1.5'"),
        "line 1: number: \"1.5\"; expected a number, without quotes"
    );
}

#[test]
fn text_takes_numbers_as_they_are_written() {
    assert_eq!(good("text: 022").text, "022");
    assert_eq!(good("text: true").text, "true");
    assert_eq!(good("text: 1.50").text, "1.50");
    assert_eq!(
        bad("text: [a, b]"),
        "line 1: text: a list of 2 values; expected text"
    );
}

#[test]
fn durations() {
    assert_eq!(good("time: 1m30s").time, Duration::from_secs(90));
    assert_eq!(good("time: '200ms'").time, Duration::from_millis(200));
    assert_eq!(good("time: 0").time, Duration::ZERO);
    assert_eq!(good("time: 15").time, Duration::from_nanos(15));
    assert_eq!(
        bad("time: '15'"),
        "line 1: time: \"15\"; expected a duration such as 500ms, 30s or 1m30s (the unit is missing)"
    );
    assert!(bad("time: 3000000h").contains("longer than 292 years"));
    assert!(
        bad("time: 99999999999999999999").contains("longer")
            || bad("time: 99999999999999999999").contains("unit")
    );
}

#[test]
fn a_problem_in_a_list_names_its_entry_and_empty_entries_are_left_out() {
    assert_eq!(good("names: [a, '', null, b]").names, ["a", "b"]);
    let (_, problems, _) = read("numbers:\n- 1\n- x\n");
    assert_eq!(problems, ["line 3: numbers[1]: x; expected a number"]);
    assert_eq!(bad("names: one"), "line 1: names: one; expected a list");
}

#[test]
fn long_values_are_cut() {
    let problem = bad(&format!("port: {}", "9".repeat(200)));
    assert!(
        problem.contains(&format!("\"{}…\"", "9".repeat(60))),
        "{problem}"
    );
}
