//! A page for one error. Cannot fail: kinds were checked when the file was read.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::expression::{Comparison, Expression};
use super::{Node, Shown};

/// What an expression came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(i64),
    Text(Cow<'a, str>),
    Truth(bool),
}

/// Appends what the nodes show. `dot` is the value of the nearest `with`.
pub(super) fn push<'a>(
    nodes: &'a [Node],
    shown: &Shown<'a>,
    dot: Option<&Value<'a>>,
    out: &mut Vec<u8>,
) {
    for node in nodes {
        match node {
            Node::Text { text, .. } => out.extend_from_slice(text),
            Node::Print { value, escape, .. } => match evaluate(value, shown, dot) {
                Value::Number(number) => escape.push(&number.to_string(), out),
                Value::Text(text) => escape.push(&text, out),
                Value::Truth(truth) => escape.push(if truth { "true" } else { "false" }, out),
            },
            Node::Branch {
                value,
                is_with,
                then,
                otherwise,
                ..
            } => {
                let value = evaluate(value, shown, dot);
                match (value.holds(), is_with) {
                    (true, true) => push(then, shown, Some(&value), out),
                    (true, false) => push(then, shown, dot, out),
                    (false, _) => push(otherwise, shown, dot, out),
                }
            }
        }
    }
}

fn evaluate<'a>(
    expression: &'a Expression,
    shown: &Shown<'a>,
    dot: Option<&Value<'a>>,
) -> Value<'a> {
    match expression {
        Expression::Status => Value::Number(shown.status.into()),
        Expression::StatusText => Value::Text(shown.status_text.into()),
        Expression::Message => Value::Text(shown.message.into()),
        Expression::Header(name) => {
            let name = evaluate(name, shown, dot);
            let found = shown.headers.iter().find(|(known, _)| name.is_name(known));
            Value::Text(found.map_or("", |(_, value)| value).into())
        }
        Expression::Dot => dot.cloned().unwrap_or(Value::Truth(false)),
        Expression::Number(number) => Value::Number(*number),
        Expression::Text(text) => Value::Text(text.as_str().into()),
        Expression::Truth(truth) => Value::Truth(*truth),
        Expression::Compare(comparison, first, others) => {
            let first = evaluate(first, shown, dot);
            let mut others = others.iter().map(|other| evaluate(other, shown, dot));
            Value::Truth(others.any(|other| comparison.holds(first.order(&other))))
        }
        Expression::And(values) => decide(values, shown, dot, false),
        Expression::Or(values) => decide(values, shown, dot, true),
        Expression::Not(value) => Value::Truth(!evaluate(value, shown, dot).holds()),
    }
}

/// The first value that is `decisive` about the whole, else the last.
fn decide<'a>(
    values: &'a [Expression],
    shown: &Shown<'a>,
    dot: Option<&Value<'a>>,
    decisive: bool,
) -> Value<'a> {
    let mut last = Value::Truth(false);
    for value in values {
        last = evaluate(value, shown, dot);
        if last.holds() == decisive {
            break;
        }
    }
    last
}

impl Value<'_> {
    /// Whether it is not empty.
    fn holds(&self) -> bool {
        match self {
            Value::Number(number) => *number != 0,
            Value::Text(text) => !text.is_empty(),
            Value::Truth(truth) => *truth,
        }
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self, Value::Text(text) if text.eq_ignore_ascii_case(name))
    }

    fn order(&self, other: &Value<'_>) -> Ordering {
        match (self, other) {
            (Value::Number(one), Value::Number(other)) => one.cmp(other),
            (Value::Text(one), Value::Text(other)) => one.cmp(other),
            (Value::Truth(one), Value::Truth(other)) => one.cmp(other),
            // Refused when the file was read.
            _ => Ordering::Less,
        }
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::Unequal => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}
