use proptest::prelude::*;

use super::*;

fn document(text: &str) -> Document {
    match parse(text) {
        Ok(document) => document,
        Err(problem) => panic!("{problem}"),
    }
}

#[test]
fn every_value_knows_its_line_and_its_text() {
    let document = document("a: 022\nb:\n  c: |\n    one\n    two\n  d: [x, 'y']\n# end\n");
    let find = |path: &str| document.find(path).expect("there");
    assert_eq!((find("a").line, find("a").text()), (1, Some("022")));
    assert_eq!(
        (find("b.c").line, find("b.c").text()),
        (3, Some("one\ntwo\n"))
    );
    assert_eq!((find("b.d[1]").line, find("b.d[1]").text()), (6, Some("y")));
    assert_eq!(document.find("b.d[2]"), None);
    assert_eq!(document.find("a.c"), None);
    assert_eq!(document.find("b.d[x]"), None);
}

#[test]
fn quotes_and_tags_decide_whether_a_scalar_is_plain() {
    let document = document("[80, '80', !!str 80, !!int '80', null, '', ~, 'null']");
    let Content::List(items) = &document.root.content else {
        panic!("no list");
    };
    let plain: Vec<Option<bool>> = items
        .iter()
        .map(|item| match item.content {
            Content::Scalar { plain, .. } => Some(plain),
            _ => None,
        })
        .collect();
    assert_eq!(
        plain,
        [
            Some(true),
            Some(false),
            Some(false),
            Some(true),
            None,
            Some(false),
            None,
            Some(false)
        ]
    );
}

#[test]
fn an_empty_text_is_an_empty_document() {
    for text in ["", "\n", "# only a comment", "---", "\u{feff}"] {
        assert_eq!(document(text).root.content, Content::Null, "{text:?}");
    }
}

#[test]
fn duplicate_keys_are_reported_with_both_lines_and_the_first_counts() {
    let document = document("a: 1\nb:\n- x: 1\n  y: 2\n  x: 3\na: 2\n");
    let problems: Vec<String> = document.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "line 5: b[0].x: is given twice; expected one value; the first is in line 3",
            "line 6: a: is given twice; expected one value; the first is in line 1",
        ]
    );
    assert_eq!(document.find("a").and_then(Node::text), Some("1"));
}

#[test]
fn aliases_and_merges_are_followed() {
    let document = document(
        "base: &base {port: 1, host: a}\nother: *base\nmore:\n  <<: *base\n  port: 2\nboth: {<<: [{x: 1}, *base]}\n",
    );
    let text = |path: &str| document.find(path).and_then(Node::text);
    assert_eq!(text("other.host"), Some("a"));
    assert_eq!(text("more.host"), Some("a"));
    assert_eq!(text("more.port"), Some("2"));
    assert_eq!(text("both.x"), Some("1"));
    assert_eq!(text("both.port"), Some("1"));
    assert_eq!(document.problems, []);
}

#[test]
fn syntax_errors_name_their_line() {
    for (text, line) in [
        ("a: [1", 1),
        ("a: 1\n\tb: 2", 1),
        ("a: 1\nb: *none", 2),
        ("a: 'x", 1),
    ] {
        let problem = parse(text).expect_err(text);
        assert!(
            problem.line.is_some_and(|found| found >= line),
            "{text:?}: {problem}"
        );
        assert!(
            problem.found.contains("cannot be read as YAML"),
            "{problem}"
        );
    }
}

#[test]
fn deep_nesting_is_refused_also_through_aliases() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(parse(&deep).expect_err("deep").found.contains("nested"));
    assert!(parse(&"[".repeat(100_000)).is_err());
    assert!(parse(&format!("{}{}", "[".repeat(60), "]".repeat(60))).is_ok());
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for i in 1..100 {
        chain.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
    }
    assert!(parse(&chain).expect_err("chain").found.contains("nested"));
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut text = format!("a0: &a0 {}\n", "x".repeat(1000));
    for i in 1..20 {
        let many = vec![format!("*a{}", i - 1); 10].join(", ");
        text.push_str(&format!("a{i}: &a{i} [{many}]\n"));
    }
    assert!(parse(&text).expect_err("bomb").found.contains("too large"));
}

#[test]
fn an_alias_inside_its_own_value_is_refused() {
    assert!(parse("a: &a [*a]").is_err());
}

#[test]
fn a_map_as_a_key_is_refused() {
    assert!(
        parse("? {a: 1}\n: 2\n")
            .expect_err("key")
            .found
            .contains("stands as a key")
    );
}

#[test]
fn only_the_first_document_is_read_and_that_is_noted() {
    let document = document("a: 1\n---\na: 2\n");
    assert_eq!(document.find("a").and_then(Node::text), Some("1"));
    assert_eq!(document.notices.len(), 1);
    assert_eq!(document.notices[0].line, Some(2));
}

#[test]
fn windows_line_ends_are_taken() {
    let document = document("a: 1\r\nb: |\r\n  x\r\n  y\r\n");
    assert_eq!(document.find("b").and_then(Node::text), Some("x\ny\n"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-c0-9:,?&*!|>%@'\"{}<\\[\\]# \n\té]{0,60}") {
        if let Ok(document) = parse(&text) {
            // Whatever was read can be walked.
            prop_assert!(document.find("a.b[0].c").is_none_or(|node| node.line > 0));
        }
    }

    #[test]
    fn what_is_quoted_is_read_back(value in any::<String>()) {
        let quoted = value
            .chars()
            .map(|c| format!("\\U{:08x}", u32::from(c)))
            .collect::<String>();
        let document = parse(&format!("a: \"{quoted}\"")).expect("YAML");
        prop_assert_eq!(document.find("a").and_then(Node::text), Some(value.as_str()));
    }
}
