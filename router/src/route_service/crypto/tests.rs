use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Made by GoRouter, for `http://app.test/p`, with `compat secret`, valid until 2099.
const GOOD: (&str, &str) = (
    "uep5fbqXGQlNkl75nvs-hkk7lVAYDvcgLqz9ZBhzUVs1oFiuTl2VlYORwKEv8ihsFVuX6q6QQm1NXpWDD9ia5_w6Cj_2_zT80burJf1U5PDWozvI0nE8_fEr7qEeaNvYfVqTJufsJQ==",
    "eyJub25jZSI6Ing4bXQyTzBVcUZUWkFPQkMifQ==",
);
/// The same with `previous secret`.
const FORMER: (&str, &str) = (
    "wcllVdn-3vS2f41DQ5am-VGGBNRqtkItiAXb5K8aK1bqP2K49QlIfcFpfdJ3SpAHswcUHARqQ5i96uwWpVpTBC9O4V3U-Wjhy9l57DpxvARmh-LJ4C9U591de1md",
    "eyJub25jZSI6Im5UVE1tVkU0NnBaMXZ5UVkifQ==",
);
/// With `compat secret`, for 2020.
const EXPIRED: (&str, &str) = (
    "q8ykUwLzC28DbhkwtbF0TMSfIo2ZI9KeVvHL-xU0ev6lPKK-mJNOFBbFNv4SACQTZuv4Cgq602h26A5NnyTbIYi7Joaftchczj9jjolMGwI6GulRxvyH1QGwcJeJ",
    "eyJub25jZSI6InJMUmNWWGhTblk4eWFMbnEifQ==",
);
/// Sealed with OpenSSL under the key of `compat secret` and the nonce 00 01 .. 0b:
/// `{"forwarded_url":"https://app.test/p?q=1&r=2","requested_time":"2026-01-02T03:04:05.678901234Z"}`
const SEALED: (&str, &str) = (
    "AJNbzJfxjwO9U0Wf_oRBJsTNpU_jNoyjstTHT2xHRIg4CnIyLAtus5TDs2peg5IBvOJcpcI3FaeN_-dLf_UeFP7ahcpI0pAv6HA8vkaUDPO3ejJIJcApl_HgvDhm3oOK9-mgQp_Az_ZE1lCGiKzxaw==",
    "eyJub25jZSI6IkFBRUNBd1FGQmdjSUNRb0wifQ==",
);
/// As `SEALED`, with an escaped `&` as Go writes it, and the zone +02:00.
const ZONED: &str = "AJNbzJfxjwO9U0Wf_oRBJsTNpU_jNsW2sprWTzIdVZ4_US19Ykdi3seBvmpK3Y1B-78LstQyBaah_-tCRaNNW6nIjd5X0pM09XJZo0WcaPe4cDdSKcckhfHjtDtiptyuHuH4SDiV0sU8PWmoAJe1";

fn secrets(former: &str) -> Secrets {
    Secrets::derive("compat secret", former).unwrap()
}

fn open(secrets: &Secrets, (signature, metadata): (&str, &str)) -> Result<String, Invalid> {
    let now = datetime!(2026-01-02 03:05:05 UTC);
    let opened = secrets.open(signature.as_bytes(), metadata.as_bytes(), now, MINUTE);
    opened.map(|opened| opened.url)
}

// R-260
#[test]
fn what_others_sealed_with_the_secret_is_understood() {
    let secrets = secrets("");
    assert_eq!(open(&secrets, GOOD).unwrap(), "http://app.test/p");
    assert_eq!(
        open(&secrets, SEALED).unwrap(),
        "https://app.test/p?q=1&r=2"
    );
    let zoned = (ZONED, SEALED.1);
    assert_eq!(open(&secrets, zoned).unwrap(), "http://app.test/p?q=1&r=2");
}

// R-260
#[test]
fn what_is_sealed_is_what_others_would_seal() {
    let nonce = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    let signed = secrets("").seal_with(
        nonce,
        "https://app.test/p?q=1&r=2",
        None,
        datetime!(2026-01-02 03:04:05.678901234 UTC),
    );
    let signed = signed.unwrap();
    assert_eq!((&*signed.signature, &*signed.metadata), SEALED);
}

