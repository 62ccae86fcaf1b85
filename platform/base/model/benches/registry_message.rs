//! What reading a registration costs. Run: `cargo bench -p cloverleaf-model`.

use std::hint::black_box;

use cloverleaf_model::RegistryMessage;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// As a route emitter sends it for a TLS backend with an app's metric tags, some 560 bytes.
const FULL: &str = r#"{"host":"10.244.0.34","port":61004,"tls_port":61006,"uris":["shop.apps.example.com"],"app":"0b8e5c0e-1111-4222-8333-444455556666","private_instance_id":"9a1d77de-0d44-4a6f-7f3a-5c2e","private_instance_index":"0","server_cert_domain_san":"9a1d77de-0d44-4a6f-7f3a-5c2e","isolation_segment":"is1","endpoint_updated_at_ns":1700000000000000042,"availability_zone":"z1","tags":{"app_name":"shop","component":"route-emitter","organization_name":"acme","process_id":"0b8e5c0e-1111","source_id":"0b8e5c0e-1111","space_name":"dev"},"options":{"loadbalancing":"round-robin"}}"#;

/// The same with one tag and without options, some 380 bytes.
const TYPICAL: &str = r#"{"host":"10.244.0.34","port":61004,"tls_port":61006,"uris":["shop.apps.example.com"],"app":"0b8e5c0e-1111-4222-8333-444455556666","private_instance_id":"9a1d77de-0d44-4a6f-7f3a-5c2e","private_instance_index":"0","server_cert_domain_san":"9a1d77de-0d44-4a6f-7f3a-5c2e","endpoint_updated_at_ns":1700000000000000042,"availability_zone":"z1","tags":{"component":"route-emitter"}}"#;

fn registry_message(c: &mut Criterion) {
    let mut group = c.benchmark_group("registry_message");
    for (name, json) in [("typical", TYPICAL), ("full", FULL)] {
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| RegistryMessage::parse(black_box(json.as_bytes())));
        });
    }
    group.finish();
}

criterion_group!(benches, registry_message);
criterion_main!(benches);
