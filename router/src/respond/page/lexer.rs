//! Text and actions: where the braces are, and the words between them.

use super::PageError;

/// A piece of the file.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Outside the braces, trimmed where a marker says so.
    Text { line: usize, text: &'a str },
    /// Inside.
    Action { line: usize, tokens: Vec<Token> },
}

/// A word of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// `if`, `eq`, `true`
    Word(String),
    /// `.Header.Get`; without names the dot itself.
    Path(Vec<String>),
    /// The same behind `$`.
    Root(Vec<String>),
    /// A string, its escapes resolved.
    Text(String),
    /// A decimal number.
    Number(i64),
    /// `(`
    Open,
    /// `)`
    Close,
}

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// Cuts a file into its pieces.
pub(super) fn pieces(file: &str) -> Result<Vec<Piece<'_>>, PageError> {
    let mut lexer = Lexer {
        file,
        at: 0,
        line: 1,
    };
    let mut pieces = Vec::new();
    let mut trim_start = false;
    loop {
        let rest = lexer.rest();
        let length = rest.find("{{").unwrap_or(rest.len());
        let is_last = length == rest.len();
        let (line, text) = (lexer.line, &rest[..length]);
        lexer.advance(length);
        let (mut shown, mut line) = (text, line);
        if trim_start {
            shown = text.trim_start_matches(BLANK);
            line += count_lines(&text[..text.len() - shown.len()]);
        }
        if !is_last && is_marker(lexer.rest().strip_prefix("{{")) {
            shown = shown.trim_end_matches(BLANK);
        }
        if !shown.is_empty() {
            pieces.push(Piece::Text { line, text: shown });
        }
        if is_last {
            return Ok(pieces);
        }
        let (line, (tokens, trims)) = (lexer.line, lexer.action()?);
        trim_start = trims;
        if let Some(tokens) = tokens {
            pieces.push(Piece::Action { line, tokens });
        }
    }
}

/// Whether a `-` that trims stands at the beginning: one with a blank behind it.
fn is_marker(inside: Option<&str>) -> bool {
    let behind = inside.and_then(|inside| inside.strip_prefix('-'));
    behind.is_some_and(|behind| behind.starts_with(BLANK))
}

fn count_lines(text: &str) -> usize {
    memchr::memchr_iter(b'\n', text.as_bytes()).count()
}

