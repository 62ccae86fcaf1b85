//! Names that say more than others about what stands behind them.

/// The elements whose content is not HTML, and all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Other,
    Script,
    Style,
    Textarea,
    Title,
}

/// What the value of an attribute means to a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Plain,
    /// An address: what may stand there depends on more than HTML.
    Url,
    /// A script, a style, HTML, a list of addresses.
    Code,
}

impl Element {
    pub(super) fn named(name: &[u8]) -> Element {
        match name.to_ascii_lowercase().as_slice() {
            b"script" => Element::Script,
            b"style" => Element::Style,
            b"textarea" => Element::Textarea,
            b"title" => Element::Title,
            _ => Element::Other,
        }
    }

    pub(super) fn name(self) -> Option<&'static [u8]> {
        match self {
            Element::Other => None,
            Element::Script => Some(b"script"),
            Element::Style => Some(b"style"),
            Element::Textarea => Some(b"textarea"),
            Element::Title => Some(b"title"),
        }
    }
}

impl Attribute {
    pub(super) fn named(name: &[u8]) -> Attribute {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix(b"data-").unwrap_or(&name);
        let name = match memchr::memchr(b':', name) {
            Some(5) if name.starts_with(b"xmlns") => return Attribute::Url,
            Some(colon) => &name[colon + 1..],
            None => name,
        };
        let holds = |part| memchr::memmem::find(name, part).is_some();
        match name {
            b"style" | b"srcdoc" | b"srcset" | b"imagesrcset" => Attribute::Code,
            _ if name.starts_with(b"on") => Attribute::Code,
            b"action" | b"archive" | b"background" | b"cite" | b"classid" | b"codebase"
            | b"data" | b"formaction" | b"href" | b"icon" | b"longdesc" | b"manifest" | b"ping"
            | b"poster" | b"profile" | b"usemap" | b"xmlns" => Attribute::Url,
            _ if holds(b"src") || holds(b"uri") || holds(b"url") => Attribute::Url,
            _ => Attribute::Plain,
        }
    }
}
