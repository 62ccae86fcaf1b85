use crate::control::listener::tests::Server;
use crate::table::{Change, Registration, Settings, Writer};

use super::*;

const RIGHT: &str = "Authorization: Basic c3RhdHVzLXVzZXI6c3RhdHVzLXBhc3M=\r\n";

struct World {
    table: Arc<Table>,
    writer: Writer,
    started: Instant,
}

impl World {
    fn new() -> World {
        let (table, writer) = Table::new(Settings::default());
        World {
            table,
            writer,
            started: Instant::now(),
        }
    }

    fn register(&mut self, uri: &str, registration: Registration<'_>) {
        let source = self.writer.source("nats");
        let uris = [uri.into()];
        let change = Change::Register {
            source,
            uris: &uris,
            registration: &registration,
        };
        self.writer.apply(change, 0, &mut |_| ());
    }

    async fn server(&self) -> Server {
        let access = Access::new("status-user", "status-pass");
        Server::start(
            app(Arc::clone(&self.table), access, self.started),
            Bounds::default(),
        )
        .await
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\n\n").unwrap().1
}

/// R-271; heads as recorded.
#[tokio::test]
async fn no_or_wrong_credentials_are_refused() {
    let server = World::new().server().await;
    let refusal = "HTTP/1.1 401 Unauthorized\ncontent-length: 17\ncontent-type: text/plain; charset=utf-8\ndate: <date>\n\
                   www-authenticate: Basic\n\n401 Unauthorized\n";
    assert_eq!(server.get("/routes").await, refusal);
    for wrong in [
        "Basic d3Jvbmc6d3Jvbmc=",
        "Basic c3RhdHVzLXVzZXI6c3RhdHVzLXBhc3N=",
        "Basic c3RhdHVzLXVzZXI6c3RhdHVzLXBhc3M",
        "Basic ",
        "Bas",
        "Bearer c3RhdHVzLXVzZXI6c3RhdHVzLXBhc3M=",
    ] {
        assert_eq!(
            server
                .get_with("/routes", &format!("Authorization: {wrong}\r\n"))
                .await,
            refusal,
            "{wrong}"
        );
    }
}

/// R-271; head as recorded.
#[tokio::test]
async fn right_credentials_show_the_table_and_the_connection_is_closed() {
    let mut world = World::new();
    let server = world.server().await;
    let expected = |body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\nconnection: close\ncontent-length: {length}\ncontent-type: application/json\n\
             date: <date>\n\n{body}"
        )
    };
    assert_eq!(server.get_with("/routes", RIGHT).await, expected("{}\n"));
    let registration = Registration {
        host: "10.0.0.1",
        port: 8080,
        instance_id: "id-b1",
        ..Registration::default()
    };
    world.register("app.test", registration);
    let shown = r#"{"app.test":[{"address":"10.0.0.1:8080","availability_zone":"","protocol":"http1","tls":false,"ttl":120,"tags":null,"private_instance_id":"id-b1"}]}"#;
    let request = format!(
        "GET /routes HTTP/1.1\r\nHost: x\r\n{}\r\n",
        RIGHT.replace("Basic", "basic")
    );
    assert_eq!(server.send(&request).await, expected(&format!("{shown}\n")));
}

/// R-271
#[tokio::test]
async fn other_paths_are_not_found_with_or_without_credentials() {
    let server = World::new().server().await;
    for lines in ["", RIGHT] {
        let answer = server.get_with("/other", lines).await;
        assert!(
            answer.starts_with("HTTP/1.1 404 Not Found\n")
                && body(&answer) == "404 page not found\n",
            "{answer}"
        );
    }
}

/// Spec 9.2: the key order, and what is left out when it is empty.
#[tokio::test]
async fn everything_known_of_an_endpoint_is_shown_in_order() {
    let mut world = World::new();
    let tags = [
        ("component".into(), "c".into()),
        ("process_id".into(), "p\"".into()),
    ];
    let registration = Registration {
        host: "10.0.0.1",
        port: 61001,
        tls: true,
        protocol: crate::table::Protocol::Http2,
        app: "app",
        instance_id: "id-b1",
        server_cert_domain_san: "name.test",
        isolation_segment: "seg",
        availability_zone: "z9",
        ttl: 60_000,
        route_service_url: "https://rs.test/",
        tags: &tags,
        tags_present: true,
        algorithm_text: "least-connection",
        route_policy_scope: "org",
        route_policy_sources: "cf:app:g, cf:any",
        ..Registration::default()
    };
    world.register("App.TEST/Path/", registration);
    world.register(
        "a.test",
        Registration {
            host: "h",
            port: 1,
            tags_present: true,
            ..Registration::default()
        },
    );
    let answer = world.server().await.get_with("/routes", RIGHT).await;
    assert_eq!(
        body(&answer),
        concat!(
            r#"{"a.test":[{"address":"h:1","availability_zone":"","protocol":"http1","tls":false,"ttl":120,"tags":{}}],"#,
            r#""app.test/path":[{"address":"10.0.0.1:61001","availability_zone":"z9","protocol":"http2","tls":true,"#,
            r#""ttl":60,"route_service_url":"https://rs.test/","tags":{"component":"c","process_id":"p\""},"#,
            r#""isolation_segment":"seg","private_instance_id":"id-b1","server_cert_domain_san":"name.test","#,
            r#""load_balancing_algorithm":"least-connection","route_policy_scope":"org","#,
            r#""route_policies":["cf:app:g","cf:any"]}]}"#,
            "\n"
        )
    );
}

#[tokio::test]
async fn provenance_tells_source_and_ages() {
    let mut world = World::new();
    world.started = Instant::now()
        .checked_sub(std::time::Duration::from_secs(90))
        .unwrap();
    world.register(
        "app.test",
        Registration {
            host: "h",
            port: 1,
            ..Registration::default()
        },
    );
    let server = world.server().await;
    for query in ["provenance", "x=y&provenance=true"] {
        let answer = server.get_with(&format!("/routes?{query}"), RIGHT).await;
        let json: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
        let endpoint = &json["app.test"][0];
        assert_eq!(endpoint["source"], "nats");
        for age in ["first_seen", "last_seen"] {
            assert!(
                (90.0..100.0).contains(&endpoint[age].as_f64().unwrap()),
                "{endpoint}"
            );
        }
    }
    let plain = server.get_with("/routes?other", RIGHT).await;
    assert!(!plain.contains("source") && !plain.contains("last_seen"));
}

#[tokio::test]
async fn each_answer_shows_the_table_as_it_is() {
    let mut world = World::new();
    let server = world.server().await;
    for number in 1..=20 {
        let uri = format!("{number}.test");
        world.register(
            &uri,
            Registration {
                host: "h",
                port: number,
                ..Registration::default()
            },
        );
        let answer = server.get_with("/routes", RIGHT).await;
        let json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(body(&answer)).unwrap();
        assert_eq!(json.len(), usize::from(number));
        assert!(json.contains_key(&uri));
    }
}