#[test]
fn the_former_secret_is_understood_where_it_is_configured() {
    assert_eq!(open(&secrets(""), FORMER), Err(Invalid::Forged));
    let both = secrets("previous secret");
    assert_eq!(open(&both, FORMER).unwrap(), "http://app.test/p");
    assert_eq!(open(&both, GOOD).unwrap(), "http://app.test/p");
    assert_eq!(
        Secrets::derive("previous secret", "")
            .map(|secrets| open(&secrets, GOOD))
            .unwrap(),
        Err(Invalid::Forged)
    );
}

#[test]
fn a_signature_holds_until_its_time_is_over_and_not_before_it_came() {
    let secrets = secrets("");
    assert_eq!(open(&secrets, EXPIRED), Err(Invalid::Expired));
    let at = |now| secrets.open(SEALED.0.as_bytes(), SEALED.1.as_bytes(), now, MINUTE);
    assert!(at(datetime!(2026-01-02 03:05:05.678901234 UTC)).is_ok());
    assert_eq!(
        at(datetime!(2026-01-02 03:05:05.678901235 UTC)),
        Err(Invalid::Expired)
    );
    assert!(at(datetime!(2000-01-01 00:00:00 UTC)).is_ok());
}

#[test]
fn what_does_not_hold_says_why() {
    let secrets = secrets("");
    let cause = |signature: &str, metadata: &str| {
        open(&secrets, (signature, metadata))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(cause(GOOD.0, ""), "No metadata found");
    assert_eq!(cause("///", GOOD.1), "illegal base64 data at input byte 0");
    assert_eq!(cause(GOOD.0, "eyJ!"), "illegal base64 data at input byte 3");
    assert_eq!(
        cause(FORMER.0, FORMER.1),
        "cipher: message authentication failed"
    );
    // {"nonce":"AAAA"}: a wrong length ended GoRouter once.
    assert_eq!(
        cause(GOOD.0, "eyJub25jZSI6IkFBQUEifQ=="),
        "incorrect nonce length"
    );
    assert_eq!(cause(GOOD.0, "e30="), "invalid contents: metadata");
    assert_eq!(cause("", GOOD.1), "cipher: message authentication failed");
    let nonce = [7; NONCE_LEN];
    let metadata = secrets
        .seal_with(nonce, "", None, datetime!(2026-01-01 0:00 UTC))
        .unwrap()
        .metadata;
    for (contents, why) in [
        ("{}", "invalid contents: signature"),
        (
            r#"{"forwarded_url":"a","requested_time":"soon"}"#,
            "invalid contents: requested_time",
        ),
    ] {
        let mut sealed = contents.as_bytes().to_vec();
        secrets
            .current
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut sealed,
            )
            .unwrap();
        assert_eq!(cause(&URL_SAFE.encode(sealed), &metadata), why);
    }
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", secrets("previous secret"));
    assert!(
        !shown.contains("secret\"") && shown.contains("former: true"),
        "{shown}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everything_comes_back_as_it_went(url in ".*", app in ".*", seconds in 0i64..4_000_000_000, nanos in 0i64..1_000_000_000) {
        // Deriving keys is slow on purpose.
        static SECRETS: std::sync::LazyLock<Secrets> = std::sync::LazyLock::new(|| secrets(""));
        let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap() + time::Duration::nanoseconds(nanos);
        let caller = Caller { app: app.into(), ..Caller::default() };
        let signed = SECRETS.seal(&url, Some(&caller), now).unwrap();
        let opened = SECRETS.open(signed.signature.as_bytes(), signed.metadata.as_bytes(), now, Duration::ZERO);
        prop_assert_eq!(opened, Ok(Opened { url, caller: Some(caller) }));
    }

    #[test]
    fn nothing_forged_holds(at in 0usize..128, bit in 0u8..6, signature in any::<Vec<u8>>(), metadata in any::<Vec<u8>>()) {
        static SECRETS: std::sync::LazyLock<Secrets> = std::sync::LazyLock::new(|| secrets(""));
        let now = datetime!(2026-01-02 03:04:05 UTC);
        prop_assert!(SECRETS.open(&signature, &metadata, now, MINUTE).is_err());
        let mut sealed = URL_SAFE.decode(SEALED.0).unwrap();
        let at = at % sealed.len();
        sealed[at] ^= 1 << bit;
        let forged = URL_SAFE.encode(sealed);
        prop_assert_eq!(SECRETS.open(forged.as_bytes(), SEALED.1.as_bytes(), now, MINUTE), Err(Invalid::Forged));
    }
}
