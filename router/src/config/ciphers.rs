//! `cipher_suites`: the names that the original knows, and which of them can be served.

use cloverleaf_config::{Node, Reader, Value, shown};

/// A cipher suite for TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CipherSuite {
    /// Name in the RFCs.
    pub name: &'static str,
    /// Number in the IANA registry.
    pub id: u16,
    /// Other accepted names: OpenSSL's, and Go's shorter ones for ChaCha20.
    also: &'static [&'static str],
    /// Whether the TLS library can serve it.
    pub served: bool,
}

const fn suite(
    id: u16,
    name: &'static str,
    also: &'static [&'static str],
    served: bool,
) -> CipherSuite {
    CipherSuite {
        name,
        id,
        also,
        served,
    }
}

/// All that GoRouter accepts (1.4). Those with RC4, 3DES, CBC or static RSA keys exist in no
/// modern TLS stack: named in a list they are skipped.
static KNOWN: &[CipherSuite] = &[
    suite(0x0005, "TLS_RSA_WITH_RC4_128_SHA", &["RC4-SHA"], false),
    suite(
        0x000a,
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        &["DES-CBC3-SHA"],
        false,
    ),
    suite(
        0x002f,
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        &["AES128-SHA"],
        false,
    ),
    suite(
        0x0035,
        "TLS_RSA_WITH_AES_256_CBC_SHA",
        &["AES256-SHA"],
        false,
    ),
    suite(
        0x003c,
        "TLS_RSA_WITH_AES_128_CBC_SHA256",
        &["AES128-SHA256"],
        false,
    ),
    suite(
        0x009c,
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        &["AES128-GCM-SHA256"],
        false,
    ),
    suite(
        0x009d,
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        &["AES256-GCM-SHA384"],
        false,
    ),
    suite(
        0xc007,
        "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
        &["ECDHE-ECDSA-RC4-SHA"],
        false,
    ),
    suite(
        0xc009,
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        &["ECDHE-ECDSA-AES128-SHA"],
        false,
    ),
    suite(
        0xc00a,
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        &["ECDHE-ECDSA-AES256-SHA"],
        false,
    ),
    suite(
        0xc011,
        "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
        &["ECDHE-RSA-RC4-SHA"],
        false,
    ),
    suite(
        0xc012,
        "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
        &["ECDHE-RSA-DES-CBC3-SHA"],
        false,
    ),
    suite(
        0xc013,
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        &["ECDHE-RSA-AES128-SHA"],
        false,
    ),
    suite(
        0xc014,
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        &["ECDHE-RSA-AES256-SHA"],
        false,
    ),
    suite(
        0xc023,
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        &["ECDHE-ECDSA-AES128-SHA256"],
        false,
    ),
    suite(
        0xc027,
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        &["ECDHE-RSA-AES128-SHA256"],
        false,
    ),
    suite(
        0xc02f,
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        &["ECDHE-RSA-AES128-GCM-SHA256"],
        true,
    ),
    suite(
        0xc02b,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        &["ECDHE-ECDSA-AES128-GCM-SHA256"],
        true,
    ),
    suite(
        0xc030,
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        &["ECDHE-RSA-AES256-GCM-SHA384"],
        true,
    ),
    suite(
        0xc02c,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        &["ECDHE-ECDSA-AES256-GCM-SHA384"],
        true,
    ),
    suite(
        0xcca8,
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        &[
            "ECDHE-RSA-CHACHA20-POLY1305",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
        ],
        true,
    ),
    suite(
        0xcca9,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        &[
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
        ],
        true,
    ),
    suite(0x1301, "TLS_AES_128_GCM_SHA256", &[], true),
    suite(0x1302, "TLS_AES_256_GCM_SHA384", &[], true),
    suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256", &[], true),
];

impl CipherSuite {
    /// The suite of an OpenSSL or RFC name.
    pub fn from_name(name: &str) -> Option<&'static CipherSuite> {
        KNOWN
            .iter()
            .find(|suite| suite.name == name || suite.also.contains(&name))
    }

    /// Whether it is one of TLS 1.3, which a list does not restrict.
    pub fn is_tls13(&self) -> bool {
        self.id >> 8 == 0x13
    }
}

/// The list of `cipher_suites`, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CipherSuites(pub Vec<&'static CipherSuite>);

impl CipherSuites {
    /// The suites for TLS 1.2 that can be served.
    pub fn tls12(&self) -> impl Iterator<Item = &'static CipherSuite> {
        self.0
            .iter()
            .copied()
            .filter(|suite| suite.served && !suite.is_tls13())
    }

    /// Whether anything but suites of TLS 1.3 is named, or nothing at all.
    pub fn allow_tls12(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|suite| !suite.is_tls13())
    }

    /// The suites that are known but cannot be served.
    pub fn skipped(&self) -> impl Iterator<Item = &'static CipherSuite> {
        self.0.iter().copied().filter(|suite| !suite.served)
    }
}

impl Value for CipherSuites {
    fn kind() -> String {
        "text".to_owned()
    }

    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        const EXPECTED: &str = "cipher suite names joined by colons";
        let Some(text) = node.text() else {
            if !node.is_empty() {
                reader.wrong(node, EXPECTED);
            }
            return;
        };
        if text.trim().is_empty() {
            return;
        }
        let mut suites = Vec::new();
        for name in text.split(':') {
            match CipherSuite::from_name(name) {
                Some(suite) => suites.push(suite),
                None => {
                    let named = Node {
                        line: node.line,
                        content: cloverleaf_config::Content::Scalar {
                            text: name.to_owned(),
                            plain: true,
                        },
                    };
                    let found = shown("cipher_suites", &named);
                    reader.wrong_because(node, format!("unknown cipher suite {found}"), EXPECTED);
                }
            }
        }
        *self = Self(suites);
    }

    fn show(&self) -> String {
        if self.0.is_empty() {
            return "empty".to_owned();
        }
        let names: Vec<&str> = self.0.iter().map(|suite| suite.name).collect();
        names.join(":")
    }
}
