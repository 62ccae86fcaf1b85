//! From pieces to a tree: what belongs to which `if` and `with`.

use super::escape::Escape;
use super::expression::{Expression, Kind, read};
use super::lexer::{Piece, Token, pieces};
use super::{Node, PageError};

/// How deep `if` and `with` may stand in each other; an `else if` is one deeper.
const DEEPEST: usize = 64;

/// Reads a whole file.
pub(super) fn parse(file: &str) -> Result<Vec<Node>, PageError> {
    let pieces = pieces(file)?;
    let mut parser = Parser {
        pieces: pieces.into_iter(),
    };
    let (nodes, end) = parser.list(None, DEEPEST)?;
    match end {
        Stop::File => Ok(nodes),
        Stop::Else { line, .. } => {
            Err(PageError::new(line, "{{else}}", "belongs to no if or with"))
        }
        Stop::End { line } => Err(PageError::new(line, "{{end}}", "belongs to no if or with")),
    }
}

struct Parser<'a> {
    pieces: std::vec::IntoIter<Piece<'a>>,
}

/// What a list ended with.
enum Stop {
    File,
    End {
        line: usize,
    },
    /// With what stands behind `else`.
    Else {
        line: usize,
        rest: Vec<Token>,
    },
}

impl Parser<'_> {
    /// Nodes up to an `else` or `end` of the list that they stand in.
    fn list(&mut self, dot: Option<Kind>, depth: usize) -> Result<(Vec<Node>, Stop), PageError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (line, tokens) = match piece {
                Piece::Text { line, text } => {
                    let text = text.as_bytes().to_vec();
                    nodes.push(Node::Text { line, text });
                    continue;
                }
                Piece::Action { line, tokens } => (line, tokens),
            };
            match tokens.split_first() {
                Some((Token::Word(word), rest)) if word == "end" => {
                    return match rest {
                        [] => Ok((nodes, Stop::End { line })),
                        _ => Err(PageError::new(line, "{{end}}", "stands alone")),
                    };
                }
                Some((Token::Word(word), rest)) if word == "else" => {
                    let rest = rest.to_vec();
                    return Ok((nodes, Stop::Else { line, rest }));
                }
                Some((Token::Word(word), rest)) if word == "if" || word == "with" => {
                    nodes.push(self.branch(line, word, rest, dot, depth)?);
                }
                _ => {
                    let (value, _) = read(&tokens, line, dot)?;
                    let escape = Escape::Html;
                    nodes.push(Node::Print {
                        line,
                        value,
                        escape,
                    });
                }
            }
        }
        Ok((nodes, Stop::File))
    }

    fn branch(
        &mut self,
        line: usize,
        word: &str,
        tokens: &[Token],
        dot: Option<Kind>,
        depth: usize,
    ) -> Result<Node, PageError> {
        let name = format!("{{{{{word}}}}}");
        let Some(depth) = depth.checked_sub(1) else {
            return Err(PageError::new(line, name, "stands in too many others"));
        };
        let (value, kind): (Expression, Kind) = read(tokens, line, dot)?;
        let is_with = word == "with";
        let inside = if is_with { Some(kind) } else { dot };
        let (then, end) = self.list(inside, depth)?;
        let otherwise = match end {
            Stop::End { .. } => Vec::new(),
            Stop::Else { line, rest } => match rest.split_first() {
                None => {
                    let (otherwise, end) = self.list(dot, depth)?;
                    if let Stop::Else { line, .. } = end {
                        return Err(PageError::new(line, "{{else}}", "there is one already"));
                    }
                    if matches!(end, Stop::File) {
                        return Err(PageError::new(line, "{{else}}", "has no {{end}}"));
                    }
                    otherwise
                }
                Some((Token::Word(word), rest)) if word == "if" || word == "with" => {
                    vec![self.branch(line, word, rest, dot, depth)?]
                }
                Some(_) => return Err(PageError::unsupported(line, "{{else ...}}")),
            },
            Stop::File => return Err(PageError::new(line, name, "has no {{end}}")),
        };
        Ok(Node::Branch {
            line,
            value,
            is_with,
            then,
            otherwise,
        })
    }
}
