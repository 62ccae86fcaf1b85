//! The router makes itself known as a component of the platform: only with the deprecated status server (spec 2.1).

use std::sync::Arc;

use cloverleaf_bus::{Bus, BusError, Subscription};

use super::varz::Varz;

/// Announces the router on the bus and gives the subscription to the questions who is there.
///
/// # Errors
/// When the bus takes neither.
pub async fn announce(bus: &Bus, varz: &Arc<Varz>) -> Result<Subscription, BusError> {
    let questions = bus.subscribe("vcap.component.discover").await?;
    let told = Arc::clone(varz).text().await;
    bus.publish("vcap.component.announce", told).await?;
    tracing::info!(target: "main", "Component Router registered successfully");
    Ok(questions)
}

/// Answers each question with what `/varz` shows, until the bus ends.
pub async fn answer_discovery(bus: Bus, mut questions: Subscription, varz: Arc<Varz>) {
    while let Some(question) = questions.next().await {
        let Some(reply) = &question.reply else {
            continue;
        };
        let told = Arc::clone(&varz).text().await;
        if let Err(error) = bus.publish(reply, told).await {
            tracing::warn!(target: "nats", %error, "component-discovery-not-answered");
        }
    }
}
