//! The coverage page: every line of the behaviour checklist with its state and what proves it.
//!
//! It is made of `tests/checklist.txt`, the `covers:` comments above tests, and the scenarios that `./test` plays.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use crate::sources::{Source, all, root, rust};

const PAGE: &str = "docs/coverage.md";
const HEAD: &str = "\
<!-- Generated from tests/checklist.txt, the tests and the recorded scenarios. To renew it:
     UPDATE_DOCS=1 cargo test -p cloverleaf-tests --test house coverage -->
# What is covered

What GoRouter does, a line each, and what proves that Cloverleaf does it too. `recorded` names scenarios whose outcome was
recorded from GoRouter and is played against Cloverleaf in every test run; those in brackets allow another outcome as well
(the scenario says why), so they prove a line only together with a test.

";

/// A line of the checklist.
#[derive(Debug)]
struct Line {
    number: String,
    section: String,
    text: String,
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Covered,
    NotYet { area: String, why: String },
    Partly { area: String, why: String },
    Different(String),
}

/// What proves a line.
#[derive(Debug, Default)]
struct Proof {
    tests: BTreeSet<String>,
    recorded: BTreeSet<String>,
    /// Scenarios that have alternatives to the recording.
    lenient: BTreeSet<String>,
}

impl Proof {
    fn is_one(&self) -> bool {
        !self.tests.is_empty() || !self.recorded.is_empty()
    }
}

type Proofs = BTreeMap<String, Proof>;

fn is_number(word: &str) -> bool {
    word.strip_prefix("R-")
        .is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads `tests/checklist.txt`.
fn checklist(text: &str, faults: &mut Vec<String>) -> Vec<Line> {
    let (mut lines, mut section): (Vec<Line>, String) = (Vec::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words = line.trim();
        if let Some(title) = line.strip_prefix("== ") {
            section = title.to_owned();
        } else if let Some((number, text)) =
            line.split_once(' ').filter(|(word, _)| is_number(word))
        {
            lines.push(Line {
                number: number.to_owned(),
                section: section.clone(),
                text: text.to_owned(),
                state: State::Covered,
            });
        } else if !words.is_empty() {
            match (lines.last_mut(), state(words)) {
                (Some(line), Some(state)) => line.state = state,
                _ => faults.push(format!("the checklist: {words}")),
            }
        }
    }
    lines
}

fn state(text: &str) -> Option<State> {
    if let Some(why) = text.strip_prefix("different: ") {
        return Some(State::Different(why.to_owned()));
    }
    let (kind, rest) = text.split_once(" (")?;
    let (area, why) = rest.split_once(')')?;
    let (area, why) = (
        area.to_owned(),
        why.trim_start_matches([':', ' ']).to_owned(),
    );
    match kind {
        "not yet" => Some(State::NotYet { area, why }),
        "partly" => Some(State::Partly { area, why }),
        _ => None,
    }
}

/// Collects the `covers:` comments of one file.
fn tests_of(source: &Source, proofs: &mut Proofs, faults: &mut Vec<String>) {
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(named) = line
            .strip_prefix("// covers: ")
            .or_else(|| line.strip_prefix("/// covers: "))
        else {
            continue;
        };
        let place = format!("{}:{}", source.path, at + 1);
        let head = || {
            lines[at + 1..]
                .iter()
                .take_while(|line| !line.is_empty())
                .take(12)
        };
        let name = head().find_map(|line| {
            let (_, rest) = line
                .split_once("fn ")
                .filter(|_| !line.starts_with("//") && !line.starts_with("#["))?;
            rest.split_once('(').map(|(name, _)| name)
        });
        let is_test = head().any(|line| line.starts_with("#[") && line.contains("test"));
        let is_ignored = head()
            .take_while(|line| !line.contains("fn "))
            .any(|line| line.starts_with("#[ignore"));
        let Some(name) = name.filter(|_| is_test) else {
            faults.push(format!("{place}: there is no test below this comment"));
            continue;
        };
        for number in named.split([' ', ',']).filter(|word| !word.is_empty()) {
            if !is_number(number) {
                faults.push(format!("{place}: {number:?} is no line of the checklist"));
            } else if !is_ignored {
                let proof = proofs.entry(number.to_owned()).or_default();
                proof
                    .tests
                    .insert(format!("{}{name}", module(&source.path)));
            }
        }
    }
}

/// `tests/suites/lookup.rs` is `lookup::`, `router/src/table/tests/model.rs` is `router table::model::`.
fn module(path: &str) -> String {
    let (crate_name, rest) = [
        ("tests/suites/", ""),
        ("router/src/", "router "),
        ("router/tests/", "router "),
    ]
    .iter()
    .find_map(|(prefix, name)| path.strip_prefix(prefix).map(|rest| (*name, rest)))
    .unwrap_or(("", path));
    let stem = rest.strip_suffix(".rs").unwrap_or(rest);
    let mut module = String::from(crate_name);
    for part in stem
        .split('/')
        .filter(|part| *part != "tests" && *part != "mod")
    {
        module += part;
        module += "::";
    }
    module
}

