use crate::{Document, Reader, Status, Value, choice, rows};

choice! {
    /// A mode.
    pub enum Mode {
        /// Nothing.
        #[default]
        Off = "off-mode",
        /// Everything.
        On = "on-mode",
    }
}

section! {
    /// The top.
    pub struct Top {
        "First" {
            /// How it works,
            /// in two lines.
            mode: Mode => Works,
            /// A renamed key.
            r#type: String => Works also "kind",
            /// A part that comes later.
            part: Part => Later,
        }
        "Second" {
            /// Entries.
            entries: Vec<Part> => Later shown "required",
            /// Not needed.
            nothing: u16 = 1 => Accepted("it is not needed"),
        }
    }
}

section! {
    /// A part.
    pub struct Part {
        /// A number.
        number: u16 = 7 => Works,
        /// A password.
        pass: String => Works,
    }
}

fn read(text: &str) -> (Top, crate::Reading) {
    let document = Document::parse(text).expect("YAML");
    let (top, reader) = Reader::read::<Top>(&document);
    (top, reader.finish("test.yml"))
}

fn keys(notices: &[crate::Notice]) -> Vec<&str> {
    notices.iter().map(|notice| notice.key.as_str()).collect()
}

#[test]
fn a_section_fills_its_struct_and_leaves_the_rest_at_the_defaults() {
    let (top, reading) = read("mode: on-mode\nkind: t\nentries:\n- number: 1\n- {}\n");
    assert_eq!(reading.report, None);
    assert_eq!(top.mode, Mode::On);
    assert_eq!(top.r#type, "t");
    assert_eq!(
        top.entries,
        [
            Part {
                number: 1,
                ..Part::default()
            },
            Part::default()
        ]
    );
    assert_eq!(top.part.number, 7);
}

#[test]
fn the_first_name_of_a_key_wins() {
    assert_eq!(read("kind: old\ntype: new").0.r#type, "new");
    assert_eq!(read("kind: old\ntype: null").0.r#type, "old");
}

#[test]
fn a_sections_status_holds_for_its_keys_and_a_lists_once() {
    let (_, reading) =
        read("part: {number: 8, pass: x}\nentries: [{number: 1}, {number: 2}]\nnothing: 2\n");
    assert_eq!(
        keys(&reading.not_yet),
        ["part.number", "part.pass", "entries"]
    );
    assert_eq!(
        reading.notes[0].to_string(),
        "line 3: nothing: has no effect: it is not needed"
    );
}

#[test]
fn a_default_value_in_the_file_is_no_news() {
    let (_, reading) = read("part: {number: 7}\nentries: []\nnothing: 1\nmode: off-mode\n");
    assert_eq!(reading, crate::Reading::default());
}

#[test]
fn a_value_where_a_map_is_needed_is_a_problem_and_its_keys_stay() {
    let (top, reading) = read("part: [1]\nmode: 3\n");
    assert_eq!(top, Top::default());
    let report = reading.report.expect("problems");
    assert_eq!(
        report.to_string(),
        "test.yml has 2 problems:\n  line 1: part: a list of one value; expected a map of keys\n  line 2: mode: 3; expected `off-mode` or `on-mode`"
    );
    assert!(read("just text").1.report.is_some());
}

#[test]
fn debug_redacts_by_name() {
    let (top, _) = read("part: {pass: hunter2, number: 9}");
    let shown = format!("{top:?}");
    assert!(shown.contains("number: 9"), "{shown}");
    assert!(shown.contains("pass: <redacted>"), "{shown}");
}

#[test]
fn the_reference_has_a_row_for_each_key() {
    let rows = rows(Top::KEYS);
    let paths: Vec<&str> = rows.iter().map(|row| row.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "mode",
            "type",
            "part.number",
            "part.pass",
            "entries",
            "entries[].number",
            "entries[].pass",
            "nothing"
        ]
    );
    assert_eq!(rows[0].doc, "How it works, in two lines.");
    assert_eq!(rows[0].kind, "`off-mode` or `on-mode`");
    assert_eq!(rows[0].default, "off-mode");
    assert_eq!(rows[1].also, Some("kind"));
    assert_eq!(
        (rows[2].group.as_str(), rows[2].status),
        ("First", Status::Later)
    );
    assert_eq!(
        (rows[4].kind.as_str(), rows[4].default.as_str()),
        ("list of maps", "required")
    );
    assert_eq!(rows[5].status, Status::Later);
    assert_eq!(rows[7].status, Status::Accepted("it is not needed"));
}

#[test]
fn the_reference_is_a_table_for_each_group() {
    let page = crate::markdown_table(&rows(Top::KEYS));
    assert!(
        page.starts_with("## First\n\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n"),
        "{page}"
    );
    assert!(
        page.contains("| `type` (also `kind`) | text | empty | A renamed key. |\n"),
        "{page}"
    );
    assert!(
        page.contains("| `part.number` | whole number | `7` | A number. **Not yet.** |\n"),
        "{page}"
    );
    assert!(page.contains("\n## Second\n"), "{page}");
    assert!(page.contains("**No effect:** it is not needed."), "{page}");
}
