use proptest::prelude::*;

use super::*;
use crate::filters::sticky::cookies;

const NOW: u64 = 1_700_000_000;

fn of(line: &str) -> Attributes {
    let (_, attributes) = cookies::set(line.as_bytes());
    Attributes::of(attributes)
}

fn written(attributes: &Attributes) -> String {
    let mut out = Vec::new();
    attributes.write(&mut out);
    String::from_utf8(out).unwrap()
}

fn remembered(attributes: &Attributes, now: u64) -> String {
    let mut out = Vec::new();
    attributes.remember(now, &mut out);
    String::from_utf8(out).unwrap()
}

/// What is read of a value, and the parts that cannot be.
fn recalled(value: &str, now: u64) -> (Attributes, Vec<String>) {
    let mut unreadable = Vec::new();
    let attributes = Attributes::recall(value.as_bytes(), now, |part| {
        unreadable.push(part.escape_ascii().to_string());
    });
    (attributes, unreadable)
}

#[test]
fn attributes_are_read_whatever_their_case_and_order() {
    let all = Attributes {
        secure: true,
        partitioned: true,
        expires: Some(1_924_992_000),
        max_age: Some(60),
        same_site: Some(SameSite::Lax),
    };
    for line in [
        "S=x; Secure; Partitioned; Expires=Wed, 01 Jan 2031 00:00:00 GMT; Max-Age=60; SameSite=Lax",
        "S=x;SAMESITE=lax;max-age = 60 ; expires=Wed, 01-Jan-2031 00:00:00 UTC;partitioned;secure;Path=/;Domain=a.test",
        "S=x; Max-Age=5; Max-Age=60; Expires=Mon, 01 Jan 2031 00:00:00 GMT; Secure=0; Partitioned=x; SameSite=none; SameSite=LAX",
    ] {
        assert_eq!(of(line), all, "{line}");
    }
    assert_eq!(
        written(&all),
        "; Expires=Wed, 01 Jan 2031 00:00:00 GMT; Max-Age=60; HttpOnly; Secure; SameSite=Lax; Partitioned"
    );
    assert_eq!(written(&of("S=x")), "; HttpOnly");
}

#[test]
fn what_cannot_be_read_is_as_if_it_were_not_there() {
    for line in [
        "S=x; Max-Age=abc; Expires=tomorrow; SameSite=sometimes",
        "S=x; Max-Age=; Expires=; SameSite",
        "S=x; Max-Age=+5; Max-Age=5.0; Max-Age=--5; Max-Age=99999999999999999999",
        "S=x; Expires=Wed, 31 Feb 2031 00:00:00 GMT; Expires=Wed, 01 Jan 2031 00:00:00 PST",
        "S=x; Expires=\u{20ac}ed, 01 Jan 2031 00:00:00 G; Securely; Path=/; HttpOnly",
    ] {
        assert_eq!(of(line), Attributes::default(), "{line}");
    }
}

#[test]
fn an_age_of_nothing_and_a_date_long_gone_delete() {
    for line in ["S=x; Max-Age=0", "S=x; Max-Age=-5", "S=x; Max-Age=-0"] {
        assert_eq!(written(&of(line)), "; Max-Age=0; HttpOnly", "{line}");
        assert_eq!(remembered(&of(line), NOW), "maxage=-1", "{line}");
    }
    for line in [
        "S=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "S=x; Expires=Wed, 31-Dec-1969 23:59:59 GMT",
        "S=x; Expires=Mon, 01 Jan 0001 00:00:00 GMT",
    ] {
        assert_eq!(
            written(&of(line)),
            "; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly",
            "{line}"
        );
    }
}

#[test]
fn the_value_that_remembers_holds_the_parts_in_a_fixed_order() {
    let line = "S=x; SameSite=Strict; Max-Age=60; Expires=Wed, 01 Jan 2031 00:00:00 GMT; Partitioned; Secure";
    assert_eq!(
        remembered(&of(line), NOW),
        "secure&partitioned&expires=1924992000&maxage=1700000060&samesite=strict"
    );
    assert_eq!(remembered(&of("S=x"), NOW), "");
    assert_eq!(remembered(&of("S=x; SameSite=none"), NOW), "samesite=none");
    assert_eq!(
        remembered(&of("S=x; Max-Age=18446744073709551615"), NOW),
        "maxage=18446744073709551615"
    );
}

#[test]
fn an_age_that_is_recalled_is_what_is_left_of_it() {
    let left = |value, now| recalled(value, now).0.max_age;
    assert_eq!(left("maxage=1700000060", NOW + 20), Some(40));
    assert_eq!(left("maxage=1700000060", NOW + 60), Some(0));
    assert_eq!(left("maxage=1700000060", NOW + 600), Some(0));
    assert_eq!(left("maxage=-1", NOW), Some(0));
    assert_eq!(left("secure", NOW), None);
}

#[test]
fn of_a_broken_value_the_readable_parts_are_taken() {
    let (attributes, unreadable) = recalled(
        "secure&nonsense&expires=never&maxage=1700000060&samesite=lax&expires=999999999999999&=&secure=1&maxage=-2",
        NOW,
    );
    assert_eq!(
        written(&attributes),
        "; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
    );
    assert_eq!(
        unreadable,
        [
            "nonsense",
            "expires=never",
            "expires=999999999999999",
            "=",
            "secure=1",
            "maxage=-2"
        ]
    );
    assert_eq!(recalled("", NOW), (Attributes::default(), Vec::new()));
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let site = prop_oneof![
        Just(None),
        Just(Some(SameSite::None)),
        Just(Some(SameSite::Lax)),
        Just(Some(SameSite::Strict))
    ];
    let times = (
        prop::option::of(0..=LAST_SECOND),
        prop::option::of(0..1_000_000_000_000_u64),
    );
    (any::<bool>(), any::<bool>(), times, site).prop_map(
        |(secure, partitioned, (expires, max_age), same_site)| Attributes {
            secure,
            partitioned,
            expires,
            max_age,
            same_site,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(attributes in any_attributes()) {
        prop_assert_eq!(of(&format!("S=x{}", written(&attributes))), attributes);
    }

    #[test]
    fn what_is_remembered_is_recalled_less_the_time_between(
        attributes in any_attributes(),
        later in 0..2_000_000_000_000_u64,
    ) {
        let (recalled, unreadable) = recalled(&remembered(&attributes, NOW), NOW + later);
        let max_age = attributes.max_age.map(|age| age.saturating_sub(later));
        prop_assert_eq!(recalled, Attributes { max_age, ..attributes });
        prop_assert_eq!(unreadable, Vec::<String>::new());
    }

    #[test]
    fn whatever_is_said_only_known_attributes_come_out(
        line in "[ -~]{0,80}",
        meta in "(secure|partitioned|expires=[0-9;]{0,20}|maxage=[-0-9]{0,22}|samesite=[a-z]{0,6}|[ -~]{0,9}|&){0,9}",
        now in any::<u64>(),
    ) {
        for attributes in [of(&format!("S=x;{line}")), recalled(&meta, now).0] {
            let written = written(&attributes);
            prop_assert!(!written.contains(['\r', '\n', '=', ' ']) || written.split("; ").skip(1).all(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                ["Expires", "Max-Age", "HttpOnly", "Secure", "SameSite", "Partitioned"].contains(&name)
                    && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b", :".contains(&byte))
            }), "{}", written);
        }
    }
}
