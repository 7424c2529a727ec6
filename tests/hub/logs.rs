//! The log of the real binary: one JSON object a line whatever happens, and `RUST_LOG`.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Server, USER, event, wait_for};

/// Every line as an object of its four fields.
fn objects(log: &str) -> Vec<Value> {
    assert!(log.ends_with('\n'), "the last line is whole");
    let read = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let fields: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["timestamp", "level", "target", "message"]);
        assert!(object.as_object().unwrap().values().all(Value::is_string), "{line}");
        chrono::DateTime::parse_from_rfc3339(object["timestamp"].as_str().unwrap()).unwrap();
        assert!(["ERROR", "WARNING", "INFO", "DEBUG", "TRACE"].contains(&object["level"].as_str().unwrap()), "{line}");
        object
    };
    log.lines().map(read).collect()
}

#[test]
fn a_json_log_is_one_object_a_line_from_the_start_to_the_end() {
    let mut server = Server::start(&[("LOG__FORMAT", "json"), ("LOG__LEVEL", "trace"), ("AUTH__MODE", "open")]);
    for user in ["a%22b%5C%0A%7B%22level%22:%22ERROR%22%7D", "%E8%88%B9%00%1B%5B31m", USER] {
        drop(server.stream(user).connect());
    }
    server.post(event("test_user|true", "quote \" line\nend")).assert_success();
    server.post("not an event \" \n").assert_error(400);
    server.wait_for_metric("lookout_connections", 0.0);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_for_exit().code(), Some(0));
    let objects = objects(&server.log());
    for (target, level, words) in [
        ("notifications", "INFO", "event=starting"),
        ("notifications", "WARNING", "event=configuration"),
        ("sse", "INFO", "New SSE connection established. Active connections: 1"),
        ("notifications", "INFO", "event=stopped"),
    ] {
        let is_it = |line: &&Value| line["target"] == target && line["level"] == level;
        assert!(objects.iter().filter(is_it).any(|line| line["message"].as_str().unwrap().starts_with(words)), "{words}");
    }
}

#[test]
fn a_start_that_fails_is_told_as_json_too() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Server::prepared(&[("LOG__FORMAT", "json"), ("INGEST__BIND", &address)]).run(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    let objects = objects(&String::from_utf8(output.stderr).unwrap());
    let last = objects.last().unwrap();
    assert_eq!(last["level"], "ERROR");
    assert!(last["message"].as_str().unwrap().contains(&format!("ingest.bind = {address} cannot be bound")), "{last}");
}

#[test]
fn rust_log_goes_before_the_configured_level() {
    let server = Server::prepared(&[("LOG__LEVEL", "error"), ("AUTH__MODE", "open")]);
    let server = server.with_variable("RUST_LOG", "sse=info,nonsense=loud").started();
    drop(server.stream(USER).connect());
    let log = wait_for("a line", || Some(server.log()).filter(|log| log.contains("New SSE connection established")));
    assert!(!log.contains("notifications:"), "the level holds for what is not named: {log}");

    let server = Server::prepared(&[("LOG__LEVEL", "error")]).with_variable("RUST_LOG", "warn,nonsense=loud").started();
    let log = wait_for("a line", || Some(server.log()).filter(|log| log.contains("rust_log_ignored")));
    assert!(log.contains("nonsense=loud") && !log.contains("[INFO]"), "{log}");
}
