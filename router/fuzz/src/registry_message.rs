//! Registrations: what any emitter may put on the bus.

use cloverleaf_model::RegistryMessage;

/// Any bytes on `router.register`.
pub fn check(bytes: &[u8]) {
    let Ok(message) = RegistryMessage::parse(bytes) else {
        return;
    };
    let port = message.backend_port();
    assert_eq!(
        port,
        if message.uses_tls() {
            message.tls_port
        } else {
            message.port
        }
    );
    assert!(message.route_service_url.is_empty() || message.route_service_url.starts_with("https"));
    assert!(message.options.hash_balance.is_finite());

    let json = serde_json::to_vec(&message).unwrap();
    assert_eq!(
        RegistryMessage::parse(&json).unwrap(),
        message,
        "written and read again it is the same"
    );
    assert_eq!(message.clone().into_owned(), message);
}
