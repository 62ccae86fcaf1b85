//! Requests for one instance: `X-Cf-App-Instance` and `X-Cf-Process-Instance` (spec 3.3, R-095 to R-104).

use crate::message::{Name, Names, View};
use crate::respond::Answer;

/// Which instances a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addressed<'a> {
    /// One instance of an application.
    App { guid: &'a str, index: &'a str },
    /// The instances of a process, or one of them.
    Process {
        guid: &'a str,
        index: Option<&'a str>,
    },
}

impl<'a> Addressed<'a> {
    /// What the request says; `None` when it says nothing, as nearly all do.
    ///
    /// # Errors
    /// The answer to a value that does not have the form that it has to have.
    #[inline]
    pub(super) fn of(request: &View<'a>) -> Result<Option<Addressed<'a>>, Answer> {
        const ADDRESSES: Names = Names::of(&[Name::CfAppInstance, Name::CfProcessInstance]);
        if request.head.present.has_any(ADDRESSES) {
            Self::parse(request)
        } else {
            Ok(None)
        }
    }

    #[cold]
    fn parse(request: &View<'a>) -> Result<Option<Addressed<'a>>, Answer> {
        let value = |id| request.value(id).filter(|value| !value.is_empty());
        if let Some(value) = value(Name::CfAppInstance) {
            let (guid, index) = split(value).ok_or_else(Answer::invalid_app_instance)?;
            let index = index.ok_or_else(Answer::invalid_app_instance)?;
            return Ok(Some(Addressed::App { guid, index }));
        }
        let Some(value) = value(Name::CfProcessInstance) else {
            return Ok(None);
        };
        let (guid, index) = split(value).ok_or_else(Answer::invalid_process_instance)?;
        Ok(Some(Addressed::Process { guid, index }))
    }

    /// Whether an endpoint of this application, index and process is meant.
    pub(super) fn means(&self, app: &str, instance_index: &str, process: Option<&str>) -> bool {
        match *self {
            Addressed::App { guid, index } => guid == app && index == instance_index,
            Addressed::Process { guid, index } => {
                Some(guid) == process && index.is_none_or(|index| index == instance_index)
            }
        }
    }

    /// The answer when there is no such endpoint, or no route at all.
    pub(super) fn missing(&self, host: &[u8]) -> Answer {
        let host = String::from_utf8_lossy(host);
        let behind = format!("does not exist for route ('{host}')");
        Answer::unknown_instance(match *self {
            Addressed::App { guid, index } => {
                format!("Requested instance ('{index}') with guid ('{guid}') {behind}")
            }
            Addressed::Process {
                guid,
                index: Some(index),
            } => format!("Requested instance ('{index}') with process guid ('{guid}') {behind}"),
            Addressed::Process { guid, index: None } => {
                format!("Requested instance with process guid ('{guid}') {behind}")
            }
        })
    }
}

/// A GUID in lower case, and behind a colon an index if there is one.
fn split(value: &[u8]) -> Option<(&str, Option<&str>)> {
    let value = std::str::from_utf8(value).ok()?;
    let (guid, index) = match value.split_once(':') {
        Some((guid, index)) => (guid, Some(index)),
        None => (value, None),
    };
    let is_index = |index: &str| !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
    (is_guid(guid) && index.is_none_or(is_index)).then_some((guid, index))
}

/// 8-4-4-4-12 digits.
fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "0b8e5c0e-1111-2222-3333-444455556666";

    #[test]
    fn only_lower_case_guids_with_decimal_indexes_are_taken() {
        assert_eq!(split(GUID.as_bytes()), Some((GUID, None)));
        assert_eq!(
            split(format!("{GUID}:007").as_bytes()),
            Some((GUID, Some("007")))
        );
        for wrong in [
            format!("{GUID}:"),
            format!("{GUID}:-1"),
            format!("{GUID}:1:2"),
            format!("{GUID} :1"),
            GUID.to_uppercase(),
            GUID.replace('-', "0"),
            GUID[1..].to_owned(),
            "nonsense".to_owned(),
        ] {
            assert_eq!(split(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert_eq!(split(b"\xff"), None);
    }

    #[test]
    fn an_application_and_a_process_are_told_apart() {
        let (guid, index) = (GUID, "1");
        assert!(Addressed::App { guid, index }.means(GUID, "1", None));
        assert!(!Addressed::App { guid, index }.means(GUID, "11", None));
        let process = Addressed::Process { guid, index: None };
        assert!(process.means("", "7", Some(GUID)));
        assert!(!process.means(GUID, "7", None));
    }
}
