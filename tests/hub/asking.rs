//! Auth mode `http`: what the auth system is asked, how its answers are taken, and what happens while it has none.

use std::time::Duration;

use lookout::config::{AuthMode, Config, Secret};

use crate::support::{Answer, Hub, Reply, Setup, USER, Upstream, event, wait_for};

const HISTORY: &str = "/notifications/zone-port-notifications?user_id=test_user";

fn hub_with(system: &Upstream, change: impl FnOnce(&mut Config)) -> Hub {
    let url = Secret::new(system.url("/check?key=s3cret"));
    let setup = Setup::new().with(|config| {
        config.auth.mode = AuthMode::Http;
        config.auth.url = Some(url);
        config.auth.timeout = Duration::from_millis(500);
        config.auth.cache_for = Duration::ZERO;
        change(config);
    });
    setup.start()
}

fn hub(system: &Upstream) -> Hub {
    hub_with(system, |_| {})
}

fn assert_unavailable(answer: &Answer, what: &str) {
    assert_eq!(answer.status(), 503, "{what}: {}", answer.text());
    assert_eq!(answer.assert_error(503)["error"], "auth_unavailable", "{what}");
    assert!(answer.head.header("retry-after").is_some(), "{what}");
}

#[test]
fn the_auth_system_is_asked_for_this_user_with_what_the_caller_has_shown_and_nothing_else() {
    let system = Upstream::start(|_| Reply::status(204));
    let hub = hub(&system);
    let user = "b%22%7C%C3%A9";
    let reader = hub
        .stream(user)
        .header("Authorization", "Bearer one")
        .header("Cookie", "a=1; session=two")
        .header("X-Forwarded-For", "10.0.0.1")
        .header("X-Api-Key", "three")
        .connect();
    assert_eq!(reader.established["user_id"], "b\"|\u{e9}");
    let asked = system.asked();
    let [asked] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(asked.line, "POST /check?key=s3cret");
    assert_eq!(asked.body, r#"{"user_id":"b\"|é"}"#);
    assert_eq!(asked.header("content-type"), ["application/json"]);
    assert_eq!(asked.header("authorization"), ["Bearer one"]);
    assert_eq!(asked.header("cookie"), ["a=1; session=two"]);
    for name in ["x-forwarded-for", "x-api-key", "accept", "last-event-id"] {
        assert!(asked.header(name).is_empty(), "{name} in {asked:?}");
    }
}

#[test]
fn two_hundred_lets_in_and_a_clear_no_does_not() {
    let system = Upstream::start(|asked| Reply::status(asked.header("authorization")[0].parse().unwrap()));
    let hub = hub(&system);
    let id = hub.post_kept(event("test_user|false", "a"));
    let ask = |status: &str, path: &str| hub.ask("GET", path, &[("Authorization", status)]);
    for (status, expected) in [("200", 200), ("202", 200), ("204", 200), ("401", 401), ("404", 401), ("403", 403)] {
        assert_eq!(ask(status, HISTORY).status(), expected, "{status}");
        let one = format!("/notifications/zone-port-notifications/{id}?user_id=test_user");
        assert_eq!(ask(status, &one).status(), expected, "{status}");
        if expected != 200 {
            hub.stream(USER).header("Authorization", status).refused().assert_error(expected);
        }
    }
    hub.stream(USER).header("Authorization", "200").connect();
    // What is wrong with the request itself is not asked about.
    let asked = system.asked().len();
    hub.get("/notifications/zone-port-notifications").assert_error(400);
    assert_eq!(system.asked().len(), asked);
}

#[test]
fn anything_but_a_clear_answer_is_503() {
    let elsewhere = Upstream::start(|_| Reply::status(200));
    let location = format!("Location: {}\r\n", elsewhere.url("/"));
    let system = Upstream::start(|_| Reply::status(500));
    let hub = hub(&system);
    for status in [300, 301, 302, 303, 307, 308, 400, 405, 409, 418, 429, 500, 502, 503] {
        let reply = Reply { headers: location.clone(), ..Reply::status(status) };
        system.answer(move |_| reply.clone());
        assert_unavailable(&hub.get(HISTORY), &status.to_string());
    }
    assert!(elsewhere.asked().is_empty(), "a redirect is not followed, nor are credentials sent along");
    system.answer(|_| Reply::status(200).after(Duration::from_secs(2)));
    assert_unavailable(&hub.get(HISTORY), "slow");
    assert_unavailable(&hub.stream(USER).refused(), "slow");
    system.answer(|_| Reply::status(200));
    hub.get(HISTORY).assert_success();
    drop(system);
    assert_unavailable(&hub.get(HISTORY), "down");
}

#[test]
fn an_auth_system_that_comes_back_is_asked_at_once() {
    let system = Upstream::start(|_| Reply::status(200));
    let address = system.url("").trim_start_matches("http://").parse().unwrap();
    let hub = hub_with(&system, |config| config.auth.cache_for = Duration::from_secs(60));
    drop(system);
    assert_unavailable(&hub.get(HISTORY), "down");
    let _system = Upstream::start_at(address, |_| Reply::status(200));
    hub.get(HISTORY).assert_success();
}

#[test]
fn an_answer_is_kept_for_the_same_user_with_the_same_credentials_only() {
    let system = Upstream::start(|asked| {
        Reply::status(if asked.body.contains("test_user") && asked.header("authorization") == ["Bearer good"] {
            200
        } else {
            401
        })
    });
    let hub = hub_with(&system, |config| config.auth.cache_for = Duration::from_secs(60));
    let ask = |user: &str, headers: &[(&str, &str)]| {
        hub.ask("GET", &format!("/notifications/zone-port-notifications?user_id={user}"), headers).status()
    };
    let good = ("Authorization", "Bearer good");
    let questions = [
        (USER, vec![good], 200),
        (USER, vec![], 401),
        (USER, vec![("Authorization", "Bearer bad")], 401),
        ("somebody", vec![good], 401),
        (USER, vec![good, ("Cookie", "a=1")], 200),
        (USER, vec![("Cookie", "a=1")], 401),
    ];
    for _ in 0..3 {
        for (user, headers, expected) in &questions {
            assert_eq!(ask(user, headers), *expected, "{user} {headers:?}");
        }
    }
    assert_eq!(system.asked().len(), questions.len(), "each once, yes or no");
    system.answer(|_| Reply::status(401));
    assert_eq!(ask(USER, &[good]), 200, "still good");
}

#[test]
fn an_answer_is_good_for_a_while_and_not_longer() {
    let system = Upstream::start(|_| Reply::status(200));
    let hub = hub_with(&system, |config| config.auth.cache_for = Duration::from_millis(300));
    hub.get(HISTORY).assert_success();
    system.answer(|_| Reply::status(401));
    wait_for("the answer to be too old", || (hub.get(HISTORY).status() == 401).then_some(()));
    system.answer(|_| Reply::status(200));
    wait_for("the refusal to be too old", || (hub.get(HISTORY).status() == 200).then_some(()));
}

#[test]
fn so_many_answers_are_kept_and_no_more() {
    let system = Upstream::start(|_| Reply::status(200));
    let hub = hub_with(&system, |config| {
        config.auth.cache_for = Duration::from_secs(60);
        config.auth.cache_size = 2;
    });
    let ask = |token: &str| hub.ask("GET", HISTORY, &[("Authorization", token)]).assert_success();
    for token in ["a", "b", "b", "c", "c", "b"] {
        ask(token);
    }
    assert_eq!(system.asked().len(), 3);
    ask("a");
    assert_eq!(system.asked().len(), 4, "the oldest was forgotten");
}

#[test]
fn many_who_ask_the_same_at_once_are_asked_about_once() {
    let system = Upstream::start(|_| Reply::status(200).after(Duration::from_millis(300)));
    let hub = hub(&system);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| hub.get(HISTORY).assert_success());
        }
    });
    // A thread may come when the first answer is there already.
    assert!(system.asked().len() < 5, "{}", system.asked().len());
    system.answer(|_| Reply::status(500).after(Duration::from_millis(300)));
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_unavailable(&hub.get(HISTORY), "all of them"));
        }
    });
}

