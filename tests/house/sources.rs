//! The files of the project.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 3] = ["target", ".git", "__pycache__"];

/// A text file.
pub struct Source {
    /// Its path below the root, with slashes.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the workspace")
        .to_owned()
}

/// All text files below a folder of the project; `""` is all of it.
pub fn all(folder: &str) -> Vec<Source> {
    let (root, mut sources) = (root(), Vec::new());
    collect(&root.join(folder), &root, &mut sources);
    assert!(!sources.is_empty(), "no files in {folder:?}");
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// All Rust files below a folder.
pub fn rust(folder: &str) -> Vec<Source> {
    let mut sources = all(folder);
    sources.retain(|source| source.path.ends_with(".rs"));
    sources
}

fn collect(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.flatten() {
        let (path, name) = (
            entry.path(),
            entry.file_name().to_string_lossy().into_owned(),
        );
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, root, sources);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            sources.push(Source { path, text });
        }
    }
}

impl Source {
    /// Whether it holds nothing but tests.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name == "tests.rs" || self.path.split('/').any(|part| part == "tests")
    }

    /// Its lines without the tests at the end.
    pub fn product_lines(&self) -> impl Iterator<Item = &str> {
        let tests = self.text.find("#[cfg(test)]\nmod tests");
        self.text[..tests.unwrap_or(self.text.len())].lines()
    }

    /// Its code without tests and comment lines.
    pub fn code(&self) -> String {
        let lines = self
            .product_lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn tests_at_the_end_and_comments_are_not_code() {
    let text = "//! Doc.\nuse a::b;\n    // why\nfn c() {}\n\n#[cfg(test)]\nmod tests {\n    use d::e;\n}\n";
    let source = Source {
        path: "x/y.rs".into(),
        text: text.into(),
    };
    assert_eq!(source.code(), "use a::b;\nfn c() {}\n");
    assert!(!source.is_test());
    assert!(
        Source {
            path: "x/y/tests.rs".into(),
            text: String::new()
        }
        .is_test()
    );
}
