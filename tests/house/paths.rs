//! The paths that a piece of Rust names, such as `crate::table::Pool` or `std::net::IpAddr`.

/// All paths with at least two segments, groups of `use` taken apart; `crate`, `super` and modules that are declared
/// right here are resolved against `module`, so that a path of this crate begins with `crate` and its first room.
pub fn paths(code: &str, module: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(is_name) {
        let before = rest[..at].chars().next_back();
        rest = &rest[at..];
        let length = rest
            .find(|character| !is_name(character))
            .unwrap_or(rest.len());
        if rest[length..].starts_with("::") && before != Some('$') {
            let mut tree = Tree {
                rest,
                found: Vec::new(),
            };
            tree.read(&mut Vec::new());
            let taken = rest.len() - tree.rest.len();
            found.extend(
                tree.found
                    .into_iter()
                    .map(|path| resolve(path, module, code)),
            );
            rest = &rest[taken.max(length)..];
        } else {
            rest = &rest[length..];
        }
    }
    found
}

fn is_name(character: char) -> bool {
    character == '_' || character.is_ascii_alphanumeric()
}

/// Reads one path with all its branches.
struct Tree<'a> {
    rest: &'a str,
    found: Vec<Vec<String>>,
}

impl Tree<'_> {
    fn read(&mut self, stem: &mut Vec<String>) {
        let depth = stem.len();
        loop {
            let length = self
                .rest
                .find(|character| !is_name(character))
                .unwrap_or(self.rest.len());
            if length > 0 {
                stem.push(self.rest[..length].to_owned());
                self.rest = &self.rest[length..];
            }
            match self.rest.strip_prefix("::") {
                Some(rest) if rest.starts_with('{') => {
                    self.rest = &rest[1..];
                    self.group(stem);
                    break;
                }
                Some(rest) if rest.starts_with(is_name) => self.rest = rest,
                // A turbofish or a glob: the path so far is what counts.
                Some(rest) => {
                    self.rest = rest;
                    self.found.push(stem.clone());
                    break;
                }
                None => {
                    self.found.push(stem.clone());
                    break;
                }
            }
        }
        stem.truncate(depth);
    }

    fn group(&mut self, stem: &mut Vec<String>) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\n', ',', '*']);
            match self.rest.chars().next() {
                None => return,
                Some('}') => {
                    self.rest = &self.rest[1..];
                    return;
                }
                Some(character) if is_name(character) => {
                    self.read(stem);
                    if let Some(renamed) = self.rest.strip_prefix(" as ") {
                        self.rest = renamed.trim_start_matches(is_name);
                    }
                }
                Some(other) => self.rest = &self.rest[other.len_utf8()..],
            }
        }
    }
}

fn resolve(path: Vec<String>, module: &[String], code: &str) -> String {
    let ups = path
        .iter()
        .take_while(|segment| *segment == "super")
        .count();
    let own = usize::from(path.first().is_some_and(|segment| segment == "self"));
    let declared = path
        .first()
        .is_some_and(|segment| code.contains(&format!("mod {segment};")));
    if ups + own == 0 && !declared {
        return path.join("::");
    }
    let above = &module[..module.len().saturating_sub(ups)];
    let below = &path[ups + own..];
    ["crate".to_owned()]
        .iter()
        .chain(above)
        .chain(below)
        .cloned()
        .collect::<Vec<_>>()
        .join("::")
}

#[test]
fn groups_renames_and_relative_paths_are_resolved() {
    let module = ["upstream".to_owned(), "attempt".to_owned()];
    let code = "mod idle;\nuse idle::Idle;\nuse std::{fs, net::{self, IpAddr as Ip}};\nuse super::classify::*;\nuse super::super::table;\n\
                let x = crate::balance::pick::<u8>(a.b, Vec::new()); self::c(); $crate::d::e();";
    assert_eq!(
        paths(code, &module),
        [
            "crate::upstream::attempt::idle::Idle",
            "std::fs",
            "std::net::self",
            "std::net::IpAddr",
            "crate::upstream::classify",
            "crate::table",
            "crate::balance::pick",
            "Vec::new",
            "crate::upstream::attempt::c",
            "d::e",
        ]
    );
}
