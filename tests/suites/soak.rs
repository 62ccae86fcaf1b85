//! Proofs under load, in small: `benches/soak` runs the same with the sizes that count.

use std::time::Duration;

use cloverleaf_tests::soak::{
    Closing, Descriptors, Handshakes, Part, Readers, Resets, Slowloris, When,
};

#[test]
fn clients_that_send_their_heads_a_byte_at_a_time_cost_others_nothing() {
    let proof = Slowloris {
        part: Part::Head,
        connections: 500,
        time: Duration::from_secs(2),
        slack: Duration::from_millis(20),
    };
    proof.run().must_hold();
}

#[test]
fn clients_that_send_their_bodies_a_byte_at_a_time_cost_others_nothing() {
    let proof = Slowloris {
        part: Part::Body,
        connections: 200,
        time: Duration::from_secs(1),
        slack: Duration::from_millis(20),
    };
    proof.run().must_hold();
}

#[test]
fn backends_that_close_idle_connections_at_random_are_never_seen_by_clients() {
    let proof = Closing {
        requests: 20_000,
        clients: 8,
        endpoints: 3,
        seed: 7,
    };
    proof.run().must_hold();
}

#[test]
fn without_a_file_descriptor_left_who_is_there_is_served_and_others_wait() {
    let proof = Descriptors {
        limit: 200,
        keeps_alive: true,
    };
    proof.run().must_hold();
}

#[test]
fn a_crowd_leaves_descriptors_for_the_backend_connections_of_those_who_are_there() {
    let proof = Descriptors {
        limit: 200,
        keeps_alive: false,
    };
    proof.run().must_hold();
}

#[test]
fn a_reader_that_does_not_read_holds_a_bounded_piece_of_a_large_body() {
    let proof = Readers {
        clients: 40,
        size: 64 * 1024 * 1024,
        time: Duration::from_secs(1),
    };
    proof.run().must_hold();
}

#[test]
fn certificates_that_are_replaced_again_and_again_fail_no_handshake() {
    let proof = Handshakes {
        rate: 100,
        time: Duration::from_secs(4),
        changes: 3,
        least_percent: 20,
    };
    proof.run().must_hold();
}

// CVE-2023-44487
#[test]
fn clients_that_reset_what_they_open_cost_others_little() {
    for when in [When::AtOnce, When::UnderWay] {
        let proof = Resets {
            connections: 20,
            when,
            rate: 200,
            rounds: 1,
            time: Duration::from_secs(2),
            cores: None,
            slack: Duration::from_millis(500),
        };
        proof.run().must_hold();
    }
}
