//! What could not be used: listed, shown, taken in again, dropped, and never more than may be.

use std::{path::Path, sync::Arc};

use lookout::{
    config::{self, Config, StoreKind},
    store::{NewDeadLetter, Receive, Store, Write, embedded::EmbeddedStore, mongo::MongoStore},
};
use serde_json::{Value, json};

use crate::support::{Answer, Doors, Hub, Server, Setup, USER, event, held, marker};

/// What a command of an operator sends along.
const AS_COMMAND: [(&str, &str); 1] = [("X-Lookout-Admin", "1")];

fn ask(doors: &Doors, method: &str, path: &str) -> Answer {
    doors.ask_admin(method, &format!("/dead-letters{path}"), &AS_COMMAND)
}

/// The numbers of all, newest first.
fn seqs(doors: &Doors) -> Vec<i64> {
    let listed = ask(doors, "GET", "?limit=1000").assert_success();
    listed["dead_letters"].as_array().unwrap().iter().map(|letter| letter["seq"].as_i64().unwrap()).collect()
}

/// Buries this body as an older version might have, one letter an item; none is the whole body.
fn bury(config: &config::Store, raw: &[u8], items: &[Option<usize>]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store: Arc<dyn Store> = match config.kind {
            StoreKind::Embedded => EmbeddedStore::open(config).unwrap(),
            StoreKind::MongoDb => MongoStore::open(config, &Config::defaults().cluster).await.unwrap(),
        };
        let letter = |item: &Option<usize>| NewDeadLetter { item: *item, reason: "not_known_then", detail: "A sentence.".into() };
        let receive = Receive {
            raw: raw.to_vec().into(),
            received_at: chrono::Utc::now(),
            notifications: vec![],
            dead_letters: items.iter().map(letter).collect(),
        };
        store.commit(vec![Write::Receive(receive)]).await.unwrap();
        store.close().await;
    });
}

fn buried(raw: &[u8], items: &[Option<usize>]) -> Setup {
    let setup = Setup::new();
    bury(&in_file(&setup.store_folder().join("lookout.db")), raw, items);
    setup
}

fn in_file(path: &Path) -> config::Store {
    config::Store { path: path.to_owned(), ..Config::defaults().store }
}

/// An event that no fact key recognises, so that taking it in twice would show.
fn keyless(name: &str, screened: bool) -> Value {
    json!({"custom_reference": format!("test_user|{screened}"), "vessel": {"name": name}})
}

#[test]
fn a_dead_letter_is_listed_and_shown_byte_for_byte() {
    let hub = Hub::start();
    let raw: Vec<u8> = (0..=255).collect();
    hub.post_bytes(&raw, &[]).assert_error(400);
    hub.post(json!([event("test_user|false", "a"), 7])).assert_success();
    let listed = ask(&hub, "GET", "").assert_success();
    assert_eq!(listed["count"], 2);
    let [item, whole] = &listed["dead_letters"].as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!((&item["item"], &item["error"]), (&json!(1), &json!("not_an_object")));
    assert_eq!((&whole["item"], &whole["error"], &whole["body_bytes"]), (&json!(null), &json!("invalid_encoding"), &json!(256)));
    assert_eq!(ask(&hub, "GET", "?limit=1").assert_success()["count"], 1);
    let shown = ask(&hub, "GET", &format!("/{}", whole["seq"]));
    assert_eq!((shown.status(), shown.body), (200, raw));
    let header = |name| shown.head.header(name).unwrap();
    assert_eq!((header("content-type"), header("x-content-type-options")), ("application/octet-stream".into(), "nosniff".into()));
    assert_eq!(header("content-disposition"), "attachment");
}

#[test]
fn what_is_not_there_is_404_and_what_is_not_meant_405() {
    let hub = Hub::start();
    for (method, path) in [
        ("GET", "/1"),
        ("DELETE", "/1"),
        ("POST", "/1/retry"),
        ("GET", "/x"),
        ("GET", "/99999999999999999999"),
        ("DELETE", "/-1"),
        ("GET", "/%2e%2e"),
    ] {
        ask(&hub, method, path).assert_error(404);
    }
    let refused = ask(&hub, "POST", "");
    refused.assert_error(405);
    assert_eq!(refused.head.header("allow").as_deref(), Some("GET, DELETE"));
    ask(&hub, "GET", "/1/retry").assert_error(405);
    ask(&hub, "GET", "?limit=-1").assert_error(400);
    hub.get("/dead-letters").assert_error(404);
}

#[test]
fn a_dead_letter_that_can_be_used_now_is_taken_in_again_once() {
    let raw = keyless("LATE", false).to_string().into_bytes();
    let hub = buried(&raw, &[None]).start();
    let mut reader = hub.reader(USER);
    let seq = seqs(&hub)[0];
    let answer = ask(&hub, "POST", &format!("/{seq}/retry")).assert_success();
    assert_eq!(answer["duplicate"], false);
    let notification = reader.notification().json;
    assert_eq!(notification["notification_id"], answer["notification_id"]);
    assert_eq!(notification["data"]["vessel"]["name"], "LATE");
    ask(&hub, "POST", &format!("/{seq}/retry")).assert_error(404);
    assert_eq!((seqs(&hub).len(), &hub.history("")["count"]), (0, &json!(1)));
}

