//! `GET /actors`: what every mailbox has been through, and what to do about it.

use std::{sync::Arc, time::Instant};

use lookout::{
    actors::{
        archivist::Discard, broadcaster::Publish, line::Stop, relay::Deliver, screener::Wake, session_supervisor::LookAtUsers,
        webhook_handler::Webhook,
    },
    config::{Config, Mailbox},
    notification::provider::DeliveryHeaders,
};
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};

use crate::support::{Hub, Setup, USER, actor, batch, event, is_named_and_then_large_enough, sized_batch, wait_for};

#[test]
fn each_kind_is_told_with_its_key_its_size_and_what_happens_when_it_is_full() {
    let hub = Hub::start();
    let mailbox = Config::defaults().mailbox;
    for (name, size, living) in [
        ("webhook_handler", mailbox.webhook_handler, 1),
        ("archivist", mailbox.archivist, 1),
        ("screener", mailbox.screener, 1),
        ("broadcaster", mailbox.broadcaster, 1),
        ("relay", mailbox.relay, 2),
        ("session", mailbox.session, 0),
        ("session_supervisor", mailbox.session_supervisor, 1),
    ] {
        let state = actor(&hub, name);
        assert_eq!(
            (&state["mailbox"], &state["living"], &state["refused"]),
            (&size.into(), &living.into(), &0.into()),
            "{state}"
        );
        assert_eq!(
            (&state["key"], &state["restarts"], &state["panics"]),
            (&format!("mailbox.{name}").into(), &0.into(), &0.into())
        );
        assert!(!state["when_full"].as_str().unwrap().is_empty());
        assert_eq!(state["recommendation"]["suggestion"], Value::Null, "nothing was seen yet: {state}");
    }
}

#[test]
fn what_goes_through_a_mailbox_is_counted_and_its_times_are_told() {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    for index in 0..20 {
        hub.post_kept(event("test_user|false", &format!("e-{index}")));
    }
    reader.notifications(20);
    for name in ["webhook_handler", "archivist", "broadcaster", "relay", "session", "session_supervisor"] {
        let state = wait_for(&format!("{name} to be seen"), || {
            let state = actor(&hub, name);
            (state["recent"]["handled"].as_u64() >= Some(1)).then_some(state)
        });
        assert!(state["handled"].as_u64() >= Some(1), "{state}");
        assert!(state["high_water"].as_u64() >= Some(1), "{state}");
        for times in ["waiting", "handling"] {
            let [mean, p50, p99, max] = ["mean", "p50", "p99", "max"].map(|part| state["recent"][times][part].as_f64().unwrap());
            assert!(0.0 < mean && mean <= max && p50 <= p99 && p99 <= max && max < 30.0, "{name} {times}: {state}");
        }
        wait_for("its mailbox to be empty", || (actor(&hub, name)["depth"] == 0).then_some(()));
    }
    drop(reader);
    hub.wait_for_metric("lookout_connections", 0.0);
    wait_for("nothing to be counted in the mailbox of a session that is gone", || {
        (actor(&hub, "session")["depth"] == 0).then_some(())
    });
}

/// More than any actor takes out while one sender sends.
const BURST: usize = 20_000;

/// Where the size of a mailbox is set.
type Size = fn(&mut Mailbox) -> &mut usize;

/// A burst of one cheap message; how many of them were refused.
type Burst = fn(&Hub) -> usize;

fn refused(sent: impl Fn() -> bool) -> usize {
    (0..BURST).filter(|_| !sent()).count()
}

/// Each kind of actor that refuses anything, where its size is set, and a burst of messages that it has little to do with.
const KINDS: [(&str, Size, Burst); 6] = [
    (
        "webhook_handler",
        |mailbox| &mut mailbox.webhook_handler,
        |hub| {
            let places = Arc::new(Semaphore::new(BURST));
            refused(|| {
                let (permit, (reply, _)) = (places.clone().try_acquire_owned().unwrap(), oneshot::channel());
                let headers = DeliveryHeaders::default();
                let empty = Webhook { body: "[]".into(), headers, received_at: chrono::Utc::now(), permit, reply };
                hub.lines().webhook_handler.try_send(empty).is_ok()
            })
        },
    ),
    (
        "archivist",
        |mailbox| &mut mailbox.archivist,
        |hub| {
            refused(|| {
                let (reply, _) = oneshot::channel();
                hub.lines().archivist.try_send(Discard { letters: 0..=0, limit: 1, reply }).is_ok()
            })
        },
    ),
    ("screener", |mailbox| &mut mailbox.screener, |hub| refused(|| hub.lines().screener.try_send(Wake).is_ok())),
    (
        "broadcaster",
        |mailbox| &mut mailbox.broadcaster,
        |hub| refused(|| hub.lines().broadcaster.try_send(Publish(Vec::new())).is_ok()),
    ),
    (
        "relay",
        |mailbox| &mut mailbox.relay,
        |hub| {
            let relay = hub.lines().relays.load()[0].clone();
            refused(|| relay.try_send(Deliver { frames: [].into(), since: Instant::now() }).is_ok())
        },
    ),
    (
        "session_supervisor",
        |mailbox| &mut mailbox.session_supervisor,
        |hub| refused(|| hub.lines().session_supervisor.try_send(LookAtUsers { reply: oneshot::channel().0 }).is_ok()),
    ),
];

