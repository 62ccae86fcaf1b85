//! The example configurations in docs/examples: each is what `-check` calls valid, without a note.

use std::fs;
use std::path::{Path, PathBuf};

use cloverleaf_tests::{Authority, Folder, Start};

const CERTIFICATE: [&str; 2] = ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"];
const KEY: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];
/// Where files of a deployment are.
const PLACE: &str = "/var/vcap/";

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let files = fs::read_dir(folder).expect("a folder with examples");
    let mut paths: Vec<_> = files.flatten().map(|file| file.path()).collect();
    paths.sort();
    paths
}

/// The text with each PEM block, which has dots for its content, replaced by `pem`, indented as the block is.
fn filled_in(text: &str, [begin, end]: [&str; 2], pem: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.strip_suffix(begin) else {
            out += &format!("{line}\n");
            continue;
        };
        for line in pem.lines() {
            out += &format!("{indent}{line}\n");
        }
        let rest = lines.by_ref().map(str::trim);
        let content: Vec<&str> = rest.take_while(|line| *line != end).collect();
        assert_eq!(
            content,
            ["..."],
            "an example holds no certificate and no key"
        );
    }
    out
}

#[test]
fn every_example_is_valid_without_a_note() {
    let authority = Authority::new("example authority");
    let identity = authority.identity(&["example.test"]);
    // A chain, and a bundle with an authority that rules can name.
    let certificates = identity.certificate + authority.certificate();
    let examples = examples();
    assert!(examples.len() > 5, "{examples:?}");
    for path in examples {
        let text = fs::read_to_string(&path).expect("an example");
        let text = filled_in(&text, CERTIFICATE, &certificates);
        let text = filled_in(&text, KEY, &identity.key);
        let folder = Folder::new();
        let place = format!("{}/", folder.path().display());
        for (at, _) in text.match_indices(PLACE) {
            let name = text[at + PLACE.len()..].split_whitespace().next();
            let file = folder.path().join(name.expect("a name"));
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            let content = match file.extension().is_some_and(|ending| ending == "key") {
                true => &identity.key,
                false => &certificates,
            };
            fs::write(&file, content).expect("a file");
        }
        let checked = Start::run(&text.replace(PLACE, &place), &["-check"]);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        assert_eq!(checked.status.code(), Some(0), "{name}: {}", checked.output);
        assert_eq!(checked.output, "gorouter.yml is valid\n", "{name}");
    }
}
