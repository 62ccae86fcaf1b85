//! Templates of error pages.

use cloverleaf_router::respond::{Page, Shown};

/// What a stranger would have the page show: it leaves text, and an attribute of any kind.
const HOSTILE: &str = "<zq\"zq'zq`zq>.";

/// Any text in a file.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let page = match Page::parse(text) {
        Ok(page) => page,
        Err(error) => {
            let lines = 1 + text.matches('\n').count();
            assert!(
                (1..=lines).contains(&error.line),
                "{error} of {lines} lines"
            );
            let shown = error.to_string();
            assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
            return;
        }
    };
    // What the operator writes is the operator's.
    if text.contains("zq") {
        return;
    }
    for status in [404, 503] {
        let shown = page.render(&Shown {
            status,
            status_text: HOSTILE,
            message: HOSTILE,
            headers: &[("X-Cf-RouterError", HOSTILE)],
        });
        let shown = String::from_utf8_lossy(&shown);
        for raw in ["<zq", "zq\"", "zq'", "zq>"] {
            assert!(!shown.contains(raw), "{raw} in {shown}");
        }
    }
}