/// Collects the scenarios that `./test` plays; `themes` is the text of `themes.txt`.
fn scenarios_of(theme: &str, text: &str, themes: &Themes, proofs: &mut Proofs) -> Vec<String> {
    let mut known = Vec::new();
    for block in text
        .split("\n- id: ")
        .skip(usize::from(!text.starts_with("- id: ")))
    {
        let block = block.strip_prefix("- id: ").unwrap_or(block);
        let id = block.lines().next().unwrap_or_default().trim();
        known.push(format!("{theme}/{id}"));
        if !themes.plays(theme, id) {
            continue;
        }
        let is_lenient = block.contains("\n  expect_also:");
        let covers = block
            .lines()
            .find_map(|line| line.strip_prefix("  covers: ["));
        let numbers = covers
            .and_then(|rest| rest.split_once(']'))
            .map_or("", |(numbers, _)| numbers);
        for number in numbers.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let proof = proofs.entry(number.to_owned()).or_default();
            match is_lenient {
                true => proof.lenient.insert(id.to_owned()),
                false => proof.recorded.insert(id.to_owned()),
            };
        }
    }
    known
}

/// What `themes.txt` says.
struct Themes(BTreeMap<String, BTreeSet<String>>);

impl Themes {
    fn read(text: &str) -> Themes {
        let mut themes = BTreeMap::new();
        for line in text.lines() {
            let mut words = line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace();
            if let Some(theme) = words.next() {
                themes.insert(theme.to_owned(), words.skip(1).map(str::to_owned).collect());
            }
        }
        Themes(themes)
    }

    fn plays(&self, theme: &str, id: &str) -> bool {
        self.0
            .get(theme)
            .is_some_and(|left_out| !left_out.contains(id))
    }

    fn unknown(&self, known: &[String]) -> Vec<String> {
        let left_out = self
            .0
            .iter()
            .flat_map(|(theme, ids)| ids.iter().map(move |id| format!("{theme}/{id}")));
        left_out
            .filter(|name| !known.contains(name))
            .map(|name| format!("tests/compat/themes.txt: there is no scenario {name}"))
            .collect()
    }
}

/// What contradicts itself.
fn contradictions(lines: &[Line], proofs: &Proofs) -> Vec<String> {
    let mut faults = Vec::new();
    let none = Proof::default();
    for line in lines {
        let is_proved = proofs.get(&line.number).unwrap_or(&none).is_one();
        let fault = match &line.state {
            State::Covered if !is_proved => {
                "has neither a proof nor a reason (tests/checklist.txt)"
            }
            State::Partly { .. } if !is_proved => "is called partly covered, but nothing proves it",
            State::NotYet { .. } if is_proved => {
                "has a proof now: take its `not yet` out of tests/checklist.txt, or make it `partly`"
            }
            _ => continue,
        };
        faults.push(format!("{} {fault}", line.number));
    }
    let numbers: BTreeSet<&str> = lines.iter().map(|line| line.number.as_str()).collect();
    for (number, proof) in proofs.iter().filter(|(n, _)| !numbers.contains(n.as_str())) {
        faults.push(format!(
            "{number} is not in tests/checklist.txt, but claimed by {proof:?}"
        ));
    }
    faults
}

fn page(lines: &[Line], proofs: &Proofs) -> String {
    let mut page = HEAD.to_owned();
    let count = |fits: fn(&State) -> bool| lines.iter().filter(|line| fits(&line.state)).count();
    let mut areas: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        if let State::NotYet { area, .. } | State::Partly { area, .. } = &line.state {
            *areas.entry(area).or_default() += 1;
        }
    }
    let areas: Vec<String> = areas
        .iter()
        .map(|(area, count)| format!("{area} {count}"))
        .collect();
    // Writing to a string cannot fail.
    writeln!(
        page,
        "Of {} lines {} are covered, {} partly, {} not yet, and {} are different on purpose.{}",
        lines.len(),
        count(|state| *state == State::Covered),
        count(|state| matches!(state, State::Partly { .. })),
        count(|state| matches!(state, State::NotYet { .. })),
        count(|state| matches!(state, State::Different(_))),
        match areas.as_slice() {
            [] => String::new(),
            areas => format!(" What is missing belongs to: {}.", areas.join(", ")),
        },
    )
    .expect("text");
    let none = Proof::default();
    let mut section = "";
    for line in lines {
        if line.section != section {
            section = &line.section;
            write!(
                page,
                "\n## {section}\n\n| Line | What holds | State | Proof |\n|---|---|---|---|\n"
            )
            .expect("text");
        }
        let state = match &line.state {
            State::Covered => "covered".to_owned(),
            State::NotYet { area, why } if why.is_empty() => format!("**not yet**: {area}"),
            State::NotYet { area, why } => format!("**not yet**: {area}; {why}"),
            State::Partly { area, why } => format!("partly: {why}; the rest: {area}"),
            State::Different(why) => format!("different: {why}"),
        };
        let proof = shown(proofs.get(&line.number).unwrap_or(&none));
        writeln!(
            page,
            "| {} | {} | {state} | {proof} |",
            line.number, line.text
        )
        .expect("text");
    }
    page
}

