//! The reference of a service's keys, made from their definitions.

use crate::key::{Key, Status};

/// One line of the reference: a key that holds a value, with its whole path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Heading under which the key stands; the name of its section when that has no headings.
    pub group: String,
    /// Path such as `status.tls.port`; entries of a list are written `tls_pem[].private_key`.
    pub path: String,
    /// Second accepted name of the last part of the path.
    pub also: Option<&'static str>,
    /// Type.
    pub kind: String,
    /// Default, as it would be written.
    pub default: String,
    /// What the key means, on one line.
    pub doc: String,
    /// Whether the service acts on it, its sections' status taken into account.
    pub status: Status,
}

/// The reference of all keys, sections flattened, in the order of their definition.
pub fn rows(keys: &[Key]) -> Vec<Row> {
    let mut rows = Vec::new();
    collect(keys, "", "", Status::Works, &mut rows);
    rows
}

fn collect(keys: &[Key], prefix: &str, group: &str, status: Status, rows: &mut Vec<Row>) {
    for key in keys {
        let path = format!("{prefix}{}", key.name());
        let status = key.status.within(status);
        let below = (key.keys)();
        let group = if key.group.is_empty() {
            group
        } else {
            key.group
        };
        if below.is_empty() || key.list {
            rows.push(Row {
                group: group.to_owned(),
                path: path.clone(),
                also: key.also,
                kind: (key.kind)(),
                default: (key.default)(),
                doc: one_line(key.doc),
                status,
            });
        }
        let mark = if key.list { "[]." } else { "." };
        collect(below, &format!("{path}{mark}"), group, status, rows);
    }
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The reference as Markdown: a heading for each group, a table of its keys below it.
pub fn markdown_table(rows: &[Row]) -> String {
    let mut page = String::new();
    let mut groups: Vec<&str> = Vec::new();
    for row in rows {
        if !groups.contains(&row.group.as_str()) {
            groups.push(&row.group);
        }
    }
    for group in groups {
        page.push_str(&format!("## {group}\n\n"));
        page.push_str("| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
        for row in rows.iter().filter(|row| row.group == group) {
            let also = row
                .also
                .map_or(String::new(), |also| format!(" (also `{also}`)"));
            let status = match row.status {
                Status::Works => String::new(),
                Status::Later => " **Not yet.**".to_owned(),
                Status::Accepted(why) => format!(" **No effect:** {why}."),
            };
            page.push_str(&format!(
                "| `{}`{also} | {} | {} | {}{status} |\n",
                row.path,
                cell(&row.kind),
                cell(&default(row)),
                cell(&row.doc),
            ));
        }
        page.push('\n');
    }
    page
}

fn default(row: &Row) -> String {
    let words = ["", "empty", "required"];
    if words.contains(&row.default.as_str()) || row.default.starts_with("as ") {
        row.default.clone()
    } else {
        format!("`{}`", row.default)
    }
}

/// Text for a table cell, where a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
