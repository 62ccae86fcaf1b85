//! From a file to a [`Config`].

use std::fs;
use std::path::Path;

use cloverleaf_config::{Content, Document, Notice, Problem, Reader, Reading, Report};

use super::files::Files;
use super::origin::Origin;
use super::pairs::{Bundles, Damaged};
use super::{Config, checks, inert, late, rules};

/// How reports call the configuration of a router that is given no file.
const BUILT_IN: &str = "default configuration";

/// A configuration that can be run, with what is worth saying about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration, rules applied and checked.
    pub config: Config,
    /// Unknown keys, keys without effect, values that are probably not meant.
    pub notes: Vec<Notice>,
    /// Keys that are set and would matter, but that this release does not act on yet.
    pub not_yet: Vec<Notice>,
    /// Where it came from, to be read again.
    pub origin: Origin,
}

/// What `-check` prints, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Problems and notes, one a line; ends with a newline.
    pub text: String,
    /// 0 when the router would start with this configuration, else 1.
    pub code: u8,
}

impl Config {
    /// Loads a file; without one, the built-in defaults.
    ///
    /// # Errors
    /// Every problem at once. [`Report::one_line`] is what goes into the log as `data.error` of the
    /// message `Error loading config:` (drop-in 1.3).
    pub fn load(path: Option<&Path>) -> Result<Loaded, Report> {
        let Some(path) = path else {
            return Self::from_text("", BUILT_IN);
        };
        let text = read(path)?;
        Origin::new(Some(path), &path.display().to_string(), &text).load(Depth::Load)
    }

    /// Loads YAML text; `source_name` stands for it in the report.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(text: &str, source_name: &str) -> Result<Loaded, Report> {
        Origin::new(None, source_name, text).load(Depth::Load)
    }

    /// Checks a file the way `-check` does: also for what would end the process only later. `template` looks through the
    /// text of an error template and says what is wrong with it.
    pub fn check(path: Option<&Path>, template: TemplateCheck) -> Check {
        let (text, source_name) = match path {
            None => (Ok(String::new()), BUILT_IN.to_owned()),
            Some(path) => (read(path), path.display().to_string()),
        };
        match text.and_then(|text| {
            let held = Files::default();
            let depth = Depth::Check(template);
            evaluate(&text, &source_name, depth, &held, Bundles::at_start())
        }) {
            Ok(read) => describe(&read.reading, &source_name),
            Err(report) => Check {
                text: format!("{report}\n"),
                code: 1,
            },
        }
    }
}

/// What another room knows about error templates.
pub type TemplateCheck = fn(&str) -> Result<(), String>;

/// How far to look.
#[derive(Clone, Copy)]
pub(super) enum Depth {
    /// What the configuration's own rules say.
    Load,
    /// Also files and what other parts of the router refuse at start.
    Check(TemplateCheck),
}

/// What a text came to.
pub(super) struct Evaluated {
    pub(super) config: Config,
    pub(super) reading: Reading,
    /// The files that it names, as far as they could be read.
    pub(super) files: Files,
    /// The bundles of authorities that were taken in part.
    pub(super) damaged: Damaged,
}

/// Reads `text` and the files that it names, but for those that `held` has.
pub(super) fn evaluate(
    text: &str,
    source_name: &str,
    depth: Depth,
    held: &Files,
    mut bundles: Bundles<'_>,
) -> Result<Evaluated, Report> {
    let document =
        Document::parse(text).map_err(|problem| Report::new(source_name, vec![problem]))?;
    let (mut config, mut reader) = Reader::read::<Config>(&document);
    if document.root.content == Content::Null && source_name != BUILT_IN {
        reader.note("", "there is no key in it: all have their defaults");
    }
    let files = Files::read(&mut config, held, &mut reader);
    rules::derive(&mut config, &mut reader);
    checks::check(&config, &mut bundles, &mut reader);
    if let Depth::Check(template) = depth {
        late::check(&config, template, &mut reader);
    }
    let mut reading = reader.finish(source_name);
    reading
        .not_yet
        .retain(|notice| !inert::is_inert(&config, &notice.key));
    Ok(Evaluated {
        config,
        reading,
        files,
        damaged: bundles.damaged(),
    })
}

pub(super) fn read(path: &Path) -> Result<String, Report> {
    let found = match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(_) => "is not UTF-8 text".to_owned(),
        },
        Err(error) => format!("cannot be read: {error}"),
    };
    let problem = Problem {
        key: String::new(),
        line: None,
        found,
        expected: String::new(),
    };
    Err(Report::new(path.display().to_string(), vec![problem]))
}

fn describe(reading: &Reading, source_name: &str) -> Check {
    let (mut text, code) = match &reading.report {
        Some(report) => (format!("{report}\n"), 1),
        None => (format!("{source_name} is valid\n"), 0),
    };
    for (heading, notices) in [
        ("notes", &reading.notes),
        ("not in this release yet", &reading.not_yet),
    ] {
        if notices.is_empty() {
            continue;
        }
        text.push_str(&format!("{heading}:\n"));
        for notice in notices {
            text.push_str(&format!("  {notice}\n"));
        }
    }
    Check { text, code }
}
