//! What becomes of failed attempts off the data path: the component log, and the removal of TLS endpoints (spec 3.5).

use std::sync::Arc;

use cloverleaf_telemetry::Json;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Registrar;
use crate::table::Change;
use crate::worker::FailedEndpoint;

/// Handles the workers' reports until all workers have ended.
pub async fn watch_failures(
    mut reports: UnboundedReceiver<FailedEndpoint>,
    registrar: Arc<Registrar>,
) {
    while let Some(report) = reports.recv().await {
        log(&report);
        if report.remove {
            registrar.apply(Change::Fail {
                pool: &report.pool,
                endpoint: &report.endpoint,
            });
        }
    }
}

fn log(report: &FailedEndpoint) {
    let endpoint = &report.endpoint;
    let tags: serde_json::Map<_, _> = endpoint
        .tags()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let shown = serde_json::json!({
        "ApplicationId": endpoint.application_id(),
        "Addr": endpoint.address(),
        "Tags": tags,
        "RouteServiceUrl": endpoint.shown_service_url(),
        "AZ": endpoint.availability_zone(),
    });
    let id = &report.request_id;
    let local_address = report
        .local_address
        .map(|address| address.to_string())
        .unwrap_or_default();
    // Said only where there are any.
    let trace = report.trace.as_deref();
    let (trace_id, span_id) = (trace.map(|ids| &*ids.trace), trace.map(|ids| &*ids.span));
    let endpoints = report.pool.endpoints().len();
    if report.is_timeout {
        tracing::error!(target: "router", { "route-endpoint.json" = %Json(&shown), vcap_request_id = %id,
            error = report.error.as_str(), "trace-id" = trace_id, "span-id" = span_id }, "backend-request-timeout");
    }
    tracing::error!(
        target: "router",
        {
            "route-endpoint.json" = %Json(&shown),
            attempt = report.attempt,
            vcap_request_id = %id,
            "num-endpoints" = endpoints,
            "got-connection" = report.got_connection,
            "wrote-headers" = report.wrote_headers,
            "conn-reused" = report.reused,
            "local-address" = local_address.as_str(),
            error = report.error.as_str(),
            retriable = report.retriable,
            "trace-id" = trace_id,
            "span-id" = span_id,
        },
        "backend-endpoint-failed"
    );
    if report.marked {
        tracing::error!(target: "registry", { "route-endpoint.json" = %Json(&shown), uri = report.pool.uri(),
            error = report.error.as_str() }, "endpoint-marked-as-ineligible");
    }
}
