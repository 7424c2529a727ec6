//! `GET /actors`: what every mailbox has been through, and what to do about it.

use std::{fs, path::Path};

use lookout::config::Config;
use serde_json::Value;

use crate::support::{Hub, Setup, USER, event, held, wait_for};

fn actor(hub: &Hub, name: &str) -> Value {
    let page = hub.admin("/actors").json();
    let actors = page["actors"].as_array().unwrap();
    actors.iter().find(|actor| actor["actor"] == name).unwrap_or_else(|| panic!("{name} is missing in {page}")).clone()
}

/// Where the house keeps what is to be told of a full mailbox.
fn when_full(name: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("actors.md")).unwrap();
    let row = page.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
    row.split('|').nth(8).unwrap().trim().to_owned()
}

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
        assert_eq!(state["when_full"], when_full(name), "as in actors.md");
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

#[test]
fn a_mailbox_that_refuses_is_named_with_a_larger_value_that_then_refuses_no_more() {
    let overload = |size: usize| {
        let (screener, _calls) = held(std::time::Duration::from_secs(60));
        let hub = Setup::new()
            .with(|config| {
                config.mailbox.screener = size;
                config.screening.max_in_flight = 1;
            })
            .screened_by(screener)
            .start();
        let line = hub.lines().screener.clone();
        // Its mailbox has its size from when it begins to work.
        line.send(lookout::actors::screener::Wake);
        wait_for("the screener to begin", || (actor(&hub, "screener")["handled"] == 1).then_some(()));
        // More than it can take out meanwhile, from one sender: as many commits at once would do the same.
        let sent = (0..20_000).filter(|_| line.try_send(lookout::actors::screener::Wake).is_ok()).count();
        (hub, 20_000 - sent)
    };
    let (hub, refused) = overload(1);
    assert!(refused > 0, "it was overloaded");
    let state = wait_for("a second to pass", || {
        let state = actor(&hub, "screener");
        (state["recent"]["refused"] == refused).then_some(state)
    });
    assert_eq!(state["refused"], refused);
    assert_eq!(state["recommendation"]["verdict"], "too_small", "{state}");
    let suggestion = &state["recommendation"]["suggestion"];
    assert_eq!(suggestion["key"], "mailbox.screener");
    assert_eq!(hub.metric("lookout_actor_refused_total{actor=\"screener\"}"), refused as f64);
    for other in ["webhook_handler", "archivist", "broadcaster", "relay", "session", "session_supervisor"] {
        assert_ne!(actor(&hub, other)["recommendation"]["verdict"], "too_small", "{other} is not to blame");
    }
    let value = usize::try_from(suggestion["value"].as_u64().unwrap()).unwrap();
    drop(hub);
    let (hub, refused) = overload(value);
    assert_eq!(refused, 0, "{value} is enough");
    assert_ne!(actor(&hub, "screener")["recommendation"]["verdict"], "too_small");
}

#[test]
fn what_waits_in_the_mailbox_of_an_actor_that_dies_is_not_counted_for_ever() {
    let hub = Hub::start();
    for _ in 0..5 {
        let restarts = hub.metric("lookout_actor_restarts_total");
        for _ in 0..100 {
            let _ = hub.lines().screener.try_send(lookout::actors::screener::Wake);
        }
        hub.lines().screener.send(lookout::actors::line::Stop);
        for _ in 0..100 {
            let _ = hub.lines().screener.try_send(lookout::actors::screener::Wake);
        }
        hub.wait_for_metric("lookout_actor_restarts_total", restarts + 1.0);
    }
    hub.wait_for_metric("lookout_actor_mailbox_depth{actor=\"screener\"}", 0.0);
    assert_eq!(actor(&hub, "screener")["restarts"], 5);
}
