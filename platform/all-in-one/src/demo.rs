//! The demo app: an ordinary backend behind the router, with a route that it keeps registered as any app's is.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::IntoResponse;
use cloverleaf_bus::Bus;
use cloverleaf_model::RegistryMessage;
use tokio::net::TcpListener;

/// The demo's route.
pub const ROUTE: &str = "demo.localhost";
/// How often the route is registered again: a sixth of the time after which it would be forgotten.
const REFRESH: Duration = Duration::from_secs(20);

/// A demo app that listens.
pub struct Demo {
    listener: TcpListener,
    address: SocketAddr,
    instance: String,
}

impl Demo {
    /// Opens a free port of the loopback interface.
    pub async fn bind() -> anyhow::Result<Demo> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("demo app: no free port")?;
        let address = listener.local_addr().context("demo app: no address")?;
        Ok(Demo {
            listener,
            address,
            instance: uuid::Uuid::new_v4().to_string(),
        })
    }

    /// Serves until the task is dropped.
    pub async fn serve(self) -> anyhow::Result<()> {
        let app = Router::new().fallback(greet).with_state(self.instance);
        axum::serve(self.listener, app).await.context("demo app")
    }

    /// The message that registers the demo's route.
    pub fn registration(&self) -> RegistryMessage<'static> {
        RegistryMessage {
            host: self.address.ip().to_string().into(),
            port: self.address.port(),
            uris: vec![ROUTE.into()],
            app: "demo".into(),
            private_instance_id: self.instance.clone().into(),
            private_instance_index: "0".into(),
            tags: Some([("component".into(), "demo".into())].into()),
            ..RegistryMessage::default()
        }
    }
}

/// Registers the route now and again, until the task is dropped.
pub async fn keep_registered(bus: Bus, message: RegistryMessage<'static>) -> anyhow::Result<()> {
    let payload = serde_json::to_vec(&message).context("demo app: registration")?;
    let mut refresh = tokio::time::interval(REFRESH);
    loop {
        refresh.tick().await;
        bus.publish("router.register", payload.clone())
            .await
            .context("demo app: registration")?;
    }
}

/// Says what arrived, so that one sees what the router adds.
async fn greet(
    State(instance): State<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> impl IntoResponse {
    let mut text = format!("Hello from the demo app, instance {instance}.\n\n{method} {uri}\n");
    for (name, value) in &headers {
        text.push_str(&format!(
            "{name}: {}\n",
            String::from_utf8_lossy(value.as_bytes())
        ));
    }
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
}
