//! Sessions that are resumed: one that began without a certificate must not go on where one is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloverleaf_tests::{Backend, Identity, Registration, eventually};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, ResolvesClientCert, Resumption,
    Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, NamedGroup, SignatureScheme};

use super::{World, ask, caller};

/// Keeps sessions and offers them to whatever name is asked for next.
#[derive(Debug)]
struct Shameless(ClientSessionMemoryCache);

impl Shameless {
    fn name() -> ServerName<'static> {
        ServerName::try_from("any.test").expect("a name")
    }

    fn config(config: &ClientConfig) -> Arc<ClientConfig> {
        let store = Shameless(ClientSessionMemoryCache::new(32));
        let mut config = config.clone();
        config.resumption = Resumption::store(Arc::new(store));
        Arc::new(config)
    }
}

impl ClientSessionStore for Shameless {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Shameless::name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Shameless::name())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Shameless::name(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Shameless::name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Shameless::name());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Shameless::name(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Shameless::name())
    }
}

/// Shows one certificate first, and another when it has been told to.
#[derive(Debug)]
struct Renewing {
    certificates: [Arc<CertifiedKey>; 2],
    renewed: AtomicBool,
}

impl Renewing {
    fn new(identities: [&Identity; 2]) -> Arc<Renewing> {
        let certificates = identities.map(|identity| {
            let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
            let pair = CertifiedKey::from_der(
                vec![chain.expect("a certificate")],
                key.expect("a key"),
                &aws_lc_rs::default_provider(),
            );
            Arc::new(pair.expect("a pair"))
        });
        Arc::new(Renewing {
            certificates,
            renewed: AtomicBool::new(false),
        })
    }
}

impl ResolvesClientCert for Renewing {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let renewed = self.renewed.load(Ordering::Acquire);
        Some(Arc::clone(&self.certificates[usize::from(renewed)]))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

//
#[test]
fn a_session_without_a_certificate_is_not_resumed_on_a_domain() {
    for version in ["TLSv1.2", "TLSv1.3"] {
        let world = World::new();
        let backend = Backend::saying("hello");
        let router = world
            .router(&["*.apps.identity", "*.other.identity"])
            .with("max_tls_version", version)
            .start();
        for host in ["plain.test", "a.apps.identity", "a.other.identity"] {
            router.register(&Registration::of(host, &backend));
        }
        let begin = |name: &str, config: &Arc<ClientConfig>| {
            let mut client = world.connect(name, Arc::clone(config)).expect("a client");
            assert_eq!(ask(&mut client, name).expect("an answer").status, 200);
            client.is_resumed()
        };
        let anonymous = Shameless::config(&world.anonymous());
        assert!(!begin("plain.test", &anonymous));
        assert!(
            begin("plain.test", &anonymous),
            "{version}: sessions are offered"
        );
        let refused = world.ask("a.apps.identity", "a.apps.identity", Arc::clone(&anonymous));
        assert!(refused.is_err(), "{version}: {refused:?}");

        let member = world.members.instance("app-1", "space-1", "org-1");
        let member = Shameless::config(&world.showing(&member));
        assert!(!begin("plain.test", &member));
        assert!(!begin("a.apps.identity", &member), "{version}");
        assert!(!begin("a.other.identity", &member), "{version}");
        assert!(!begin("plain.test", &member), "{version}");
    }
}

#[test]
fn a_resumed_session_is_still_the_same_callers() {
    for version in ["TLSv1.2", "TLSv1.3"] {
        let world = World::new();
        let backend = Backend::saying("hello");
        let router = world
            .router(&["*.apps.identity"])
            .with("max_tls_version", version)
            .start();
        router.register(&Registration::of("a.apps.identity", &backend));
        let member = world.members.instance("app-1", "space-1", "org-1");
        let config = world.showing(&member);
        for resumed in [false, true] {
            let client = world.connect("a.apps.identity", Arc::clone(&config));
            let mut client = client.expect("a client");
            assert_eq!(client.is_resumed(), resumed, "{version}");
            let answer = ask(&mut client, "a.apps.identity").expect("an answer");
            assert_eq!(answer.status, 200);
        }
        for line in router.access_log().wait_for(2) {
            assert_eq!(caller(&line)[..3], ["app-1", "org-1", "space-1"]);
        }
        let shown = |at: usize| {
            let request = &backend.requests()[at];
            request.header("x-forwarded-client-cert").map(str::to_owned)
        };
        assert!(shown(0).is_some());
        assert_eq!(shown(0), shown(1));
    }
}

#[test]
fn a_session_ends_with_the_certificate_that_it_began_with_and_a_newer_one_begins_another() {
    for version in ["TLSv1.2", "TLSv1.3"] {
        let world = World::new();
        let backend = Backend::saying("hello");
        let router = world
            .router(&["*.apps.identity"])
            .with("max_tls_version", version)
            .start();
        router.register(&Registration::of("a.apps.identity", &backend));
        let subject = [("CN", "instance-1"), ("OU", "app:app-1")];
        let member = world.members.named_for(Duration::from_secs(5), &subject);
        let renewed = world.members.instance("app-2", "space-1", "org-1");
        let certificates = Renewing::new([&member, &renewed]);
        let mut config = ClientConfig::clone(&world.showing(&member));
        config.client_auth_cert_resolver = Arc::clone(&certificates) as _;
        let config = Arc::new(config);
        let connect = || world.connect("a.apps.identity", Arc::clone(&config));
        for resumed in [false, true] {
            let mut client = connect().expect("a client");
            assert_eq!(client.is_resumed(), resumed, "{version}");
            let answer = ask(&mut client, "a.apps.identity").expect("an answer");
            assert_eq!(answer.status, 200);
        }
        eventually("a certificate that has expired", || {
            let fresh = world.showing(&member);
            let refused = world.ask("a.apps.identity", "a.apps.identity", fresh);
            refused.is_err().then_some(())
        });
        let answer = connect().and_then(|mut client| ask(&mut client, "a.apps.identity"));
        assert!(answer.is_err(), "{version}: {answer:?}");

        // The session is still offered, and does not stand in the way of a newer certificate.
        certificates.renewed.store(true, Ordering::Release);
        let answer = connect().and_then(|mut client| ask(&mut client, "a.apps.identity"));
        assert_eq!(answer.expect("an answer").status, 200, "{version}");
        eventually("the log to name the other application", || {
            let lines = router.access_log().lines();
            let last = lines.last()?.field("caller_cf_app") == "app-2";
            last.then_some(())
        });
    }
}
