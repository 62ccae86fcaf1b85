//! Header names that the router has a rule for, recognised once while a head is parsed.

/// A header name that some rule of the router looks at; everything else is [`Name::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Name {
    /// No rule of the router looks at it.
    Other,
    /// `Authorization`
    Authorization,
    /// `Connection`
    Connection,
    /// `Content-Length`
    ContentLength,
    /// `Cookie`
    Cookie,
    /// `Date`
    Date,
    /// `Expect`
    Expect,
    /// `Host`
    Host,
    /// `Idempotency-Key` and `X-Idempotency-Key`
    IdempotencyKey,
    /// `Keep-Alive`
    KeepAlive,
    /// `Proxy-Authenticate`
    ProxyAuthenticate,
    /// `Proxy-Authorization`
    ProxyAuthorization,
    /// `Proxy-Connection`
    ProxyConnection,
    /// `Referer`
    Referer,
    /// `Set-Cookie`
    SetCookie,
    /// `TE`
    Te,
    /// `Trailer`
    Trailer,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Upgrade`
    Upgrade,
    /// `User-Agent`
    UserAgent,
    /// `WWW-Authenticate`
    WwwAuthenticate,
    /// `X-Cf-App-Instance`
    CfAppInstance,
    /// `X-Cf-Process-Instance`
    CfProcessInstance,
    /// `X-CF-ApplicationID`
    CfApplicationId,
    /// `X-CF-InstanceID`
    CfInstanceId,
    /// `X-CF-InstanceIndex`
    CfInstanceIndex,
    /// `X-Cf-RouterError`
    CfRouterError,
    /// `X-CF-Forwarded-Url`
    CfForwardedUrl,
    /// `X-CF-Proxy-Metadata`
    CfProxyMetadata,
    /// `X-CF-Proxy-Signature`
    CfProxySignature,
    /// `X-Forwarded-Client-Cert`
    ForwardedClientCert,
    /// `X-Forwarded-For`
    ForwardedFor,
    /// `X-Forwarded-Proto`
    ForwardedProto,
    /// `X-Request-Start`
    RequestStart,
    /// `X-Vcap-Request-Id`
    VcapRequestId,
    /// `X-Vcap-Trace`
    VcapTrace,
    /// Another spelling (`_` or `.` for `-`) of a name that the router vouches for: many application
    /// stacks fold these into one, so such a line never goes on.
    Lookalike,
}

/// A set of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names(u64);

impl Names {
    /// These names.
    pub const fn of(names: &[Name]) -> Names {
        let (mut set, mut at) = (0, 0);
        while at < names.len() {
            set |= 1 << names[at] as u8;
            at += 1;
        }
        Names(set)
    }

    /// Adds a name.
    #[inline]
    pub fn insert(&mut self, name: Name) {
        self.0 |= 1 << name as u8;
    }

    /// Whether `name` is among them.
    #[inline]
    pub const fn has(self, name: Name) -> bool {
        self.0 & 1 << name as u8 != 0
    }

    /// Whether any of `others` is among them.
    #[inline]
    pub const fn has_any(self, others: Names) -> bool {
        self.0 & others.0 != 0
    }
}

use Name::*;

/// Names by length, in lower case.
const BY_LENGTH: [&[(&str, Name)]; 24] = {
    let mut table: [&[(&str, Name)]; 24] = [&[]; 24];
    table[2] = &[("te", Te)];
    table[4] = &[("host", Host), ("date", Date)];
    table[6] = &[("cookie", Cookie), ("expect", Expect)];
    table[7] = &[
        ("referer", Referer),
        ("upgrade", Upgrade),
        ("trailer", Trailer),
    ];
    table[10] = &[
        ("connection", Connection),
        ("user-agent", UserAgent),
        ("keep-alive", KeepAlive),
        ("set-cookie", SetCookie),
    ];
    table[12] = &[("x-vcap-trace", VcapTrace)];
    table[13] = &[("authorization", Authorization)];
    table[14] = &[("content-length", ContentLength)];
    table[15] = &[
        ("x-forwarded-for", ForwardedFor),
        ("x-request-start", RequestStart),
        ("idempotency-key", IdempotencyKey),
        ("x-cf-instanceid", CfInstanceId),
    ];
    table[16] = &[
        ("proxy-connection", ProxyConnection),
        ("www-authenticate", WwwAuthenticate),
        ("x-cf-routererror", CfRouterError),
    ];
    table[17] = &[
        ("transfer-encoding", TransferEncoding),
        ("x-forwarded-proto", ForwardedProto),
        ("x-vcap-request-id", VcapRequestId),
        ("x-idempotency-key", IdempotencyKey),
        ("x-cf-app-instance", CfAppInstance),
    ];
    table[18] = &[
        ("proxy-authenticate", ProxyAuthenticate),
        ("x-cf-applicationid", CfApplicationId),
        ("x-cf-instanceindex", CfInstanceIndex),
        ("x-cf-forwarded-url", CfForwardedUrl),
    ];
    table[19] = &[
        ("proxy-authorization", ProxyAuthorization),
        ("x-cf-proxy-metadata", CfProxyMetadata),
    ];
    table[20] = &[("x-cf-proxy-signature", CfProxySignature)];
    table[21] = &[("x-cf-process-instance", CfProcessInstance)];
    table[23] = &[("x-forwarded-client-cert", ForwardedClientCert)];
    table
};

impl Name {
    /// The rule-bearing name behind `name`, whatever its case.
    #[inline]
    pub fn of(name: &[u8]) -> Name {
        let Some(candidates) = BY_LENGTH.get(name.len()) else {
            return Other;
        };
        let Some(first) = name.first().map(u8::to_ascii_lowercase) else {
            return Other;
        };
        for (text, id) in candidates.iter() {
            if text.as_bytes().first() != Some(&first) {
                continue;
            }
            if is_spelling(name, text.as_bytes()) {
                return *id;
            }
            if id.vouched_for() && is_lookalike(name, text.as_bytes()) {
                return Lookalike;
            }
        }
        Other
    }

    /// The router sets this header itself, so an application may trust it (design invariant 7).
    pub const fn vouched_for(self) -> bool {
        matches!(
            self,
            CfApplicationId
                | CfForwardedUrl
                | CfInstanceId
                | CfInstanceIndex
                | CfProxyMetadata
                | CfProxySignature
                | ForwardedClientCert
                | ForwardedFor
                | ForwardedProto
                | VcapRequestId
        )
    }

    /// What concerns one connection only and never goes on (RFC 9110 section 7.6.1, spec 4.4).
    pub const HOP_BY_HOP: Names = Names::of(&[
        Connection,
        KeepAlive,
        ProxyAuthenticate,
        ProxyAuthorization,
        ProxyConnection,
        Te,
        Trailer,
        TransferEncoding,
        Upgrade,
    ]);

    /// Whether it is one of [`Name::HOP_BY_HOP`].
    #[inline]
    pub const fn hop_by_hop(self) -> bool {
        Name::HOP_BY_HOP.has(self)
    }
}

/// Whether `name` is `text` in whatever case; both have the same length, and `text` is in lower case.
///
/// Eight bytes at a time: setting one bit makes an upper-case letter a lower-case one and leaves digits and `-` alone.
/// Nothing else that may stand in a field name becomes one of them by it.
#[inline]
pub fn is_spelling(name: &[u8], text: &[u8]) -> bool {
    const LOWER: u64 = u64::from_ne_bytes([0x20; 8]);
    let same = |name: &[u8; 8], text: &[u8; 8]| {
        u64::from_ne_bytes(*name) | LOWER == u64::from_ne_bytes(*text)
    };
    let (words, texts) = (name.as_chunks::<8>().0, text.as_chunks::<8>().0);
    if !words.iter().zip(texts).all(|(word, text)| same(word, text)) {
        return false;
    }
    match (name.last_chunk::<8>(), text.last_chunk::<8>()) {
        // Once more what was compared already, but for the rest behind the last whole word.
        (Some(name), Some(text)) => same(name, text),
        _ => name
            .iter()
            .zip(text)
            .all(|(name, text)| name | 0x20 == *text),
    }
}

fn is_lookalike(name: &[u8], text: &[u8]) -> bool {
    name.iter().zip(text).all(|(byte, want)| match want {
        b'-' => matches!(byte, b'-' | b'_' | b'.'),
        _ => byte.eq_ignore_ascii_case(want),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case() {
        assert_eq!(Name::of(b"hOST"), Host);
        assert_eq!(Name::of(b"X-FORWARDED-FOR"), ForwardedFor);
        assert_eq!(Name::of(b"x-idempotency-key"), IdempotencyKey);
        assert_eq!(Name::of(b"x-unknown"), Other);
        assert_eq!(Name::of(b""), Other);
    }

    #[test]
    fn other_spellings_of_vouched_names_are_lookalikes() {
        assert_eq!(Name::of(b"X_Forwarded_For"), Lookalike);
        assert_eq!(Name::of(b"x.vcap-request_id"), Lookalike);
        assert_eq!(Name::of(b"Content_Length"), Other);
    }

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let mut names = Names::of(&[Host, Lookalike]);
        assert!(names.has(Host) && names.has(Lookalike) && !names.has(Date));
        names.insert(Date);
        assert!(names.has(Date) && names.has_any(Names::of(&[Cookie, Date])));
        assert!(!names.has_any(Names::of(&[Cookie, Other])));
    }

    #[test]
    fn a_name_that_differs_anywhere_is_another() {
        for (text, id) in BY_LENGTH.iter().copied().flatten() {
            for at in 0..text.len() {
                let mut name = text.as_bytes().to_vec();
                name[at] = b'!';
                assert_ne!(Name::of(&name), *id, "{text} with another byte {at}");
            }
        }
    }

    // Design invariant 7
    #[test]
    fn every_vouched_name_is_known_in_every_spelling_and_no_other_name_has_any() {
        for (text, id) in BY_LENGTH.iter().copied().flatten() {
            for other in ['_', '.'] {
                let spelled = text.to_uppercase().replace('-', &other.to_string());
                let expected = match id.vouched_for() {
                    true => Lookalike,
                    false if spelled.eq_ignore_ascii_case(text) => *id,
                    false => Other,
                };
                assert_eq!(Name::of(spelled.as_bytes()), expected, "{spelled}");
            }
        }
    }

    #[test]
    fn every_entry_stands_below_its_own_length() {
        for (length, entries) in BY_LENGTH.iter().enumerate() {
            for (text, _) in entries.iter() {
                assert_eq!(text.len(), length, "{text}");
            }
        }
    }
}
