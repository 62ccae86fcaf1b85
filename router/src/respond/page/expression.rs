//! What stands in an action: values, comparisons, their types.

use super::lexer::{Token, clip};
use super::{PageError, SUPPORTED};

/// How deep parentheses may stand in each other.
const DEEPEST: usize = 32;

/// Something with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Status,
    StatusText,
    Message,
    /// `.Header.Get NAME`
    Header(Box<Expression>),
    /// The value of the nearest `with`.
    Dot,
    Number(i64),
    Text(String),
    Truth(bool),
    /// The first against the others; only `eq` has more than one of them.
    Compare(Comparison, Box<Expression>, Vec<Expression>),
    /// The first empty one, else the last.
    And(Vec<Expression>),
    /// The first that is not empty, else the last.
    Or(Vec<Expression>),
    Not(Box<Expression>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What kind of value it is. Each is known before anything is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    Truth,
    /// One or the other, of `and` and `or`: can be shown and asked, but not compared.
    Mixed,
}

/// Reads all of `tokens`. `dot` is the kind of the value of the nearest `with`.
pub(super) fn read(
    tokens: &[Token],
    line: usize,
    dot: Option<Kind>,
) -> Result<(Expression, Kind), PageError> {
    let mut reader = Reader {
        tokens: tokens.iter(),
        line,
        dot,
    };
    let value = reader.command(DEEPEST)?;
    match reader.tokens.next() {
        None => Ok(value),
        Some(token) => Err(PageError::unsupported(line, shown(token))),
    }
}

struct Reader<'a> {
    tokens: std::slice::Iter<'a, Token>,
    line: usize,
    dot: Option<Kind>,
}

