//! Limits of routes, whatever is spoken before and behind the router.

use std::time::Duration;

use super::asked::Length;
use super::caller::Ask;
use super::world::{BACKS, FRONTS, World};

#[test]
fn a_body_that_is_larger_than_the_route_takes_is_413_announced_or_not() {
    let world = World::with(
        |start| start.with("route_options.max_body_size", 10),
        |asked| {
            let body = asked.body()?;
            asked.answer_with(200, body)
        },
    );
    for front in FRONTS {
        for back in BACKS {
            let name = format!("{front:?} -> {back:?}");
            let ask = Ask::post(back.host(), "/", Length::Known(11));
            let (head, _) = world.call(front, &ask).answer();
            let error = head.header("x-cf-routererror");
            assert_eq!(
                (head.status, &*error),
                (413, "max_body_size_exceeded"),
                "{name}"
            );

            let mut call = world.call(front, &Ask::post(back.host(), "/", Length::Unknown));
            call.send("01234");
            call.send("56789a");
            let (head, _) = call.answer();
            assert_eq!(head.status, 413, "{name}");

            for length in [Length::Known(10), Length::Unknown] {
                let mut call = world.call(front, &Ask::post(back.host(), "/", length));
                call.send("0123456789");
                call.end();
                let (head, rest) = call.answer();
                assert_eq!((head.status, &*rest.text()), (200, "0123456789"), "{name}");
            }
        }
    }
}

#[test]
fn a_backend_that_is_silent_is_given_up_in_time() {
    let world = World::with(
        |start| start.with("route_options.first_byte_timeout", "400ms"),
        |asked| {
            if asked.target() == "/silent" {
                return Err(asked.given_up());
            }
            asked.answer(200, &[], Length::Unknown)?;
            std::thread::sleep(Duration::from_millis(700));
            asked.send("late")?;
            asked.end(&[])
        },
    );
    for back in BACKS {
        for front in FRONTS {
            let name = format!("{front:?} -> {back:?}");
            let (head, _) = world
                .call(front, &Ask::get(back.host(), "/silent"))
                .answer();
            assert_eq!(
                head.header("x-cf-routererror"),
                "endpoint_failure (net/http: timeout awaiting response headers)",
                "{name}"
            );
            assert_eq!(head.status, 502, "{name}");
        }
        // Behind the head there is all the time of the request.
        let (head, rest) = world
            .call(FRONTS[0], &Ask::get(back.host(), "/slow"))
            .answer();
        assert_eq!((head.status, &*rest.text()), (200, "late"), "{back:?}");
    }
}

#[test]
fn a_stream_that_nothing_moves_on_ends_while_others_of_its_connection_go_on() {
    let world = World::with(
        |start| start.with("route_options.idle_timeout", "800ms"),
        |asked| {
            if asked.target() == "/stalls" {
                asked.answer(200, &[], Length::Unknown)?;
                asked.send("half")?;
                return Err(asked.given_up());
            }
            asked.answer(200, &[], Length::Unknown)?;
            for _ in 0..8 {
                std::thread::sleep(Duration::from_millis(200));
                asked.send("x")?;
            }
            asked.end(&[])
        },
    );
    for back in BACKS {
        for front in [FRONTS[0], FRONTS[2]] {
            let name = format!("{front:?} -> {back:?}");
            let mut moving = world.call(front, &Ask::get(back.host(), "/trickles"));
            let mut stalled = world.call(front, &Ask::get(back.host(), "/stalls"));
            let (head, rest) = (stalled.head(), stalled.rest());
            assert_eq!((head.status, &*rest.text()), (200, "half"), "{name}");
            assert!(!rest.is_whole, "{name}");
            let (head, rest) = moving.answer();
            assert_eq!((head.status, &*rest.text()), (200, "xxxxxxxx"), "{name}");
            assert!(rest.is_whole, "{name}");
        }
    }
}
