//! Auth mode `store`: users that come and go while the server runs, by its admin listener and by commands.

use std::time::Duration;

use lookout::{actors::line::Stop, config::AuthMode};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Doors, End, Hub, Next, Server, Setup, USER, event, wait_for};

const STORE: &[(&str, &str)] = &[("AUTH__MODE", "store")];

fn hub() -> Hub {
    Setup::new().with(|config| config.auth.mode = AuthMode::Store).start()
}

/// As a command asks.
fn admin(doors: &Doors, method: &str, path: &str, body: &str) -> Answer {
    ask(doors, method, path, &[("X-Lookout-Admin", "1")], body)
}

fn ask(doors: &Doors, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    Client::connect(doors.admin).and_then(|mut client| client.request(method, path, headers, body.as_bytes())).unwrap()
}

fn add(doors: &Doors, user: &str) -> Value {
    admin(doors, "POST", "/users", &json!({ "user_id": user }).to_string()).assert_success()
}

fn remove(doors: &Doors, user: &str) -> Value {
    admin(doors, "DELETE", &format!("/users/{user}"), "").assert_success()
}

fn users(doors: &Doors) -> Value {
    doors.admin("/users").assert_success()["users"].clone()
}

/// Checks that a stream ends, told that its user was removed, with nothing lost for one who comes back.
fn assert_dismissed(reader: &mut crate::support::Reader) {
    let last = reader.expect("session_ended");
    assert_eq!(last.fields(), ["type", "timestamp", "reason"]);
    assert_eq!(last.json["reason"], "user_removed");
    assert!(last.id.is_some());
    assert!(matches!(reader.next_within(Duration::from_secs(20)), Next::Ended(End::Clean)));
}

#[test]
fn a_user_gets_in_when_added_and_out_when_removed() {
    let hub = hub();
    hub.stream(USER).refused().assert_error(401);
    assert_eq!(add(&hub, USER), json!({ "status": "success", "user_id": USER, "changed": true }));
    assert_eq!(add(&hub, USER)["changed"], false);
    add(&hub, "ben");
    let (mut readers, mut ben) = ([hub.reader(USER), hub.reader(USER)], hub.reader("ben"));
    assert_eq!(users(&hub), json!(["ben", USER]));
    assert_eq!(remove(&hub, USER), json!({ "status": "success", "user_id": USER, "changed": true }));
    // From the moment of the answer on.
    hub.stream(USER).refused().assert_error(401);
    hub.get("/notifications/zone-port-notifications?user_id=test_user").assert_error(401);
    readers.iter_mut().for_each(assert_dismissed);
    assert_eq!(remove(&hub, USER)["changed"], false);
    hub.post_kept(event("ben|false", "a"));
    ben.notification();
    hub.wait_for_metric("lookout_connections", 1.0);
    let text = hub.admin("/metrics").text();
    assert!(text.contains("lookout_connections_closed_total{cause=\"user_removed\"} 2"), "{text}");
    add(&hub, USER);
    hub.reader(USER);
}

#[test]
fn users_are_kept_over_a_restart() {
    let hub = hub();
    add(&hub, "ana");
    add(&hub, "ben");
    remove(&hub, "ana");
    let hub = hub.stop().start();
    assert_eq!(users(&hub), json!(["ben"]));
    hub.reader("ben");
    hub.stream("ana").refused().assert_error(401);
}

#[test]
fn odd_ids_are_kept_as_they_are_and_impossible_ones_refused() {
    let hub = hub();
    let odd = ["b|c", "a/b", "..", "\u{e9}\u{1f6a2}", "50%", "a b", "' OR 1=1 --", "$where", "?a=b#c", "+"];
    for user in odd {
        add(&hub, user);
    }
    let mut sorted = odd;
    sorted.sort_unstable();
    assert_eq!(users(&hub), json!(sorted));
    for user in odd {
        let escaped: String = user.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(hub.reader(&escaped).established["user_id"], user);
        assert_eq!(remove(&hub, &escaped)["user_id"], user);
    }
    assert_eq!(users(&hub), json!([]));
    let long = "x".repeat(1025);
    for user in ["", " a", "a ", "a\nb", "a\u{0}", "\u{7f}", long.as_str()] {
        let body = json!({ "user_id": user }).to_string();
        admin(&hub, "POST", "/users", &body).assert_error(400);
    }
    for body in ["", "ana", "[]", r#"{"user_id":5}"#, r#"{"user_id":"a","known":true}"#, r#"{"users":["a"]}"#] {
        admin(&hub, "POST", "/users", body).assert_error(400);
    }
    assert_eq!(users(&hub), json!([]));
}

