//! What every kind of bus must do, run on each of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what tests share may panic as they may"
)]

mod support;

use std::future::Future;
use std::time::Duration;

use cloverleaf_bus::{
    Bus, BusError, Health, Message, NatsOptions, PendingLimits, Stats, Status, Subscription,
};
use support::{LONG, NatsServer};

/// Gives buses that are joined with each other.
enum Fixture {
    InProcess(Bus),
    Nats(NatsServer, PendingLimits),
}

impl Fixture {
    fn in_process(pending: PendingLimits) -> Fixture {
        Fixture::InProcess(Bus::in_process(pending))
    }

    fn nats(pending: PendingLimits) -> Fixture {
        Fixture::Nats(NatsServer::start(&[]), pending)
    }

    async fn bus(&self) -> Bus {
        match self {
            Fixture::InProcess(bus) => bus.clone(),
            Fixture::Nats(server, pending) => {
                let options = NatsOptions {
                    pending: *pending,
                    ..server.options()
                };
                Bus::connect(options).await.unwrap()
            }
        }
    }
}

/// Subscribes, and returns once every message that is published from now on arrives.
async fn subscribed(bus: &Bus, pattern: &str) -> Subscription {
    let subscription = bus.subscribe(pattern).await.unwrap();
    bus.flush(LONG).await.unwrap();
    subscription
}

async fn soon<T>(what: impl Future<Output = Option<T>>) -> T {
    tokio::time::timeout(LONG, what)
        .await
        .expect("nothing comes")
        .expect("ended")
}

/// Waits for something that only time can bring.
async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LONG, waiting)
        .await
        .expect("still not so");
}

fn text(message: &Message) -> &str {
    std::str::from_utf8(&message.payload).unwrap()
}

/// Makes a test of each function, for each kind of bus.
macro_rules! on_every_bus {
    ($($(#[limits = $limits:expr])? async fn $name:ident($fixture:ident: &Fixture) $body:block)+) => {
        mod behaviour {
            use super::*;
            $(pub async fn $name($fixture: &Fixture) $body)+
        }

        mod in_process {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                behaviour::$name(&Fixture::in_process(on_every_bus!(@limits $($limits)?))).await;
            })+
        }

        mod nats {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                behaviour::$name(&Fixture::nats(on_every_bus!(@limits $($limits)?))).await;
            })+
        }
    };
    (@limits) => { PendingLimits::default() };
    (@limits $limits:expr) => { $limits };
}