#[test]
fn whichever_actor_is_overloaded_is_named_with_a_value_that_is_then_enough() {
    for (name, size, burst) in KINDS {
        let hub = Setup::new().with(|config| *size(&mut config.mailbox) = 1).start();
        let overloaded = |hub: &Hub| {
            let refused = burst(hub);
            let small = actor(hub, name)["mailbox"] == 1;
            assert_eq!(refused > 0, small, "{name} was overloaded");
            refused
        };
        is_named_and_then_large_enough(&hub, name, size, overloaded);
    }
}

/// Readers that come, are sent a burst, and go; a session refuses nothing.
fn come_and_go(hub: &Hub) -> usize {
    let mut readers: Vec<_> = (0..20).map(|_| hub.stream(USER).small_buffers().connect()).collect();
    hub.post(batch("test_user|false", &format!("{:?}", Instant::now()), 200)).assert_success();
    readers.iter_mut().for_each(|reader| drop(reader.notifications(200)));
    drop(readers);
    hub.wait_for_metric("lookout_connections", 0.0);
    0
}

#[test]
fn a_session_whose_mailbox_is_full_is_named_though_it_refuses_nothing() {
    let hub = Setup::new().with(|config| config.mailbox.session = 1).start();
    is_named_and_then_large_enough(&hub, "session", |mailbox| &mut mailbox.session, come_and_go);
}

#[test]
fn readers_slower_than_a_burst_are_told_of_beside_the_key_that_bounds_their_queues() {
    let overload = |queue_size: usize| {
        let hub = Setup::new().with(|config| config.stream.queue_size = queue_size).start();
        let mut reader = hub.stream(USER).small_buffers().connect();
        hub.post(sized_batch("test_user|false", "e", 500, 1_000)).assert_success();
        hub.wait_for_metric("lookout_actor_mailbox_depth{actor=\"relay\"}", 0.0);
        reader.notifications(500);
        let overflows = hub.metric("lookout_queue_overflows_total");
        assert_eq!(hub.metric("lookout_deliveries_total{outcome=\"queue_full\"}"), overflows);
        let page = hub.admin("/actors").json();
        for actor in page["actors"].as_array().unwrap() {
            assert_ne!(actor["recommendation"]["verdict"], "too_small", "no mailbox is to blame: {actor}");
            assert_eq!(actor["refused"], 0, "{actor}");
        }
        let told = actor(&hub, "session")["recommendation"]["text"].as_str().unwrap().to_owned();
        (overflows, told)
    };
    let (overflows, told) = overload(20);
    assert!(overflows > 0.0);
    assert!(told.ends_with(&format!("; full queues of readers: {overflows}, see `stream.queue_size`")), "{told}");
    let (overflows, told) = overload(1_000);
    assert_eq!(overflows, 0.0);
    assert!(!told.contains("queue"), "{told}");
}

#[test]
fn the_node_as_a_whole_is_told_too() {
    let hub = Hub::start();
    let mut readers = [hub.reader(USER), hub.reader(USER)];
    hub.post_kept(event("test_user|false", "a"));
    readers.iter_mut().for_each(|reader| drop(reader.notification()));
    wait_for("both deliveries", || {
        let page = hub.admin("/actors").json();
        // Each worker thread takes part in a broadcast.
        let seen = (&page["connections"], &page["delivered"], &page["broadcasts"]["count"]);
        (seen == (&2.into(), &2.into(), &2.into()) && page["broadcasts"]["seconds"].as_f64() > Some(0.0)).then_some(())
    });
}

#[test]
fn what_waits_in_the_mailbox_of_an_actor_that_dies_is_not_counted_for_ever() {
    let hub = Hub::start();
    for _ in 0..5 {
        let restarts = hub.metric("lookout_actor_restarts_total");
        for _ in 0..100 {
            let _ = hub.lines().screener.try_send(Wake);
        }
        hub.lines().screener.send(Stop);
        for _ in 0..100 {
            let _ = hub.lines().screener.try_send(Wake);
        }
        hub.wait_for_metric("lookout_actor_restarts_total", restarts + 1.0);
    }
    hub.wait_for_metric("lookout_actor_mailbox_depth{actor=\"screener\"}", 0.0);
    assert_eq!(actor(&hub, "screener")["restarts"], 5);
}