#[test]
fn of_a_batch_only_the_item_of_the_letter_is_taken_in_again() {
    let batch = json!([keyless("GOOD", false), keyless("LATE", false), 7, event("test_user|false", "twice")]);
    let hub = buried(batch.to_string().as_bytes(), &[Some(1), Some(2), Some(3), Some(9)]).start();
    hub.post_kept(event("test_user|false", "twice"));
    let mut letters = seqs(&hub);
    letters.reverse();
    let [late, number, twice, absent] = letters[..] else { panic!("{letters:?}") };
    let retry = |seq| ask(&hub, "POST", &format!("/{seq}/retry"));
    assert_eq!(retry(late).assert_success()["duplicate"], false);
    assert_eq!(retry(twice).assert_success()["duplicate"], true);
    assert_eq!(retry(number).assert_error(400)["error"], "not_an_object");
    assert_eq!(retry(absent).assert_error(400)["error"], "no_such_item");
    assert_eq!(seqs(&hub), [absent, number], "what cannot be used stays");
    let page = hub.history("");
    let names: Vec<_> = page["notifications"].as_array().unwrap().iter().map(|one| &one["data"]["vessel"]["name"]).collect();
    assert_eq!(names, ["LATE", "NORDLYS PIONEER"], "the first item was not in the letter");
}

#[test]
fn what_can_be_used_of_a_whole_body_is_taken_in_and_the_rest_becomes_letters_of_its_own() {
    let batch = json!([keyless("LATE", false), 7]);
    let hub = buried(batch.to_string().as_bytes(), &[None]).start();
    let seq = seqs(&hub)[0];
    let answer = ask(&hub, "POST", &format!("/{seq}/retry")).assert_success();
    assert_eq!(answer["results"][1]["error"], "not_an_object");
    let listed = ask(&hub, "GET", "").assert_success();
    assert_eq!((&listed["count"], &listed["dead_letters"][0]["item"]), (&json!(1), &json!(1)));
    assert_ne!(listed["dead_letters"][0]["seq"], seq);
    assert_eq!(hub.history("")["count"], 1);
}

#[test]
fn what_cannot_be_used_still_stays_as_it_was() {
    let hub = buried(b"not JSON", &[None]).start();
    let before = ask(&hub, "GET", "").assert_success();
    ask(&hub, "POST", &format!("/{}/retry", seqs(&hub)[0])).assert_error(400);
    assert_eq!(ask(&hub, "GET", "").assert_success(), before);
    assert_eq!(hub.metric("lookout_dead_letters_total"), 0.0);
    let hub = buried(json!([1, 2, 3]).to_string().as_bytes(), &[None]).with(|config| config.ingest.max_batch = 2).start();
    ask(&hub, "POST", &format!("/{}/retry", seqs(&hub)[0])).assert_error(413);
    assert_eq!(seqs(&hub).len(), 1);
}

#[test]
fn a_letter_that_is_taken_in_again_is_screened_as_if_it_had_come_now() {
    let (screener, calls) = held(std::time::Duration::from_secs(60));
    let raw = keyless("LATE", true).to_string().into_bytes();
    let hub = buried(&raw, &[None]).screened_by(screener).start();
    let mut reader = hub.reader(USER);
    ask(&hub, "POST", &format!("/{}/retry", seqs(&hub)[0])).assert_success();
    assert_eq!(calls.next().subject.name.as_deref(), Some("LATE"));
    assert_eq!(reader.notification().json["data"]["screening_results"]["status"], "pending", "after screening.deliver_within");
}

#[test]
fn dropped_letters_are_gone() {
    let hub = Hub::start();
    for body in ["a", "b", "c"] {
        hub.post(body).assert_error(400);
    }
    let all = seqs(&hub);
    assert_eq!(ask(&hub, "DELETE", &format!("/{}", all[1])).assert_success()["dropped"], 1);
    assert_eq!(seqs(&hub), [all[0], all[2]]);
    ask(&hub, "DELETE", &format!("/{}", all[1])).assert_error(404);
    assert_eq!(ask(&hub, "DELETE", "").assert_success()["dropped"], 2);
    assert_eq!(ask(&hub, "DELETE", "").assert_success()["dropped"], 0);
    assert_eq!(seqs(&hub), [0; 0]);
}

