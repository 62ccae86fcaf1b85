//! A route's name in one piece of memory.

/// Uri of a route in lower case, and its context path as first registered.
///
/// Nearly every route fits inline: a look-up that has come as far as the pool then compares the
/// name without another trip to memory.
// In this order for the reason given at `Pool`.
#[derive(Debug, Clone)]
#[repr(C)]
pub(crate) struct Name {
    /// Length of the host, the beginning of the text.
    host: u32,
    /// Length of the uri: host and context path.
    uri: u32,
    text: Text,
}

/// 48 bytes, as many as a boxed string of an ordinary uri takes in all.
#[derive(Debug, Clone)]
enum Text {
    Inline { length: u8, bytes: [u8; INLINE] },
    Boxed(Box<str>),
}

const INLINE: usize = 46;

impl Name {
    pub(crate) fn new(uri: &super::uri::RouteUri<'_>) -> Self {
        let mut text = String::with_capacity(uri.host.len() + 2 * uri.path_as_registered.len());
        text.push_str(uri.host);
        text.push_str(uri.path);
        text.make_ascii_lowercase();
        let length = text.len();
        if text.get(uri.host.len()..) != Some(uri.path_as_registered) {
            text.push_str(uri.path_as_registered);
        }
        Self {
            text: Text::new(&text),
            host: saturate(uri.host.len()),
            uri: saturate(length),
        }
    }

    pub(crate) fn uri(&self) -> &str {
        self.slice(0, self.uri as usize)
    }

    pub(crate) fn host(&self) -> &str {
        self.slice(0, self.host as usize)
    }

    pub(crate) fn path(&self) -> &str {
        self.slice(self.host as usize, self.uri as usize)
    }

    /// Context path in the case of the first registration and with its trailing slash.
    pub(crate) fn path_as_registered(&self) -> &str {
        let end = self.text.as_bytes().len();
        if end > self.uri as usize {
            self.slice(self.uri as usize, end)
        } else {
            self.path()
        }
    }

    pub(crate) fn host_bytes(&self) -> &[u8] {
        let bytes = self.text.as_bytes();
        bytes.get(..self.host as usize).unwrap_or_default()
    }

    pub(crate) fn path_bytes(&self) -> &[u8] {
        let range = self.host as usize..self.uri as usize;
        self.text.as_bytes().get(range).unwrap_or_default()
    }

    fn slice(&self, from: usize, to: usize) -> &str {
        self.text.as_str().get(from..to).unwrap_or_default()
    }
}

impl Text {
    fn new(text: &str) -> Self {
        let mut bytes = [0; INLINE];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(start), Ok(length)) => {
                start.copy_from_slice(text.as_bytes());
                Self::Inline { length, bytes }
            }
            _ => Self::Boxed(text.into()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Boxed(text) => text.as_bytes(),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            // Always valid: the bytes were copied from a string.
            Self::Inline { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Boxed(text) => text,
        }
    }
}

fn saturate(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::uri::RouteUri;
    use super::*;

    fn name(uri: &str) -> Name {
        Name::new(&RouteUri::parse(uri).unwrap())
    }

    #[test]
    fn short_and_long_names_read_alike() {
        for path in ["", "/P", "/some/Path/", &"/segment".repeat(20)] {
            let uri = format!("App.Example.COM{path}");
            let name = name(&uri);
            let lower = path.strip_suffix('/').unwrap_or(path).to_lowercase();
            assert_eq!(name.uri(), format!("app.example.com{lower}"));
            assert_eq!(name.host(), "app.example.com");
            assert_eq!(name.path(), lower);
            assert_eq!(name.path_as_registered(), path);
            assert_eq!(name.host_bytes(), b"app.example.com");
            assert_eq!(name.path_bytes(), lower.as_bytes());
        }
    }

    #[test]
    fn a_name_takes_56_bytes_whatever_its_length() {
        assert_eq!(size_of::<Name>(), 56);
    }
}
