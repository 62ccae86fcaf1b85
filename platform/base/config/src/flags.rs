//! Command-line flags as Go programs take them: `-c FILE`, `-c=FILE`, `--c FILE`, `-check`.

use std::collections::HashMap;
use std::ffi::OsString;

use crate::duration::GoDuration;

/// The flags of a program.
#[derive(Debug, Clone, Copy)]
pub struct Flags {
    /// Name of the program.
    pub program: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Command lines worth knowing, each with what it does.
    pub examples: &'static [(&'static str, &'static str)],
    /// The flags.
    pub flags: &'static [Flag],
}

/// One flag.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Name without dashes.
    pub name: &'static str,
    /// What value it takes.
    pub kind: FlagKind,
    /// What it does, in one line.
    pub help: &'static str,
}

/// What value a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagKind {
    /// Any text; the word stands for it in the usage.
    Text(&'static str),
    /// None, or `=true` and `=false`.
    Switch,
    /// A Go duration.
    Duration,
    /// A whole number.
    Number,
}

/// The values that were given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    values: HashMap<&'static str, String>,
    /// Arguments that are no flags. Go programs ignore them unless they ask for them.
    pub rest: Vec<String>,
}

/// Why the program ends before it starts: print the text to standard error, exit with the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What to print; ends with a newline.
    pub text: String,
    /// 0 when help was asked for, 2 for a mistake.
    pub code: u8,
}

impl Flags {
    /// Reads the arguments, the program's own name left out. A flag given twice takes the last value.
    /// Arguments that are not UTF-8 are read with replacement characters.
    ///
    /// # Errors
    /// An [`Outcome`] with the usage: for `-h` and `-help`, for unknown flags, missing or bad values.
    pub fn parse<I>(&self, arguments: I) -> Result<Parsed, Outcome>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let mut arguments = arguments
            .into_iter()
            .map(|argument| argument.into().to_string_lossy().into_owned());
        let mut parsed = Parsed::default();
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                break;
            }
            let Some(name) = argument.strip_prefix('-').filter(|name| !name.is_empty()) else {
                parsed.rest.push(argument);
                break;
            };
            let name = name.strip_prefix('-').unwrap_or(name);
            if name.starts_with(['-', '=']) {
                return Err(self.mistake(&format!("bad flag syntax: {argument}")));
            }
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let Some(flag) = self.flags.iter().find(|flag| flag.name == name) else {
                if matches!(name, "h" | "help") {
                    return Err(Outcome {
                        text: self.usage(),
                        code: 0,
                    });
                }
                return Err(self.mistake(&format!("flag provided but not defined: -{name}")));
            };
            let value = match (value, flag.kind) {
                (Some(value), _) => value,
                (None, FlagKind::Switch) => "true".to_owned(),
                (None, _) => arguments
                    .next()
                    .ok_or_else(|| self.mistake(&format!("flag needs an argument: -{name}")))?,
            };
            if let Some(expected) = flag.refuses(&value) {
                let text = format!("invalid value {value:?} for flag -{name}: expected {expected}");
                return Err(self.mistake(&text));
            }
            parsed.values.insert(flag.name, value);
        }
        parsed.rest.extend(arguments);
        Ok(parsed)
    }

    /// What `-h` prints.
    pub fn usage(&self) -> String {
        let mut text = format!("{}: {}\n\nUsage:\n", self.program, self.about);
        let lines: Vec<(String, &str)> = self
            .examples
            .iter()
            .map(|(line, meaning)| ((*line).to_owned(), *meaning))
            .collect();
        write_columns(&mut text, &lines);
        text.push_str("\nFlags (one dash or two; -name value or -name=value):\n");
        let mut lines: Vec<(String, &str)> = self
            .flags
            .iter()
            .map(|flag| (format!("-{}{}", flag.name, flag.placeholder()), flag.help))
            .collect();
        lines.push(("-h".to_owned(), "print this text"));
        write_columns(&mut text, &lines);
        text
    }

    fn mistake(&self, what: &str) -> Outcome {
        Outcome {
            text: format!("{what}\n\n{}", self.usage()),
            code: 2,
        }
    }
}

impl Flag {
    /// What was expected, when the value is not acceptable.
    fn refuses(&self, value: &str) -> Option<&'static str> {
        match self.kind {
            FlagKind::Text(_) => None,
            FlagKind::Switch => switch(value).is_none().then_some("true or false"),
            FlagKind::Duration => value
                .parse::<GoDuration>()
                .is_err()
                .then_some("a duration such as 500ms or 1m30s"),
            FlagKind::Number => value.parse::<i64>().is_err().then_some("a whole number"),
        }
    }

    fn placeholder(&self) -> String {
        match self.kind {
            FlagKind::Text(word) => format!(" {word}"),
            FlagKind::Switch => String::new(),
            FlagKind::Duration => " DURATION".to_owned(),
            FlagKind::Number => " NUMBER".to_owned(),
        }
    }
}

impl Parsed {
    /// The text given for a flag.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Whether a switch is on; off when not given.
    pub fn is_on(&self, name: &str) -> bool {
        self.text(name).and_then(switch).unwrap_or(false)
    }

    /// The duration given for a flag.
    pub fn duration(&self, name: &str) -> Option<GoDuration> {
        self.text(name)?.parse().ok()
    }

    /// The number given for a flag.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }
}

/// The words that Go takes for a boolean flag.
fn switch(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Writes two columns, the second lined up two blanks behind the longest entry of the first.
fn write_columns(text: &mut String, lines: &[(String, &str)]) {
    let width = lines.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    for (left, right) in lines {
        text.push_str(&format!("  {left:width$}  {right}\n"));
    }
}

#[cfg(test)]
mod tests;