#[test]
fn a_caller_who_hangs_up_takes_the_answer_from_nobody() {
    let system = Upstream::start(|_| Reply::status(200).after(Duration::from_millis(300)));
    let hub = hub(&system);
    let mut impatient = crate::support::Client::connect(hub.public).unwrap();
    impatient.send(format!("GET {HISTORY} HTTP/1.1\r\nHost: lookout.test\r\n\r\n").as_bytes()).unwrap();
    wait_for("the question", || (!system.asked().is_empty()).then_some(()));
    let patient = std::thread::scope(|scope| {
        let patient = scope.spawn(|| hub.get(HISTORY));
        std::thread::sleep(Duration::from_millis(50));
        drop(impatient);
        patient.join().unwrap()
    });
    patient.assert_success();
    assert_eq!(system.asked().len(), 1);
}

#[test]
fn hundreds_of_different_callers_at_once_are_all_answered() {
    let system = Upstream::start(|asked| {
        let reply = Reply::status(if asked.header("authorization")[0].ends_with('0') { 401 } else { 200 });
        reply.after(Duration::from_millis(5))
    });
    let hub = hub_with(&system, |config| config.auth.timeout = Duration::from_secs(20));
    std::thread::scope(|scope| {
        for thread in 0..40 {
            let hub = &hub;
            scope.spawn(move || {
                for number in 0..10 {
                    let expected = if number == 0 { 401 } else { 200 };
                    let answer = hub.ask("GET", HISTORY, &[("Authorization", &format!("{thread}-{number}"))]);
                    assert_eq!(answer.status(), expected, "{thread}-{number}: {}", answer.text());
                }
            });
        }
    });
    assert_eq!(system.asked().len(), 400);
}