fn shown(proof: &Proof) -> String {
    let tests = proof.tests.iter().map(|name| format!("`{name}`"));
    let recorded = proof.recorded.iter().cloned();
    let lenient = proof.lenient.iter().map(|id| format!("({id})"));
    let recorded: Vec<String> = recorded.chain(lenient).collect();
    let recorded = match recorded.is_empty() {
        true => None,
        false => Some(format!("recorded: {}", recorded.join(", "))),
    };
    tests.chain(recorded).collect::<Vec<_>>().join("<br>")
}

fn gather(faults: &mut Vec<String>) -> (Vec<Line>, Proofs) {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect(path);
    let lines = checklist(&read("tests/checklist.txt"), faults);
    let mut proofs = Proofs::new();
    for folder in ["tests/suites", "router/src", "router/tests"] {
        for source in rust(folder) {
            tests_of(&source, &mut proofs, faults);
        }
    }
    let themes = Themes::read(&read("tests/compat/themes.txt"));
    let mut known = Vec::new();
    for source in all("tests/compat/scenarios") {
        let theme = source.path.rsplit('/').next().unwrap_or_default();
        let theme = theme.strip_suffix(".yaml").unwrap_or(theme);
        known.extend(scenarios_of(theme, &source.text, &themes, &mut proofs));
    }
    faults.extend(themes.unknown(&known));
    faults.extend(contradictions(&lines, &proofs));
    (lines, proofs)
}

#[test]
fn coverage_page_is_up_to_date_and_every_line_has_a_proof_or_a_reason() {
    let mut faults = Vec::new();
    let (lines, proofs) = gather(&mut faults);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(lines.len() > 250, "{} lines", lines.len());
    let page = page(&lines, &proofs);
    let path = root().join(PAGE);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("page written");
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == page,
        "{PAGE} is not what the tests say; renew it with UPDATE_DOCS=1 cargo test -p cloverleaf-tests --test house coverage"
    );
}

#[test]
fn coverage_claims_without_substance_are_found() {
    let source = |text: &str| Source {
        path: "tests/suites/x.rs".into(),
        text: text.into(),
    };
    let claims = |text: &str| {
        let (mut proofs, mut faults) = (Proofs::new(), Vec::new());
        tests_of(&source(text), &mut proofs, &mut faults);
        (proofs.into_keys().collect::<Vec<_>>(), faults.len())
    };
    let mark = "// covers:";
    let good = format!("{mark} R-001, R-002\n// why\n#[test]\nfn a_b() {{}}\n");
    assert_eq!(
        claims(&good),
        (vec!["R-001".to_owned(), "R-002".to_owned()], 0)
    );
    assert_eq!(
        claims(&format!("{mark} R-001\nfn no_test() {{}}\n")),
        (vec![], 1)
    );
    assert_eq!(
        claims(&format!("{mark} R-001\n\n#[test]\nfn far() {{}}\n")),
        (vec![], 1)
    );
    assert_eq!(
        claims(&format!("{mark} R-1\n#[test]\nfn a() {{}}\n")),
        (vec![], 1)
    );
    let ignored = format!("{mark} R-001\n#[test]\n#[ignore = \"why\"]\nfn a() {{}}\n");
    assert_eq!(
        claims(&ignored),
        (vec![], 0),
        "an ignored test proves nothing"
    );

    let list = "== S\nR-001 One.\nR-002 Two.\n      not yet (TLS): why\nR-003 Three.\n      partly (TLS): half\n";
    let mut faults = Vec::new();
    let lines = checklist(list, &mut faults);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(contradictions(&lines, &Proofs::new()).len(), 2);
    let themes = Themes::read("t not left\n");
    let mut proofs = Proofs::new();
    let scenarios =
        "# theme\n\n- id: left\n  covers: [R-001]\n\n- id: played\n  covers: [R-002, R-003]\n";
    let known = scenarios_of("t", scenarios, &themes, &mut proofs);
    assert_eq!(known, ["t/left", "t/played"]);
    assert_eq!(proofs.keys().collect::<Vec<_>>(), ["R-002", "R-003"]);
    assert_eq!(
        contradictions(&lines, &proofs).len(),
        2,
        "R-001 has none, R-002 has one now"
    );
    assert_eq!(Themes::read("t not gone\n").unknown(&known).len(), 1);
}
