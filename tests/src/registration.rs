//! Registrations as route emitters send them.

use serde_json::{Map, Value, json};

use crate::backend::Backend;

/// A `router.register` or `router.unregister` message.
#[derive(Clone, Debug)]
pub struct Registration(Map<String, Value>);

impl Registration {
    /// `uri` at a backend.
    pub fn of(uri: &str, backend: &Backend) -> Registration {
        Registration::at(uri, backend.port())
    }

    /// `uri` at a port of 127.0.0.1.
    pub fn at(uri: &str, port: u16) -> Registration {
        let fields = json!({
            "host": "127.0.0.1",
            "port": port,
            "uris": [uri],
            "app": "0b8e5c0e-1111-2222-3333-444455556666",
            "private_instance_id": format!("instance-{port}"),
            "private_instance_index": "0",
        });
        match fields {
            Value::Object(fields) => Registration(fields),
            _ => Registration(Map::new()),
        }
    }

    /// The same with one field set; null removes it.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Registration {
        match value.into() {
            Value::Null => self.0.remove(field),
            value => self.0.insert(field.into(), value),
        };
        self
    }

    /// The message.
    pub fn message(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// The address that `/routes` shows.
    pub fn address(&self) -> String {
        let port = self
            .0
            .get("tls_port")
            .or_else(|| self.0.get("port"))
            .and_then(Value::as_u64)
            .unwrap_or(0);
        format!("127.0.0.1:{port}")
    }

    /// The keys that `/routes` shows: lower case, no query, no slash at the end.
    pub fn keys(&self) -> Vec<String> {
        let uris = self
            .0
            .get("uris")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let key = |uri: &str| {
            let key = uri.split('?').next().unwrap_or_default().to_lowercase();
            key.strip_suffix('/').map_or(key.clone(), str::to_owned)
        };
        uris.map(key).collect()
    }
}
