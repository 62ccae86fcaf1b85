//! What a request is: for the application, for the route service, back from it, or forged (spec 8.2, 8.3, 8.5).

use std::sync::Arc;

use time::OffsetDateTime;

use super::crypto::{Invalid, NoSignature, Signed};
use super::service::{Service, Way};
use super::{NoService, RouteServices};
use crate::callers::Caller;
use crate::message::{Name, Names, View};
use crate::table::{Pool, Table};

/// The headers that travel between router and service.
const HEADERS: Names = Names::of(&[
    Name::CfForwardedUrl,
    Name::CfProxyMetadata,
    Name::CfProxySignature,
]);

/// A request on a route with a service, or with a signature.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The route.
    pub pool: &'a Pool,
    /// Its service, where it has one.
    pub service_url: Option<&'a str>,
    /// Whether it asks for a WebSocket.
    pub websocket: bool,
    /// When it came.
    pub now: OffsetDateTime,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leg {
    /// To the application; no service plays a part in it.
    App,
    /// To the service.
    Service(Arc<Service>),
    /// Back from the service, to the application.
    Returned,
}

/// Why a request goes nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The route has a service, and services are off.
    Disabled,
    /// It asks for a WebSocket, and these do not pass.
    Websocket,
    /// It comes back with a signature that does not hold.
    Signature(Invalid),
    /// A signature on a route without a service does not hold, in strict mode.
    Strict(Invalid),
    /// The service's URL is none, or there is no signature to be made.
    Failed,
}

/// What was found out about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where it goes.
    pub leg: Result<Leg, Denial>,
    /// Whether a service sent it: what the request says of its client was said by the router once (spec 8.3).
    pub from_service: bool,
    /// On the way back from the service of its route: who called, as the signature says.
    pub caller: Option<Caller>,
}

/// A request that goes to a service.
#[derive(Clone, Copy, Debug)]
pub struct Departure<'a> {
    /// Its host without the port.
    pub host: &'a [u8],
    /// Its target as received.
    pub target: &'a [u8],
    /// Who calls, where that is known for sure.
    pub caller: Option<&'a Caller>,
    /// When it came.
    pub now: OffsetDateTime,
}

impl RouteServices {
    /// Judges a request by its headers.
    pub fn judge(&self, request: &View<'_>, asked: &Asked<'_>, table: &Table) -> Verdict {
        let signature = request.value(Name::CfProxySignature);
        let signed = signature.is_some_and(|signature| !signature.is_empty());
        let has_url = request
            .value(Name::CfForwardedUrl)
            .is_some_and(|url| !url.is_empty());
        let open = || {
            self.secrets.open(
                signature.unwrap_or_default(),
                request.value(Name::CfProxyMetadata).unwrap_or_default(),
                asked.now,
                self.lifetime,
            )
        };
        let verdict = |leg, from_service| Verdict {
            leg,
            from_service,
            caller: None,
        };
        let Some(url) = asked.service_url else {
            // A service may be an application of this router itself, so the headers go on.
            let (relevant, must_hold) = (signed && has_url, signature.is_some() && self.strict);
            return match (relevant || must_hold).then(open) {
                Some(Err(invalid)) if must_hold => verdict(Err(Denial::Strict(invalid)), false),
                Some(Ok(_)) => verdict(Ok(Leg::App), relevant),
                _ => verdict(Ok(Leg::App), false),
            };
        };
        if asked.websocket && !self.websockets {
            return verdict(Err(Denial::Websocket), false);
        }
        if !signed {
            let service = Service::parse(url).map_err(|NoService| Denial::Failed);
            let service = service.map(|service| match &self.hairpin {
                Some(hairpin) if hairpin.reaches(&service, table) => service.by(Way::Inside),
                _ => service,
            });
            return verdict(service.map(Arc::new).map(Leg::Service), false);
        }
        let opened = open().and_then(|opened| {
            belongs(&opened.url, asked.pool, table)?;
            Ok(opened.caller)
        });
        // Where it is refused, the log shows X-Forwarded-Proto as it came.
        match opened {
            Ok(caller) => Verdict {
                caller,
                ..verdict(Ok(Leg::Returned), has_url)
            },
            Err(invalid) => verdict(Err(Denial::Signature(invalid)), has_url),
        }
    }

    /// Gives the request the headers that go to the service: whatever a client said in them is gone.
    ///
    /// # Errors
    /// When no signature is to be made.
    pub fn sign(
        &self,
        request: &mut View<'_>,
        departure: &Departure<'_>,
    ) -> Result<(), NoSignature> {
        let Departure {
            host,
            target,
            caller,
            now,
        } = *departure;
        strip(request);
        let url = [self.scheme.as_bytes(), b"://", host, target].concat();
        let Signed {
            signature,
            metadata,
        } = self
            .secrets
            .seal(&String::from_utf8_lossy(&url), caller, now)?;
        let head = &mut request.head;
        head.add("X-CF-Forwarded-Url", &url);
        head.add("X-CF-Proxy-Metadata", metadata.as_bytes());
        head.add("X-CF-Proxy-Signature", signature.as_bytes());
        Ok(())
    }
}

/// Takes the headers out of a request that has come back: the application sees none of them.
pub fn strip(request: &mut View<'_>) {
    if request.head.present.has_any(HEADERS) {
        for field in &mut request.head.fields {
            field.keep &= !HEADERS.has(field.id);
        }
    }
}

/// Whether the signed URL leads to the route of the request. Ports make no difference.
fn belongs(url: &str, pool: &Pool, table: &Table) -> Result<(), Invalid> {
    let contents = Invalid::Contents("forwarded_url");
    let (_, rest) = url.split_once("://").ok_or(contents)?;
    let rest = &rest[..rest.find('?').unwrap_or(rest.len())];
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.split(':').next().unwrap_or_default();
    let shown = || format!("{host}{path}");
    match table.lookup(host.as_bytes(), path.as_bytes()) {
        None => Err(Invalid::UnknownRoute(shown())),
        Some(found) if found.uri() != pool.uri() => Err(Invalid::OtherRoute(shown())),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