#[test]
fn more_letters_than_may_be_drop_the_oldest_and_count_them() {
    let hub = Setup::new().with(|config| config.store.max_dead_letters = 3).start();
    for body in 1..=5 {
        hub.post(body).assert_error(400);
    }
    assert_eq!(seqs(&hub), [5, 4, 3]);
    assert_eq!(hub.metric("lookout_dead_letters_total"), 5.0);
    assert_eq!(hub.metric("lookout_dead_letters_dropped_total"), 2.0);
    hub.post(json!([1, 2, 3, 4, event("test_user|false", "a")])).assert_success();
    assert_eq!(seqs(&hub), [9, 8, 7], "all letters of a batch are written at once");
    assert_eq!(hub.history("")["count"], 1);
}

#[test]
fn more_bytes_of_dead_bodies_than_may_be_drop_the_oldest() {
    let hub = Setup::new().with(|config| config.store.max_dead_letter_bytes = 5_000).start();
    for body in ["a", "b", "c"] {
        hub.post(body.repeat(2_000)).assert_error(400);
    }
    assert_eq!(seqs(&hub), [3, 2]);
    assert_eq!(hub.metric("lookout_dead_letters_dropped_total"), 1.0);
}

fn run(server: &Server, arguments: &[&str]) -> (bool, Vec<u8>, String) {
    let output = server.run(&[&["dead-letters"], arguments].concat());
    (output.status.success(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

/// The commands, with and without a running server, on a store that holds letters 1 to 4.
fn commands_work(server: &mut Server) {
    let text = |output: (bool, Vec<u8>, String)| {
        assert!(output.0, "{}", output.2);
        String::from_utf8(output.1).unwrap()
    };
    let refusal = |output: (bool, Vec<u8>, String)| {
        assert!(!output.0, "{output:?}");
        output.2
    };
    assert!(refusal(run(server, &["retry", "1"])).contains("a running one"), "without a server");
    server.restart();
    let listed = text(run(server, &["list"]));
    assert_eq!(listed.lines().map(|line| line.split('\t').next().unwrap()).collect::<Vec<_>>(), ["4", "3", "2", "1"]);
    let (_, body, told) = run(server, &["show", "1"]);
    assert_eq!(body, keyless("LATE", false).to_string().into_bytes());
    assert!(told.starts_with("1\t") && told.contains("\tnot_known_then\tA sentence."), "{told}");
    let mut reader = server.reader(USER);
    let taken_in = text(run(server, &["retry", "1"]));
    assert!(taken_in.starts_with("1\t{\"status\":\"success\""), "{taken_in}");
    assert_eq!(reader.notification().json["data"]["vessel"]["name"], "LATE");
    assert!(refusal(run(server, &["retry", "2"])).contains("not JSON"));
    for arguments in [["retry", "1"], ["show", "1"], ["drop", "1"]] {
        assert!(refusal(run(server, &arguments)).contains("no dead letter 1"), "{arguments:?}");
    }
    assert_eq!(text(run(server, &["drop", "2"])), "dropped 1\n");
    server.kill9();
    assert_eq!(text(run(server, &["drop", "3"])), "dropped 1\n", "without a server");
    assert_eq!(text(run(server, &["list"])).lines().count(), 1);
    server.restart();
    assert_eq!(text(run(server, &["drop", "--all"])), "dropped 1\n");
    assert_eq!(text(run(server, &["drop", "--all"])), "dropped 0\n");
    assert_eq!(text(run(server, &["list"])), "");
    assert!(!run(server, &["drop"]).0 && !run(server, &["drop", "--all", "1"]).0);
    server.post_kept(event("test_user|false", "after"));
    assert_eq!(marker(&server.history("&limit=1")["notifications"][0]), "after");
}

fn prepare(config: &config::Store) {
    bury(config, keyless("LATE", false).to_string().as_bytes(), &[None]);
    for body in ["not JSON", "nor this", "nor that"] {
        bury(config, body.as_bytes(), &[None]);
    }
}

#[test]
fn commands_work_beside_a_server_and_without_one() {
    let mut server = Server::prepared(&[]);
    let (ok, _, told) = run(&server, &["drop", "--all"]);
    assert!(!ok && !server.folder().join("lookout.db").exists(), "no store is made: {told}");
    prepare(&in_file(&server.folder().join("lookout.db")));
    commands_work(&mut server);
}

#[cfg(feature = "server-tests")]
#[test]
fn commands_work_with_mongodb() {
    let mongod = crate::servers::Mongod::start();
    let mut server = Server::prepared(&[("STORE__KIND", "mongodb"), ("STORE__URI", &mongod.uri())]);
    prepare(&config::Store { kind: StoreKind::MongoDb, uri: config::Secret::new(mongod.uri()), ..Config::defaults().store });
    commands_work(&mut server);
}

#[test]
fn what_a_sender_wrote_does_not_steer_the_terminal_of_an_operator() {
    let server = Server::start(&[]);
    server.post_bytes(b"{\"vessel\":{\"\x1b[2J\":1e999}}", &[]).assert_error(400);
    server.post_bytes(br#"{"vessel":{"\u001b[2J\u0007":1e999}}"#, &[]).assert_error(400);
    let (_, listed, _) = run(&server, &["list"]);
    assert!(String::from_utf8(listed).unwrap().chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n')));
}