#[test]
fn users_are_changed_at_the_admin_listener_only_and_by_no_page() {
    let hub = hub();
    let body = json!({ "user_id": USER }).to_string();
    for (method, path) in [("GET", "/users"), ("POST", "/users"), ("DELETE", "/users/test_user")] {
        hub.ask(method, path, &[]).assert_error(404);
    }
    // All that a page in an operator's browser can send without being allowed to.
    for headers in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "multipart/form-data; boundary=a")],
        &[("Origin", "https://evil.example"), ("Content-Type", "text/plain")],
    ] {
        for (method, path, body) in [("POST", "/users", body.as_str()), ("DELETE", "/users/test_user", "")] {
            assert_eq!(ask(&hub, method, path, headers, body).assert_error(403)["error"], "admin_header_missing", "{headers:?}");
        }
    }
    assert_eq!(users(&hub), json!([]));
    let answer = admin(&hub, "PUT", "/users", &body);
    answer.assert_error(405);
    assert_eq!(answer.head.header("allow").as_deref(), Some("GET, POST"));
    assert_eq!(admin(&hub, "GET", "/users/test_user", "").head.header("allow").as_deref(), Some("DELETE"));
}

#[test]
fn removals_are_obeyed_also_behind_the_death_of_the_supervisor() {
    let hub = hub();
    add(&hub, USER);
    let mut reader = hub.reader(USER);
    hub.lines().session_supervisor.send(Stop);
    hub.lines().archivist.send(Stop);
    wait_for("the removal", || {
        let answer = admin(&hub, "DELETE", "/users/test_user", "");
        (answer.status() == 200).then_some(())
    });
    assert_dismissed(&mut reader);
    hub.stream(USER).refused().assert_error(401);
}

#[test]
fn a_stream_that_is_opened_while_its_user_is_removed_does_not_stay() {
    let hub = hub();
    for _ in 0..30 {
        add(&hub, USER);
        let streams = std::thread::scope(|scope| {
            let opening: Vec<_> = (0..4).map(|_| scope.spawn(|| hub.stream(USER).status().unwrap())).collect();
            remove(&hub, USER);
            opening.into_iter().map(|opening| opening.join().unwrap()).collect::<Vec<_>>()
        });
        // Refused, or opened and ended: but none is left.
        assert!(streams.iter().all(|status| [200, 401].contains(status)), "{streams:?}");
        hub.wait_for_metric("lookout_connections", 0.0);
    }
}

fn run(server: &Server, arguments: &[&str]) -> (bool, String, String) {
    let output = server.run(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn commands_work_beside_a_running_server_at_once_and_without_one() {
    let mut server = Server::start(STORE);
    let told = |outcome: (bool, String, String)| {
        assert!(outcome.0 && outcome.2.is_empty(), "{outcome:?}");
        outcome.1
    };
    assert_eq!(told(run(&server, &["user", "list"])), "");
    assert_eq!(told(run(&server, &["user", "add", "ana", "b|c/\u{e9}"])), "ana was added\nb|c/\u{e9} was added\n");
    let (mut ana, _other) = (server.reader("ana"), server.reader("b%7Cc%2F%C3%A9"));
    assert_eq!(told(run(&server, &["user", "add", "ana"])), "ana was there already\n");
    assert_eq!(told(run(&server, &["user", "list"])), "ana\nb|c/\u{e9}\n");
    assert_eq!(told(run(&server, &["user", "remove", "ana"])), "ana was removed\n");
    assert_dismissed(&mut ana);
    server.stream("ana").refused().assert_error(401);
    let (ok, out, _) = run(&server, &["user", "remove", "anna", "b|c/\u{e9}"]);
    assert!(!ok);
    assert_eq!(out, "anna is not there\nb|c/\u{e9} was removed\n");

    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.wait_for_exit();
    assert_eq!(told(run(&server, &["user", "add", "ben"])), "ben was added\n");
    assert_eq!(told(run(&server, &["user", "list"])), "ben\n");
    assert_eq!(told(run(&server, &["user", "remove", "ben"])), "ben was removed\n");
    assert_eq!(told(run(&server, &["user", "add", "eva"])), "eva was added\n");
    server.restart();
    server.reader("eva");
    server.stream("ben").refused().assert_error(401);
}

#[test]
fn commands_say_what_is_wrong() {
    let server = Server::start(STORE);
    let (ok, _, why) = run(&server, &["user", "add", " ana"]);
    assert!(!ok && why.contains("has no blanks around it"), "{why}");
    let (ok, ..) = run(&server, &["user", "add"]);
    assert!(!ok);
    let other = Server::start(&[]);
    let (ok, _, why) = run(&other, &["user", "add", "ana"]);
    assert!(ok && why.contains("auth.mode is not \"store\""), "{why}");
    other.stream("ana").refused().assert_error(401);
}
