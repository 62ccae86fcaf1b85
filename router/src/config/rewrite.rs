//! `http_rewrite`: changes to response headers.

use cloverleaf_config::section;

section! {
    /// `http_rewrite`: changes to response headers.
    pub struct HttpRewrite {
        /// Changes to every response.
        responses: RewriteResponses => Works,
    }
}

section! {
    /// `http_rewrite.responses`: changes to every response.
    pub struct RewriteResponses {
        /// Headers to add where a response has none of the name.
        add_headers_if_not_present: Vec<HeaderToAdd> => Works,
        /// Headers to remove.
        remove_headers: Vec<HeaderToRemove> => Works,
    }
}

section! {
    /// An entry of `http_rewrite.responses.add_headers_if_not_present`.
    pub struct HeaderToAdd {
        /// Name of the header.
        name: String => Works shown "required",
        /// Its value.
        value: String => Works,
    }
}

section! {
    /// An entry of `http_rewrite.responses.remove_headers`.
    pub struct HeaderToRemove {
        /// Name of the header.
        name: String => Works shown "required",
    }
}

/// Whether rules may add and remove this header. Not those that say where a message ends and what becomes of the
/// connection: they are the codec's; nor the date, which is made anew where it is missing; nor what is no name at all.
pub fn is_rewritable(name: &str) -> bool {
    const CODEC: [&str; 9] = [
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(is_token)
        && !CODEC.iter().any(|known| name.eq_ignore_ascii_case(known))
}
