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
