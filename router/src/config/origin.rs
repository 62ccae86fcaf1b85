//! Where a configuration came from, and reading it again while it is in force.

use std::fmt;
use std::path::{Path, PathBuf};

use cloverleaf_config::{Document, Problem, Reader, Report};

use super::files::{Files, slots};
use super::load::{Depth, Evaluated, evaluate, read};
use super::pairs::{Bundles, Damaged};
use super::{Config, Loaded, TemplateCheck};

/// A configuration's text and the texts of the files that it names, as they were when it was read. `Debug` shows neither.
#[derive(Clone, PartialEq)]
pub struct Origin {
    path: Option<PathBuf>,
    source_name: String,
    text: String,
    files: Files,
    damaged: Damaged,
}

/// What has become of the files that a configuration names.
#[derive(Debug)]
pub struct Refreshed {
    /// The configuration with what is good of them; `None` when nothing is.
    pub loaded: Option<Loaded>,
    /// What is not: the text before stays in force.
    pub refused: Vec<Problem>,
}

impl Origin {
    pub(super) fn new(path: Option<&Path>, source_name: &str, text: &str) -> Origin {
        Origin {
            path: path.map(Path::to_owned),
            source_name: source_name.to_owned(),
            text: text.to_owned(),
            files: Files::default(),
            damaged: Damaged::new(),
        }
    }

    /// The files that the configuration names for certificates, keys and authorities, with what they held: to be watched.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files.texts()
    }

    /// Reads everything again, as thoroughly as `-check`. A bundle of authorities must be whole, unless it is in force.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn reload(&self, template: TemplateCheck) -> Result<Loaded, Report> {
        let text = match &self.path {
            Some(path) => read(path)?,
            None => self.text.clone(),
        };
        let depth = Depth::Check(template);
        let bundles = Bundles::while_running(&self.damaged);
        Origin::new(self.path.as_deref(), &self.source_name, &text).load_holding(
            depth,
            &Files::default(),
            bundles,
        )
    }

    /// Reads again the files that the configuration names, and not the configuration. A certificate whose key does not fit,
    /// a file that cannot be read, half a bundle: each such unit is left as it was while the others change.
    pub fn refresh(&self) -> Refreshed {
        let (mut held, mut refused) = (Files::default(), Vec::new());
        loop {
            let bundles = Bundles::while_running(&self.damaged);
            let report = match self.load_holding(Depth::Load, &held, bundles) {
                Ok(loaded) => {
                    let loaded = Some(loaded);
                    return Refreshed { loaded, refused };
                }
                Err(report) => report,
            };
            refused.extend_from_slice(report.problems());
            if !self.hold(report.problems(), &mut held) {
                let loaded = None;
                return Refreshed { loaded, refused };
            }
        }
    }

    /// Adds to `held` the former texts of what `problems` are about; whether that is anything new. What is about none of
    /// the files comes of all of them together.
    fn hold(&self, problems: &[Problem], held: &mut Files) -> bool {
        let Ok(document) = Document::parse(&self.text) else {
            return false;
        };
        let (mut config, reader) = Reader::read::<Config>(&document);
        let slots = slots(&mut config, &reader);
        let named = |problem: &Problem| {
            let slot = slots.iter().find(|slot| slot.file_key() == problem.key)?;
            Some(slot.unit())
        };
        let units: Vec<&str> = problems.iter().filter_map(named).collect();
        let concerned = slots
            .iter()
            .filter(|slot| units.is_empty() || units.contains(&slot.unit()));
        let mut is_new = false;
        for slot in concerned {
            is_new |= held.hold(Path::new(&slot.file), &self.files);
        }
        is_new
    }

    pub(super) fn load(self, depth: Depth) -> Result<Loaded, Report> {
        self.load_holding(depth, &Files::default(), Bundles::at_start())
    }

    fn load_holding(
        &self,
        depth: Depth,
        held: &Files,
        bundles: Bundles<'_>,
    ) -> Result<Loaded, Report> {
        let Evaluated {
            config,
            reading,
            files,
            damaged,
        } = evaluate(&self.text, &self.source_name, depth, held, bundles)?;
        match reading.report {
            Some(report) => Err(report),
            None => Ok(Loaded {
                config,
                notes: reading.notes,
                not_yet: reading.not_yet,
                origin: Origin {
                    files,
                    damaged,
                    ..self.clone()
                },
            }),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin")
            .field("source_name", &self.source_name)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}
