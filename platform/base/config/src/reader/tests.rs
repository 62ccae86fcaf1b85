use crate::{Document, Reader, section};

section! {
    /// A pair of keys.
    pub struct Pair {
        /// One.
        left: u16 => Works,
        /// Two.
        right: Vec<String> => Works,
    }
}

#[test]
fn a_check_names_the_value_in_the_file_or_says_that_it_is_not_there() {
    let document = Document::parse("left: 5\nright:\n- a\n- b\n").expect("YAML");
    let (_, mut reader) = Reader::read::<Pair>(&document);
    reader.refuse("left", "6");
    reader.refuse("right[1]", "c");
    reader.refuse("right[1].deeper", "a map");
    reader.refuse("elsewhere", "anything");
    let report = reader.finish("pair.yml").report.expect("problems");
    assert_eq!(
        report.to_string(),
        "pair.yml has 4 problems:\n  line 1: left: 5; expected 6\n  line 4: right[1]: b; expected c\n  line 4: right[1].deeper: not set; expected a map\n  elsewhere: not set; expected anything"
    );
}

#[test]
fn a_waived_key_has_no_problem_any_more() {
    let document = Document::parse("left: x").expect("YAML");
    let (_, mut reader) = Reader::read::<Pair>(&document);
    assert!(reader.has_problem("left"));
    reader.waive("left");
    assert!(!reader.has_problem("left"));
    assert_eq!(reader.finish("pair.yml").report, None);
}

#[test]
fn indexes_are_those_of_the_file() {
    let document = Document::parse("right: ['', a, null, b]").expect("YAML");
    let (pair, reader) = Reader::read::<Pair>(&document);
    assert_eq!(pair.right, ["a", "b"]);
    assert_eq!(reader.indexes("right"), [1, 3]);
    assert!(reader.indexes("left").is_empty());
}

#[test]
fn only_values_that_say_something_count_as_set() {
    let document = Document::parse("left: null\nright: []").expect("YAML");
    let (_, reader) = Reader::read::<Pair>(&document);
    assert!(!reader.is_set("left"));
    assert!(!reader.is_set("right"));
    assert!(!reader.is_set("nothing.at.all"));
}
