//! The walk-through for those who come from GoRouter leaves no key out.

use crate::sources::root;

fn page(name: &str) -> String {
    let path = root().join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The keys of the reference page.
fn keys(reference: &str) -> Vec<&str> {
    let rows = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).collect()
}

#[test]
fn the_guide_for_those_who_come_from_gorouter_names_every_key() {
    let (reference, guide) = (page("configuration.md"), page("from-gorouter.md"));
    let keys = keys(&reference);
    assert!(keys.len() > 150, "{} keys", keys.len());
    let is_named = |key: &str| guide.contains(&format!("`{key}`"));
    let missing: Vec<_> = keys
        .into_iter()
        .filter(|key| {
            // A section stands for what is in it.
            let mut ends = key.match_indices(['.', '[']).map(|(at, _)| at);
            !is_named(key) && !ends.any(|end| is_named(&key[..end]))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "docs/from-gorouter.md lacks {missing:#?}"
    );
}

#[test]
fn the_guide_names_every_example() {
    let guide = page("from-gorouter.md");
    let folder = root().join("docs/examples");
    let files = std::fs::read_dir(folder).expect("examples").flatten();
    for name in files.map(|file| file.file_name()) {
        let name = name.to_string_lossy();
        assert!(guide.contains(&format!("(examples/{name})")), "{name}");
    }
}