impl Reader<'_> {
    fn error(&self, found: impl Into<String>, expected: &str) -> PageError {
        PageError::new(self.line, found, expected)
    }

    /// A function or a method with its arguments, or a value alone.
    fn command(&mut self, depth: usize) -> Result<(Expression, Kind), PageError> {
        let token = self.tokens.as_slice().first();
        match token {
            Some(Token::Word(name)) if name != "true" && name != "false" => {
                self.tokens.next();
                self.call(name, depth)
            }
            Some(token @ (Token::Path(names) | Token::Root(names)))
                if *names == ["Header", "Get"]
                    && (self.dot.is_none() || matches!(token, Token::Root(_))) =>
            {
                self.tokens.next();
                let arguments = self.arguments(depth)?;
                match <[_; 1]>::try_from(arguments) {
                    Ok([(name, Kind::Text)]) => Ok((Expression::Header(name.into()), Kind::Text)),
                    _ => Err(self.error(".Header.Get", "takes one header's name, a text")),
                }
            }
            _ => self.operand(depth),
        }
    }

    fn call(&mut self, name: &str, depth: usize) -> Result<(Expression, Kind), PageError> {
        use Comparison::*;
        let comparison = match name {
            "eq" => Some(Equal),
            "ne" => Some(Unequal),
            "lt" => Some(Less),
            "le" => Some(LessOrEqual),
            "gt" => Some(Greater),
            "ge" => Some(GreaterOrEqual),
            "and" | "or" | "not" => None,
            _ => {
                return Err(PageError::unsupported(
                    self.line,
                    format!("`{}`", clip(name)),
                ));
            }
        };
        let arguments = self.arguments(depth)?;
        if let Some(comparison) = comparison {
            return self.comparison(name, comparison, arguments);
        }
        let kind = match arguments.split_first() {
            None => return Err(self.error(name, "takes values")),
            Some(((_, first), rest)) if rest.iter().all(|(_, kind)| kind == first) => *first,
            Some(_) => Kind::Mixed,
        };
        let mut values: Vec<_> = arguments.into_iter().map(|(value, _)| value).collect();
        match (name, values.len()) {
            ("and", _) => Ok((Expression::And(values), kind)),
            ("or", _) => Ok((Expression::Or(values), kind)),
            (_, 1) => Ok((Expression::Not(values.remove(0).into()), Kind::Truth)),
            _ => Err(self.error("not", "takes one value")),
        }
    }

    fn comparison(
        &self,
        name: &str,
        comparison: Comparison,
        arguments: Vec<(Expression, Kind)>,
    ) -> Result<(Expression, Kind), PageError> {
        let count = arguments.len();
        let mut arguments = arguments.into_iter();
        let (Some((first, kind)), true) = (
            arguments.next(),
            count == 2 || count > 2 && comparison == Comparison::Equal,
        ) else {
            return Err(self.error(name, "takes two values"));
        };
        let has_order = !matches!(comparison, Comparison::Equal | Comparison::Unequal);
        let mut others = Vec::new();
        for (other, other_kind) in arguments {
            if other_kind != kind || kind == Kind::Mixed || kind == Kind::Truth && has_order {
                return Err(self.error(
                    name,
                    "compares numbers with numbers and texts with texts; .Status is a number",
                ));
            }
            others.push(other);
        }
        Ok((
            Expression::Compare(comparison, first.into(), others),
            Kind::Truth,
        ))
    }

    /// Values up to the end, or to the parenthesis that closes.
    fn arguments(&mut self, depth: usize) -> Result<Vec<(Expression, Kind)>, PageError> {
        let mut arguments = Vec::new();
        while !matches!(self.tokens.as_slice().first(), None | Some(Token::Close)) {
            arguments.push(self.operand(depth)?);
        }
        Ok(arguments)
    }

    fn operand(&mut self, depth: usize) -> Result<(Expression, Kind), PageError> {
        let Some(token) = self.tokens.next() else {
            return Err(self.error("{{}}", &format!("a value is missing; {SUPPORTED}")));
        };
        Ok(match token {
            Token::Text(text) => (Expression::Text(text.clone()), Kind::Text),
            Token::Number(number) => (Expression::Number(*number), Kind::Number),
            Token::Word(word) if word == "true" => (Expression::Truth(true), Kind::Truth),
            Token::Word(word) if word == "false" => (Expression::Truth(false), Kind::Truth),
            Token::Open => {
                let deeper = depth
                    .checked_sub(1)
                    .ok_or_else(|| self.error("(", "stands in too many others"))?;
                let value = self.command(deeper)?;
                match self.tokens.next() {
                    Some(Token::Close) => value,
                    _ => return Err(self.error("(", "is not closed with )")),
                }
            }
            Token::Path(names) => match (names.as_slice(), self.dot) {
                ([], Some(kind)) => (Expression::Dot, kind),
                (_, None) => self.field(token, names)?,
                _ => {
                    let expected = "inside with, a field is reached through $, such as $.Status";
                    return Err(self.error(shown(token), expected));
                }
            },
            Token::Root(names) => self.field(token, names)?,
            _ => return Err(PageError::unsupported(self.line, shown(token))),
        })
    }

    fn field(&self, token: &Token, names: &[String]) -> Result<(Expression, Kind), PageError> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["Status"] => Ok((Expression::Status, Kind::Number)),
            ["StatusText"] => Ok((Expression::StatusText, Kind::Text)),
            ["Message"] => Ok((Expression::Message, Kind::Text)),
            ["Header", "Get"] => Err(self.error(
                ".Header.Get",
                "needs parentheses where it is an argument: (.Header.Get \"name\")",
            )),
            _ => Err(PageError::unsupported(self.line, shown(token))),
        }
    }
}

/// A token as it was written, nearly.
fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("`{}`", clip(word)),
        Token::Path(names) => format!("`.{}`", clip(&names.join("."))),
        Token::Root(names) if names.is_empty() => "`$`".to_owned(),
        Token::Root(names) => format!("`$.{}`", clip(&names.join("."))),
        Token::Text(text) => format!("\"{}\"", clip(text)),
        Token::Number(number) => format!("`{number}`"),
        Token::Open => "`(`".to_owned(),
        Token::Close => "`)`".to_owned(),
    }
}
