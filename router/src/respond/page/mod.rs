//! The operator's error page: `html_error_template_file`, a subset of Go's html/template (spec 4.10, R-208).
//!
//! ```text
//! file ──► lexer: text and actions ──► parser: a tree ──► html: where each action stands ──► Page ──► render
//! ```
//!
//! An action's value is escaped for the place where it stands, as html/template does it for text and for plain
//! attributes. What is not understood is refused when the file is read, so that rendering cannot fail.

mod escape;
mod expression;
mod html;
mod lexer;
mod parser;
mod render;

use escape::Escape;
use expression::Expression;

/// A page that can be rendered.
#[derive(Debug)]
pub struct Page {
    nodes: Vec<Node>,
}

/// What a page can show of an error.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// `.Status`
    pub status: u16,
    /// `.StatusText`
    pub status_text: &'a str,
    /// `.Message`
    pub message: &'a str,
    /// What `.Header.Get` finds: the answer's own headers so far.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Why a file is no page that can be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {found}: {expected}")]
pub struct PageError {
    /// Line of the file, from 1.
    pub line: usize,
    /// What stands there, shortened.
    pub found: String,
    /// What could stand there.
    pub expected: String,
}

impl Page {
    /// Reads a template.
    ///
    /// # Errors
    /// The first thing in it that is not supported.
    pub fn parse(text: &str) -> Result<Page, PageError> {
        let mut nodes = parser::parse(text)?;
        html::place(&mut nodes, text.lines().count().max(1))?;
        Ok(Page { nodes })
    }

    /// What is wrong with a template, for whoever reads a configuration.
    ///
    /// # Errors
    /// As [`Page::parse`].
    pub fn check(text: &str) -> Result<(), String> {
        Page::parse(text)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// The page for one error.
    pub fn render(&self, shown: &Shown<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        render::push(&self.nodes, shown, None, &mut out);
        out
    }
}

/// A piece of a page.
#[derive(Debug)]
enum Node {
    /// Text as written; made what is sent by [`html::place`].
    Text { line: usize, text: Vec<u8> },
    /// A value.
    Print {
        line: usize,
        value: Expression,
        escape: Escape,
    },
    /// `if`, and `with`, whose value is the dot inside.
    Branch {
        line: usize,
        value: Expression,
        is_with: bool,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
}

/// What may stand between the braces, for the operator whose template says something else.
const SUPPORTED: &str = "supported are .Status, .StatusText, .Message, .Header.Get \"name\", literals, if, else, with, end, \
    eq, ne, lt, le, gt, ge, and, or, not, parentheses and comments";

impl PageError {
    fn new(line: usize, found: impl Into<String>, expected: impl Into<String>) -> PageError {
        PageError {
            line,
            found: found.into(),
            expected: expected.into(),
        }
    }

    fn unsupported(line: usize, found: impl Into<String>) -> PageError {
        PageError::new(line, found, format!("not supported; {SUPPORTED}"))
    }
}

#[cfg(test)]
mod tests;