on_every_bus! {
    async fn a_message_reaches_every_subscriber_of_its_subject(fixture: &Fixture) {
        let (one, two) = (fixture.bus().await, fixture.bus().await);
        let mut of_one = subscribed(&one, "router.start").await;
        let mut of_two = subscribed(&two, "router.start").await;
        let mut of_others = subscribed(&two, "router.greet").await;
        one.publish("router.start", "hello").await.unwrap();
        for subscription in [&mut of_one, &mut of_two] {
            let message = soon(subscription.next()).await;
            assert_eq!(&*message.subject, "router.start");
            assert_eq!(text(&message), "hello");
            assert_eq!(message.reply, None);
        }
        one.publish("router.greet", "").await.unwrap();
        assert_eq!(&*soon(of_others.next()).await.subject, "router.greet");
    }

    async fn patterns_take_one_word_or_the_rest(fixture: &Fixture) {
        let bus = fixture.bus().await;
        let mut one_word = subscribed(&bus, "router.*").await;
        let mut rest = subscribed(&bus, "router.>").await;
        for subject in ["router.a", "router.a.b", "other.a", "router.c"] {
            bus.publish(subject, subject).await.unwrap();
        }
        for expected in ["router.a", "router.c"] {
            assert_eq!(text(&soon(one_word.next()).await), expected);
        }
        for expected in ["router.a", "router.a.b", "router.c"] {
            assert_eq!(text(&soon(rest.next()).await), expected);
        }
    }

    async fn messages_keep_their_order(fixture: &Fixture) {
        const COUNT: usize = 5_000;
        let (sender, receiver) = (fixture.bus().await, fixture.bus().await);
        let mut messages = subscribed(&receiver, "router.*").await;
        for number in 0..COUNT {
            let subject = if number % 2 == 0 { "router.register" } else { "router.unregister" };
            sender.publish(subject, number.to_string()).await.unwrap();
        }
        let mut received = 0;
        while received < COUNT {
            assert_eq!(text(&soon(messages.next()).await), received.to_string());
            received += 1;
            while let Some(message) = messages.try_next() {
                assert_eq!(text(&message), received.to_string());
                received += 1;
            }
        }
        assert_eq!(receiver.stats(), Stats::default());
    }

    async fn nothing_waits_where_nothing_was_sent(fixture: &Fixture) {
        let bus = fixture.bus().await;
        let mut messages = subscribed(&bus, "router.*").await;
        assert_eq!(messages.try_next(), None);
        assert_eq!(messages.pending(), 0);
    }

    async fn a_request_is_answered(fixture: &Fixture) {
        let (router, emitter) = (fixture.bus().await, fixture.bus().await);
        let mut greetings = subscribed(&router, "router.greet").await;
        let answering = async {
            let greeting = soon(greetings.next()).await;
            let reply = greeting.reply.clone().expect("where to answer");
            router.publish(&reply, format!("{}!", text(&greeting))).await.unwrap();
        };
        let asking = emitter.request("router.greet", "hello", LONG);
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(text(&answer.unwrap()), "hello!");
    }

    async fn many_requests_at_once_get_their_own_answers(fixture: &Fixture) {
        let (router, emitter) = (fixture.bus().await, fixture.bus().await);
        let mut greetings = subscribed(&router, "router.greet").await;
        let answering = async {
            let mut waiting = vec![soon(greetings.next()).await, soon(greetings.next()).await];
            // The other way round.
            while let Some(greeting) = waiting.pop() {
                let reply = greeting.reply.clone().expect("where to answer");
                router.publish(&reply, greeting.payload).await.unwrap();
            }
        };
        let one = emitter.request("router.greet", "one", LONG);
        let two = emitter.request("router.greet", "two", LONG);
        let (one, two, ()) = tokio::join!(one, two, answering);
        assert_eq!((text(&one.unwrap()), text(&two.unwrap())), ("one", "two"));
    }

    async fn a_request_that_nobody_listens_to_fails_at_once(fixture: &Fixture) {
        let bus = fixture.bus().await;
        let answer = bus.request("router.greet", "", LONG).await;
        assert_eq!(answer, Err(BusError::NoResponders("router.greet".to_owned())));
    }

    async fn a_request_that_is_not_answered_times_out(fixture: &Fixture) {
        let bus = fixture.bus().await;
        let _silent = subscribed(&bus, "router.greet").await;
        let limit = Duration::from_millis(20);
        let answer = bus.request("router.greet", "", limit).await;
        let subject = "router.greet".to_owned();
        assert_eq!(answer, Err(BusError::TimedOut { subject, limit }));
    }

    async fn a_message_can_name_where_to_answer(fixture: &Fixture) {
        let bus = fixture.bus().await;
        let mut messages = subscribed(&bus, "vcap.component.discover").await;
        bus.publish_with_reply("vcap.component.discover", "answers.here", "").await.unwrap();
        let message = soon(messages.next()).await;
        assert_eq!(message.reply.as_deref(), Some("answers.here"));
    }

    async fn malformed_subjects_are_refused(fixture: &Fixture) {
        let bus = fixture.bus().await;
        for subject in ["", "a b", "a..b", "a.", "a.*", "a\r\nPUB b 0"] {
            let refused = Err(BusError::Subject(subject.to_owned()));
            assert_eq!(bus.publish(subject, "").await, refused);
            assert_eq!(bus.publish_with_reply("a", subject, "").await, refused);
            assert_eq!(bus.request(subject, "", LONG).await.map(|_| ()), refused);
        }
        assert!(matches!(bus.subscribe("a.>.b").await, Err(BusError::Subject(_))));
    }

    #[limits = PendingLimits { messages: 10, bytes: 1_000 }]
    async fn a_slow_subscriber_loses_the_newest_and_it_is_counted(fixture: &Fixture) {
        let bus = fixture.bus().await;
        let mut events = bus.status();
        assert!(matches!(soon(events.next()).await, Status::Connected { .. }));
        let mut slow = subscribed(&bus, "router.register").await;
        for number in 0..100 {
            bus.publish("router.register", number.to_string()).await.unwrap();
        }
        until(|| bus.stats() == Stats { pending: 10, dropped: 90 }).await;
        assert_eq!(slow.pending(), 10);

        let mut told = 0;
        while told < 90 {
            match soon(events.next()).await {
                Status::MessagesDropped(count) => told += count,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(told, 90);

        for expected in 0..10 {
            assert_eq!(text(&soon(slow.next()).await), expected.to_string());
        }
        bus.publish("router.register", "later").await.unwrap();
        assert_eq!(text(&soon(slow.next()).await), "later");
        assert_eq!(bus.stats(), Stats { pending: 0, dropped: 90 });
    }

    #[limits = PendingLimits { messages: 1_000, bytes: 100 }]
    async fn large_messages_are_bounded_by_their_bytes(fixture: &Fixture) {
        let bus = fixture.bus().await;
        let mut slow = subscribed(&bus, "router.register").await;
        for _ in 0..5 {
            bus.publish("router.register", vec![b'x'; 40]).await.unwrap();
        }
        until(|| bus.stats() == Stats { pending: 2, dropped: 3 }).await;
        assert_eq!(soon(slow.next()).await.payload.len(), 40);
    }

    async fn a_dropped_subscription_holds_nothing(fixture: &Fixture) {
        let bus = fixture.bus().await;
        let one = subscribed(&bus, "router.start").await;
        let mut two = subscribed(&bus, "router.start").await;
        bus.publish("router.start", "1").await.unwrap();
        assert_eq!(text(&soon(two.next()).await), "1");
        until(|| bus.stats().pending == 1).await;
        drop(one);
        until(|| bus.stats().pending == 0).await;
        bus.publish("router.start", "2").await.unwrap();
        assert_eq!(text(&soon(two.next()).await), "2");
        assert_eq!(bus.stats(), Stats::default());
    }

    async fn closing_ends_subscriptions_after_what_they_have(fixture: &Fixture) {
        let bus = fixture.bus().await;
        let mut events = bus.status();
        assert!(matches!(soon(events.next()).await, Status::Connected { .. }));
        let mut messages = subscribed(&bus, "router.start").await;
        bus.publish("router.start", "last").await.unwrap();
        until(|| messages.pending() == 1).await;
        assert_eq!(bus.health(), Health::Connected);
        bus.close().await;
        assert_eq!(bus.health(), Health::Closed);
        assert_eq!(soon(events.next()).await, Status::Closed);
        assert_eq!(text(&soon(messages.next()).await), "last");
        let end = tokio::time::timeout(LONG, messages.next()).await;
        assert_eq!(end.expect("does not end"), None);

        assert_eq!(bus.publish("router.start", "").await, Err(BusError::Closed));
        assert_eq!(bus.subscribe("a").await.map(|_| ()), Err(BusError::Closed));
        assert_eq!(bus.request("a", "", LONG).await, Err(BusError::Closed));
        assert_eq!(soon(bus.status().next()).await, Status::Closed);
        bus.close().await;
    }
}
