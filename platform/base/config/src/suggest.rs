//! Finds the key that was probably meant.

use crate::key::Key;

/// The nearest of `siblings` by spelling, else the path of the only key of that name elsewhere
/// in the tree below `root`.
pub(crate) fn suggestion(name: &str, siblings: &[Key], root: &[Key]) -> Option<String> {
    let near = siblings
        .iter()
        .map(|key| (distance(name, key.name()), key.name()))
        .filter(|(distance, _)| *distance <= allowed(name))
        .min();
    if let Some((_, name)) = near {
        return Some(name.to_owned());
    }
    let mut paths = Vec::new();
    collect(name, root, "", &mut paths);
    match paths.len() {
        1 => paths.pop(),
        _ => None,
    }
}

/// One mistake in four letters, at most three.
fn allowed(name: &str) -> usize {
    (name.chars().count() / 4).min(3)
}

fn collect(name: &str, keys: &[Key], prefix: &str, paths: &mut Vec<String>) {
    for key in keys {
        let path = format!("{prefix}{}", key.name());
        let below = (key.keys)();
        if below.is_empty() {
            if key.name() == name {
                paths.push(path);
            }
        } else {
            let mark = if key.list { "[]." } else { "." };
            collect(name, below, &format!("{path}{mark}"), paths);
        }
    }
}

/// Number of inserted, removed, replaced or swapped neighbouring characters between two names.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    // Names are short, but an unknown key comes from the file and need not be.
    if left.len().abs_diff(right.len()) > 3 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut current = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let replaced = previous[j] + usize::from(a != b);
            let mut best = replaced.min(previous[j + 1] + 1).min(current[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_slips() {
        assert_eq!(distance("endpoint_timout", "endpoint_timeout"), 1);
        assert_eq!(distance("prot", "port"), 1);
        assert_eq!(distance("port", "port"), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("a", "abcdef"), usize::MAX);
    }
}
