//! A whole configuration as the compatibility suite writes it, keys sorted.

use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::*;

#[test]
fn the_base_configuration_of_the_compatibility_suite_loads_with_one_note() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["front.test".to_owned()]).expect("certificate");
    let block = |pem: String| pem.trim_end().replace('\n', "\n\n    ");
    let (cert, key) = (block(cert.pem()), block(signing_key.serialize_pem()));
    let text = format!(
        "\
access_log:
  file: access.log
backends:
  max_attempts: 3
ca_certs:
- '{cert}

  '
cipher_suites: ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
client_cert_validation: none
disable_keep_alives: false
droplet_stale_threshold: 120s
enable_ssl: true
endpoint_dial_timeout: 1s
endpoint_timeout: 5s
frontend_idle_timeout: 30s
go_max_procs: 2
index: 3
load_balancer_healthy_threshold: 0s
logging:
  format:
    timestamp: rfc3339
  level: debug
  metron_address: 127.0.0.1:9
  syslog: gorouter
max_idle_conns: 100
max_idle_conns_per_host: 100
max_tls_version: TLSv1.2
min_tls_version: TLSv1.2
nats:
  hosts:
  - hostname: 127.0.0.1
    port: 14222
port: 18081
prune_stale_droplets_interval: 30s
route_services:
  max_attempts: 3
route_services_internal_server_port: 17070
ssl_port: 18443
start_response_delay_interval: 1ms
status:
  host: 127.0.0.1
  pass: status-pass
  port: 18080
  routes:
    port: 18082
  user: status-user
tls_handshake_timeout: 1s
tls_pem:
- cert_chain: '{cert}

    '
  private_key: '{key}

    '
zone: z1
"
    );
    let loaded = load(&text);
    let notes: Vec<_> = loaded.notes.iter().map(|note| &*note.key).collect();
    assert_eq!(notes, ["route_services_internal_server_port"]);
    let config = loaded.config;
    assert_eq!(config.access_log.file, "access.log");
    assert_eq!(config.backends.max_attempts, 3);
    assert_eq!(config.ca_certs.len(), 1);
    assert!(!config.disable_keep_alives);
    assert_eq!(config.endpoint_timeout, Duration::from_secs(5));
    assert_eq!(config.drain_timeout, Duration::from_secs(5));
    assert_eq!(config.websocket_dial_timeout, Duration::from_secs(1));
    assert_eq!(
        config.start_response_delay_interval,
        Duration::from_millis(1)
    );
    assert_eq!(config.workers(), 2);
    assert_eq!(config.index, 3);
    assert!(config.logging.format.is_rfc3339());
    assert_eq!(config.logging.level, LogLevel::Debug);
    assert_eq!(config.nats.hosts[0].hostname, "127.0.0.1");
    assert_eq!(config.nats.hosts[0].port, 14222);
    assert_eq!((config.port, config.ssl_port), (18081, 18443));
    assert_eq!(config.status.pass, "status-pass");
    assert_eq!(config.status.routes.port, 18082);
    assert_eq!(config.tls_pem.len(), 1);
    assert_eq!(config.zone, "z1");
}