struct Lexer<'a> {
    file: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.file.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, length: usize) {
        let passed = self.rest().get(..length).unwrap_or_default();
        self.line += count_lines(passed);
        self.at += length;
    }

    fn error(&self, found: &str, expected: &str) -> PageError {
        PageError::new(self.line, found, expected)
    }

    /// The action that begins here, `None` for a comment, and whether it trims what follows.
    fn action(&mut self) -> Result<(Option<Vec<Token>>, bool), PageError> {
        let opened = self.line;
        self.advance("{{".len());
        if is_marker(Some(self.rest())) {
            let behind = self.rest().strip_prefix('-').unwrap_or_default();
            let comment = behind.trim_start_matches(BLANK);
            self.advance(if comment.starts_with("/*") {
                self.rest().len() - comment.len()
            } else {
                "-".len()
            });
        }
        if self.rest().starts_with("/*") {
            return self.comment().map(|trims| (None, trims));
        }
        let mut tokens = Vec::new();
        let mut behind_blank = false;
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(BLANK);
            behind_blank |= trimmed.len() < rest.len();
            self.advance(rest.len() - trimmed.len());
            let rest = trimmed;
            if rest.starts_with("}}") {
                self.advance("}}".len());
                return Ok((Some(tokens), false));
            }
            if behind_blank && rest.starts_with("-}}") {
                self.advance("-}}".len());
                return Ok((Some(tokens), true));
            }
            if rest.is_empty() {
                let expected = "an action is not closed with }}";
                return Err(PageError::new(opened, "{{", expected));
            }
            tokens.push(self.token()?);
            behind_blank = false;
        }
    }

    /// Gives whether it trims what follows.
    fn comment(&mut self) -> Result<bool, PageError> {
        let opened = self.line;
        let Some(end) = self.rest().find("*/") else {
            return Err(PageError::new(
                opened,
                "{{/*",
                "a comment is not closed with */}}",
            ));
        };
        self.advance(end + "*/".len());
        let rest = self.rest();
        let marked = rest.trim_start_matches(BLANK);
        let (length, trims) = match marked.strip_prefix("-}}") {
            Some(_) if marked.len() < rest.len() => (rest.len() - marked.len() + 3, true),
            _ if rest.starts_with("}}") => (2, false),
            _ => return Err(self.error("*/", "a comment is closed with */}} at once")),
        };
        self.advance(length);
        Ok(trims)
    }

    fn token(&mut self) -> Result<Token, PageError> {
        let rest = self.rest();
        let mut characters = rest.chars();
        match characters.next() {
            Some('(') => {
                self.advance(1);
                Ok(Token::Open)
            }
            Some(')') => {
                self.advance(1);
                Ok(Token::Close)
            }
            Some('"') => self.quoted(),
            Some('`') => {
                let inside = characters.as_str();
                let end = inside
                    .find('`')
                    .ok_or_else(|| self.error("`", "a string is not closed with `"))?;
                let text = inside[..end].replace('\r', "");
                self.advance(end + 2);
                Ok(Token::Text(text))
            }
            Some('.') => Ok(Token::Path(self.names())),
            Some('$') => {
                self.advance(1);
                if self.rest().starts_with(is_word) {
                    return Err(PageError::unsupported(self.line, "a variable"));
                }
                Ok(Token::Root(self.names()))
            }
            Some(first) if first.is_ascii_digit() || matches!(first, '-' | '+') => self.number(),
            Some(first) if is_word(first) => Ok(Token::Word(self.word())),
            other => Err(PageError::unsupported(
                self.line,
                format!("`{}`", other.unwrap_or_default().escape_default()),
            )),
        }
    }

    /// `.A.B`, or the dot alone.
    fn names(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(behind) = self.rest().strip_prefix('.') {
            self.advance(1);
            if !behind.starts_with(is_word) {
                break;
            }
            names.push(self.word());
        }
        names
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.advance(end);
        rest[..end].to_owned()
    }

    fn number(&mut self) -> Result<Token, PageError> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !is_word(c) && !matches!(c, '-' | '+' | '.'))
            .unwrap_or(rest.len());
        let text = &rest[..end];
        // A zero in front would make it octal in Go.
        let digits = text.trim_start_matches(['-', '+']);
        let number = text
            .parse()
            .ok()
            .filter(|_| digits == "0" || !digits.starts_with('0'));
        let number = number.ok_or_else(|| {
            self.error(&format!("`{}`", clip(text)), "not a whole decimal number")
        })?;
        self.advance(end);
        Ok(Token::Number(number))
    }

    /// A string in double quotes, with the escapes of Go.
    fn quoted(&mut self) -> Result<Token, PageError> {
        let unclosed = self.error("\"", "a string is not closed with \" on its line");
        let rest = self.rest();
        let mut characters = rest.char_indices().skip(1);
        let mut text = String::new();
        loop {
            match characters.next().ok_or_else(|| unclosed.clone())? {
                (_, '\n') => return Err(unclosed),
                (end, '"') => {
                    self.advance(end + 1);
                    return Ok(Token::Text(text));
                }
                (_, '\\') => {
                    let escaped = characters.next().map(|(_, escaped)| escaped);
                    let digits = match escaped {
                        Some('n') => Ok('\n'),
                        Some('t') => Ok('\t'),
                        Some('r') => Ok('\r'),
                        Some('"') => Ok('"'),
                        Some('\\') => Ok('\\'),
                        Some('x') => Err(2),
                        Some('u') => Err(4),
                        Some('U') => Err(8),
                        _ => Err(0),
                    };
                    let character = match digits {
                        Ok(character) => Some(character),
                        Err(0) => None,
                        Err(count) => {
                            let digits: String =
                                characters.by_ref().take(count).map(|(_, c)| c).collect();
                            let code = u32::from_str_radix(&digits, 16).ok();
                            // Two digits are a byte, and only ASCII is a character of its own.
                            code.filter(|code| digits.len() == count && (count > 2 || *code < 128))
                                .and_then(char::from_u32)
                        }
                    };
                    text.push(character.ok_or_else(|| {
                        self.error(
                            "\\",
                            "not one of the escapes \\n \\t \\r \\\" \\\\ \\x \\u \\U",
                        )
                    })?);
                }
                (_, character) => text.push(character),
            }
        }
    }
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// Enough of it to be found.
pub(super) fn clip(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    shown.escape_debug().to_string()
}
