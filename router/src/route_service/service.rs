//! Where a route service is.

use crate::table::without_user;

/// A service's URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    url: Box<str>,
    authority: Box<str>,
    host: Box<str>,
    port: u16,
    target: Box<str>,
    way: Way,
}

/// How a service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Over a connection to where its URL says.
    Outside,
    /// As a route of this router, without leaving it (spec 8.6).
    Inside,
}

/// A URL that names no service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no URL of a route service")]
pub struct NoService;

impl Service {
    /// Takes `url` apart. It comes out of a registration, so whatever could end a header line is refused. A user in it
    /// plays no part, as with GoRouter.
    ///
    /// # Errors
    /// When it is no https URL with a host.
    pub fn parse(url: &str) -> Result<Service, NoService> {
        if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(NoService);
        }
        let rest = match url.split_at_checked("https://".len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https://") => rest,
            _ => return Err(NoService),
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, origin) = rest.split_at(end);
        let authority = authority
            .rsplit_once('@')
            .map_or(authority, |(_, authority)| authority);
        let (host, port) = host_and_port(authority)?;
        let mut target = String::with_capacity(origin.len() + 1);
        if !origin.starts_with('/') {
            target.push('/');
        }
        for byte in origin.bytes() {
            match byte.is_ascii() {
                true => target.push(char::from(byte)),
                false => target.push_str(&format!("%{byte:02X}")),
            }
        }
        Ok(Service {
            url: without_user(url).into(),
            authority: authority.into(),
            host: host.into(),
            port,
            target: target.into(),
            way: Way::Outside,
        })
    }

    /// The same, reached in this way.
    pub fn by(self, way: Way) -> Service {
        Service { way, ..self }
    }

    /// How it is reached.
    pub fn way(&self) -> Way {
        self.way
    }

    /// The URL as registered, for logs: without its user, whose password would be in there.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What `Host` says: the host, with the port where the URL has one.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Host name or address; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, 443 where the URL has none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, at least `/`.
    pub fn target(&self) -> &str {
        &self.target
    }
}

fn host_and_port(authority: &str) -> Result<(&str, u16), NoService> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(NoService)?;
            address
                .parse::<std::net::Ipv6Addr>()
                .map_err(|_| NoService)?;
            (address, port)
        }
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            let allowed =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if host.is_empty() || !host.bytes().all(allowed) {
                return Err(NoService);
            }
            (host, port)
        }
    };
    let port = match port {
        "" | ":" => 443,
        port => {
            let digits = port.strip_prefix(':').ok_or(NoService)?;
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(NoService);
            }
            digits.parse().map_err(|_| NoService)?
        }
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, String, u16, String) {
        let service = Service::parse(url).unwrap();
        assert_eq!(service.url(), url.replace("me:secret@", ""));
        (
            service.authority().into(),
            service.host().into(),
            service.port(),
            service.target().into(),
        )
    }

    #[test]
    fn a_url_is_where_to_connect_and_what_to_ask_for() {
        let expected = |authority: &str, host: &str, port, target: &str| {
            (authority.into(), host.into(), port, target.into())
        };
        assert_eq!(
            parts("https://rs.test"),
            expected("rs.test", "rs.test", 443, "/")
        );
        assert_eq!(
            parts("HTTPS://rs.test:8443/a/b?c=d#e"),
            expected("rs.test:8443", "rs.test", 8443, "/a/b?c=d")
        );
        assert_eq!(
            parts("https://me:secret@rs.test?q=/@"),
            expected("rs.test", "rs.test", 443, "/?q=/@")
        );
        assert_eq!(
            parts("https://[::1]:8443/ä"),
            expected("[::1]:8443", "::1", 8443, "/%C3%A4")
        );
    }

    #[test]
    fn anything_else_is_none() {
        for url in [
            "",
            "https",
            "https://",
            "https:///path",
            "http://rs.test",
            "https://rs.test\r\nX: y",
            "https://rs.test/a b",
            "https://rs.test:port",
            "https://rs.test:+1",
            "https://rs.test:65536",
            "https://[::1",
            "https://[rs.test]",
            "https://[::1]8443",
            "https://rs\u{e4}.test",
            "https://a,b",
        ] {
            assert_eq!(Service::parse(url), Err(NoService), "{url:?}");
        }
    }
}
