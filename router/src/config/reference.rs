//! `docs/configuration.md`, made from the definitions of the keys.

use cloverleaf_config::{Value, markdown_table, rows};

use super::Config;

const INTRODUCTION: &str = "\
# Configuration of the HTTP router

<!-- Generated from router/src/config. To renew it: UPDATE_DOCS=1 cargo test -p cloverleaf-router configuration_page -->

`cloverleaf-router -c FILE` reads one YAML file with GoRouter's keys. `cloverleaf-router -c FILE -check`
prints everything that is wrong with it, and everything worth knowing, without starting anything.

- Every key may be left out. A key without a value (`key:` or `null`) counts as left out, and so does
  empty text where a number, a duration, a boolean or a word is needed.
- Unknown keys are ignored. `-check` lists them and suggests what may have been meant.
- Durations are numbers with units, as in `500ms`, `30s` or `1m30s`; a plain number is nanoseconds.
- PEM values are the text itself, not the name of a file, unless the key says so.
- A mistake ends the process with code 1. All mistakes are reported at once, each with its key, its
  line, the value (never a secret) and what was expected.

**Not yet** marks keys that are read and checked but have no effect in this release. The router names
those that are set when it starts.

";

/// The whole page.
pub fn reference() -> String {
    let tables = markdown_table(&rows(Config::KEYS));
    format!("{INTRODUCTION}{}\n", tables.trim_end())
}
