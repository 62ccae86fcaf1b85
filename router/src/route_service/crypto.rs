//! The signature that a request carries to its route service and back, byte for byte as GoRouter makes and reads it
//! (spec 8.4): routers of both kinds share one secret.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::pbkdf2;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::callers::Caller;

/// Rounds of the key derivation.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(100_000);
/// Bytes of a key.
const KEY: usize = 16;

/// As Go's decoders, which take any bits behind the last whole byte.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// The keys: one that signs, and the one before it that is still understood.
pub struct Secrets {
    current: LessSafeKey,
    former: Option<LessSafeKey>,
}

/// The values of two of the headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// `X-CF-Proxy-Signature`
    pub signature: String,
    /// `X-CF-Proxy-Metadata`
    pub metadata: String,
}

/// What a signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The URL that the client asked for.
    pub url: String,
    /// Who the client was, where the router that signed knew and said so.
    pub caller: Option<Caller>,
}

/// Keys or signatures could not be made, for want of randomness above all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("route service signatures cannot be made")]
pub struct NoSignature;

/// Why a signature does not hold, in GoRouter's words where it has some: clients see them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// There is no `X-CF-Proxy-Metadata`, or an empty one.
    #[error("No metadata found")]
    NoMetadata,
    /// One of the headers is not in base64, from this byte on.
    #[error("illegal base64 data at input byte {0}")]
    Base64(usize),
    /// What is inside is not what it has to be.
    #[error("invalid contents: {0}")]
    Contents(&'static str),
    /// The nonce has another length.
    #[error("incorrect nonce length")]
    Nonce,
    /// Made with another secret, or tampered with.
    #[error("cipher: message authentication failed")]
    Forged,
    /// It was valid once.
    #[error("route service request expired")]
    Expired,
    /// Its URL is no route.
    #[error("original request URL {0} does not exist in the routing table")]
    UnknownRoute(String),
    /// Its URL is another route than the request's.
    #[error("original request URL {0} belongs to another route")]
    OtherRoute(String),
}

#[derive(Deserialize, Serialize)]
struct Contents<'a> {
    #[serde(borrow)]
    forwarded_url: Cow<'a, str>,
    requested_time: Cow<'a, str>,
    /// Ours alone; GoRouter passes over what it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller: Option<Cow<'a, Caller>>,
}

#[derive(Deserialize, Serialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    nonce: Cow<'a, str>,
}

impl Secrets {
    /// Derives the keys of a secret and, where it is not empty, of the one before it.
    ///
    /// # Errors
    /// When the system does not make keys.
    pub fn derive(secret: &str, former: &str) -> Result<Secrets, NoSignature> {
        let former = (!former.is_empty()).then(|| key(former));
        Ok(Secrets {
            current: key(secret)?,
            former: former.transpose()?,
        })
    }

    /// Signs `url`, and who asks for it where that is known, as of `now`.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(
        &self,
        url: &str,
        caller: Option<&Caller>,
        now: OffsetDateTime,
    ) -> Result<Signed, NoSignature> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| NoSignature)?;
        self.seal_with(nonce, url, caller, now)
    }

    fn seal_with(
        &self,
        nonce: [u8; NONCE_LEN],
        url: &str,
        caller: Option<&Caller>,
        now: OffsetDateTime,
    ) -> Result<Signed, NoSignature> {
        let requested_time = now.format(&Rfc3339).map_err(|_| NoSignature)?;
        let contents = Contents {
            forwarded_url: url.into(),
            requested_time: requested_time.into(),
            caller: caller.map(Cow::Borrowed),
        };
        let metadata = Metadata {
            nonce: STANDARD.encode(nonce).into(),
        };
        let json = |json: serde_json::Result<Vec<u8>>| json.map_err(|_| NoSignature);
        let mut sealed = json(serde_json::to_vec(&contents))?;
        let metadata = json(serde_json::to_vec(&metadata))?;
        self.current
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut sealed,
            )
            .map_err(|_| NoSignature)?;
        Ok(Signed {
            signature: URL_SAFE.encode(sealed),
            metadata: URL_SAFE.encode(metadata),
        })
    }

    /// What was signed at most `lifetime` before `now`. A time to come is no fault: clocks differ.
    ///
    /// # Errors
    /// Why the signature does not hold.
    pub fn open(
        &self,
        signature: &[u8],
        metadata: &[u8],
        now: OffsetDateTime,
        lifetime: Duration,
    ) -> Result<Opened, Invalid> {
        if metadata.is_empty() {
            return Err(Invalid::NoMetadata);
        }
        let metadata = decode(&URL_SAFE, metadata)?;
        let metadata: Metadata<'_> =
            serde_json::from_slice(&metadata).map_err(|_| Invalid::Contents("metadata"))?;
        let sealed = decode(&URL_SAFE, signature)?;
        let nonce = decode(&STANDARD, metadata.nonce.as_bytes())?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| Invalid::Nonce)?;
        let keys = std::iter::once(&self.current).chain(&self.former);
        let opened = keys
            .filter_map(|key| open(key, nonce, sealed.clone()))
            .next();
        let opened = opened.ok_or(Invalid::Forged)?;
        let contents: Contents<'_> =
            serde_json::from_slice(&opened).map_err(|_| Invalid::Contents("signature"))?;
        let requested = OffsetDateTime::parse(&contents.requested_time, &Rfc3339)
            .map_err(|_| Invalid::Contents("requested_time"))?;
        if now - requested > lifetime {
            return Err(Invalid::Expired);
        }
        Ok(Opened {
            url: contents.forwarded_url.into_owned(),
            caller: contents.caller.map(Cow::into_owned),
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Secrets")
            .field("former", &self.former.is_some())
            .finish_non_exhaustive()
    }
}

fn key(secret: &str) -> Result<LessSafeKey, NoSignature> {
    let mut bytes = [0; KEY];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        ROUNDS,
        b"",
        secret.as_bytes(),
        &mut bytes,
    );
    let key = UnboundKey::new(&AES_128_GCM, &bytes).map_err(|_| NoSignature)?;
    Ok(LessSafeKey::new(key))
}

fn open(key: &LessSafeKey, nonce: [u8; NONCE_LEN], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = key.open_in_place(nonce, Aad::empty(), &mut sealed);
    let length = opened.ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

fn decode(engine: &GeneralPurpose, text: &[u8]) -> Result<Vec<u8>, Invalid> {
    engine.decode(text).map_err(|error| match error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => {
            Invalid::Base64(at)
        }
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => Invalid::Base64(text.len()),
    })
}

#[cfg(test)]
mod tests;
