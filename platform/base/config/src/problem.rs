//! What is wrong with a configuration ([`Problem`], [`Report`]) and what is merely remarkable ([`Notice`]).

use std::fmt;

/// One mistake in a configuration. Values of secret keys never appear in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, such as `status.tls.port` or `tls_pem[0].private_key`; empty when the
    /// problem is about the file as a whole.
    pub key: String,
    /// Line in the file, counted from 1; none when the key is not in the file.
    pub line: Option<usize>,
    /// What is there, with the value as written.
    pub found: String,
    /// What should be there; empty when `found` says it all.
    pub expected: String,
}

impl Problem {
    /// A problem with the form of the file rather than with a key.
    pub fn form(line: usize, found: impl Into<String>) -> Self {
        Self {
            key: String::new(),
            line: Some(line),
            found: found.into(),
            expected: String::new(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, self.line, &self.key)?;
        f.write_str(&self.found)?;
        if !self.expected.is_empty() {
            write!(f, "; expected {}", self.expected)?;
        }
        Ok(())
    }
}

/// Something worth knowing about a configuration that does not stop the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Path of the key; empty when the notice is about the file as a whole.
    pub key: String,
    /// Line in the file, counted from 1; none when the key is not in the file.
    pub line: Option<usize>,
    /// What is remarkable.
    pub text: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, self.line, &self.key)?;
        f.write_str(&self.text)
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, line: Option<usize>, key: &str) -> fmt::Result {
    if let Some(line) = line {
        write!(f, "line {line}: ")?;
    }
    if key.is_empty() {
        return Ok(());
    }
    // A key comes from the file and may hold anything, but one problem is one line.
    for c in key.chars() {
        if c.is_control() {
            write!(f, "{}", c.escape_default())?;
        } else {
            write!(f, "{c}")?;
        }
    }
    f.write_str(": ")
}

/// Every problem of one configuration. `Display` prints a heading and one problem a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Report {
    source_name: String,
    problems: Vec<Problem>,
}

impl Report {
    /// A report on `source_name` (the file's name as the operator gave it), problems in file order.
    pub fn new(source_name: impl Into<String>, mut problems: Vec<Problem>) -> Self {
        // Stable: problems without a line come last, in the order in which they were found.
        problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        Self {
            source_name: source_name.into(),
            problems,
        }
    }

    /// The problems, in file order, those about absent keys last.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The whole report on one line, for a log record.
    pub fn one_line(&self) -> String {
        let problems: Vec<String> = self.problems.iter().map(Problem::to_string).collect();
        format!("{}: {}", self.heading(), problems.join(" | "))
    }

    fn heading(&self) -> String {
        match self.problems.len() {
            1 => format!("{} has a problem", self.source_name),
            count => format!("{} has {count} problems", self.source_name),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.heading())?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_a_line_break_stays_on_one_line() {
        let notice = Notice {
            key: "a\nb\u{1b}é".to_owned(),
            line: Some(3),
            text: "unknown key, ignored".to_owned(),
        };
        assert_eq!(
            notice.to_string(),
            "line 3: a\\nb\\u{1b}é: unknown key, ignored"
        );
    }

    #[test]
    fn problems_stand_in_file_order_with_those_about_absent_keys_last() {
        let problem = |key: &str, line| Problem {
            key: key.to_owned(),
            line,
            found: "x".to_owned(),
            expected: String::new(),
        };
        let report = Report::new(
            "f",
            vec![
                problem("c", None),
                problem("b", Some(9)),
                problem("a", Some(2)),
            ],
        );
        assert_eq!(
            report.to_string(),
            "f has 3 problems:\n  line 2: a: x\n  line 9: b: x\n  c: x"
        );
        assert_eq!(
            report.one_line(),
            "f has 3 problems: line 2: a: x | line 9: b: x | c: x"
        );
    }
}
