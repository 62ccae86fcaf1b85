//! YAML text to [`Document`]. The only module that names the YAML library.
//!
//! It reads the library's event stream rather than deserialising, because the text as written and
//! its line are needed: `trace_key: 22` is text for a text key, and every problem names its line.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, Tag, options};

use crate::document::{Content, Document, Entry, Node};
use crate::problem::{Notice, Problem};

/// Deepest nesting of lists and maps. Real files have five levels.
const MAX_DEPTH: usize = 64;
/// Bound on what a document may grow to when aliases are expanded: each value costs its text and
/// [`NODE_COST`]. It stops files of a few lines that expand to gigabytes.
const MAX_COST: usize = 64 << 20;
const NODE_COST: usize = 64;

/// Parses the first document of `text`.
pub(crate) fn parse(text: &str) -> Result<Document, Problem> {
    let options = options! { emit_comments: false };
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let line = error.marker().line();
            Problem::form(line, format!("cannot be read as YAML: {}", error.info()))
        })?;
        if matches!(event, Event::DocumentStart(..)) && builder.root.is_some() {
            builder.notices.push(Notice {
                key: String::new(),
                line: Some(span.start.line()),
                text: "only the first document of the file is read".to_owned(),
            });
            break;
        }
        builder.take(event, span)?;
    }
    Ok(Document {
        root: builder.root.unwrap_or(Node {
            line: 1,
            content: Content::Null,
        }),
        problems: builder.problems,
        notices: builder.notices,
    })
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Frame>,
    anchors: HashMap<usize, (Node, Size)>,
    cost: usize,
    problems: Vec<Problem>,
    notices: Vec<Notice>,
}

/// What an alias adds when it stands for a value.
#[derive(Clone, Copy)]
struct Size {
    cost: usize,
    depth: usize,
}

/// A list or map whose end has not been seen yet.
struct Frame {
    line: usize,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        lines: HashMap<String, usize>,
        key: Option<(String, usize)>,
        merged: Vec<Node>,
    },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(NODE_COST + text.len(), line)?;
                let content = scalar(&text, style, tag.as_deref());
                self.complete(Node { line, content }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(line, anchor, Kind::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let kind = Kind::Map {
                    entries: Vec::new(),
                    lines: HashMap::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.begin(line, anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(Problem::form(
                        line,
                        "an alias refers to a value that contains it",
                    ));
                };
                let (size, content) = (*size, node.content.clone());
                self.descend(size.depth, line)?;
                self.spend(size.cost, line)?;
                self.complete(Node { line, content }, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, line: usize, anchor: usize, kind: Kind) -> Result<(), Problem> {
        self.spend(NODE_COST, line)?;
        self.descend(1, line)?;
        self.open.push(Frame { line, anchor, kind });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(frame) = self.open.pop() else {
            return Ok(());
        };
        let content = match frame.kind {
            Kind::List(items) => Content::List(items),
            Kind::Map {
                mut entries,
                merged,
                ..
            } => {
                for node in merged {
                    self.merge(&mut entries, node);
                }
                Content::Map(entries)
            }
        };
        let line = frame.line;
        self.complete(Node { line, content }, frame.anchor)
    }

    /// Gives a finished value to the list or map it stands in.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        if anchor != 0 {
            let size = size(&node);
            self.spend(size.cost, node.line)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let path = self.path();
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.kind {
            Kind::List(items) => items.push(node),
            Kind::Map {
                entries,
                lines,
                key,
                merged,
            } => match key.take() {
                None => match node.content {
                    Content::Scalar { text, .. } => *key = Some((text, node.line)),
                    Content::Null => *key = Some(("null".to_owned(), node.line)),
                    Content::List(_) | Content::Map(_) => {
                        return Err(Problem::form(node.line, "a list or a map stands as a key"));
                    }
                },
                Some((name, _)) if name == "<<" => merged.push(node),
                Some((name, line)) => match lines.get(&name) {
                    Some(first) => self.problems.push(Problem {
                        key: join(&path, &name),
                        line: Some(line),
                        found: "is given twice".to_owned(),
                        expected: format!("one value; the first is in line {first}"),
                    }),
                    None => {
                        lines.insert(name.clone(), line);
                        // A block of text or a map begins below its key, where nobody looks for it.
                        let node = Node { line, ..node };
                        entries.push(Entry { key: name, node });
                    }
                },
            },
        }
        Ok(())
    }

    /// Adds the keys of `<<` that the map does not have itself (YAML 1.1 merge keys, which Go's
    /// reader knows and deployment tools write).
    fn merge(&mut self, entries: &mut Vec<Entry>, node: Node) {
        match node.content {
            Content::Map(more) => {
                for entry in more {
                    if !entries.iter().any(|known| known.key == entry.key) {
                        entries.push(entry);
                    }
                }
            }
            Content::List(items) => items.into_iter().for_each(|item| self.merge(entries, item)),
            Content::Null => {}
            Content::Scalar { .. } => self.problems.push(Problem {
                key: join(&self.path(), "<<"),
                line: Some(node.line),
                found: "is text".to_owned(),
                expected: "a map, or a list of maps, to merge".to_owned(),
            }),
        }
    }

    /// Refuses `levels` more levels below the open ones when that is too deep.
    fn descend(&self, levels: usize, line: usize) -> Result<(), Problem> {
        if self.open.len() + levels > MAX_DEPTH {
            let text = format!("lists and maps are nested more than {MAX_DEPTH} deep");
            return Err(Problem::form(line, text));
        }
        Ok(())
    }

    fn spend(&mut self, cost: usize, line: usize) -> Result<(), Problem> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > MAX_COST {
            return Err(Problem::form(
                line,
                "the file, with its aliases expanded, is too large",
            ));
        }
        Ok(())
    }

    /// Path of the innermost open list or map.
    fn path(&self) -> String {
        let mut path = String::new();
        // The innermost frame's own pending key belongs to the value, not to the frame.
        for frame in self.open.iter().take(self.open.len().saturating_sub(1)) {
            match &frame.kind {
                Kind::List(items) => path.push_str(&format!("[{}]", items.len())),
                Kind::Map { key, .. } => {
                    let name = key.as_ref().map_or("", |(name, _)| name.as_str());
                    path = join(&path, name);
                }
            }
        }
        path
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Content {
    let plain = match tag.and_then(Tag::core_suffix) {
        Some("str" | "binary") => false,
        Some("int" | "float" | "bool" | "null") => true,
        _ => style == ScalarStyle::Plain,
    };
    if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Content::Null;
    }
    Content::Scalar {
        text: text.to_owned(),
        plain,
    }
}

/// Recursion is bounded by [`MAX_DEPTH`].
fn size(node: &Node) -> Size {
    let (text, children): (usize, Vec<Size>) = match &node.content {
        Content::Null => (0, Vec::new()),
        Content::Scalar { text, .. } => (text.len(), Vec::new()),
        Content::List(items) => (0, items.iter().map(size).collect()),
        Content::Map(entries) => (
            entries.iter().map(|entry| entry.key.len()).sum(),
            entries.iter().map(|entry| size(&entry.node)).collect(),
        ),
    };
    let nests = usize::from(matches!(node.content, Content::List(_) | Content::Map(_)));
    Size {
        cost: NODE_COST + text + children.iter().map(|child| child.cost).sum::<usize>(),
        depth: nests + children.iter().map(|child| child.depth).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
