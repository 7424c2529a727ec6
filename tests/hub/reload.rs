//! The configuration read again while the server runs: what is live holds at once, nothing else changes, and a faulty file changes nothing.

use std::{collections::BTreeSet, fs, path::PathBuf};

use lookout::config::{Effect, effects};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Doors, End, Next, PATIENCE, Server, USER, event, wait_for};

const COMMAND: (&str, &str) = ("X-Lookout-Admin", "1");

/// A server with this file.
fn server(file: &str) -> Server {
    let server = Server::prepared(&[]);
    server.write_config(file);
    server.started()
}

fn reload(doors: &Doors) -> Answer {
    doors.ask_admin("POST", "/reload", &[COMMAND])
}

/// Reloads with this file: the keys that were applied, and those that need a restart.
fn change(server: &Server, file: &str) -> (Value, Value) {
    server.write_config(file);
    let answer = reload(server).assert_success();
    (answer["applied"].clone(), answer["restart_needed"].clone())
}

fn post_with(server: &Server, token: &str, name: &str) -> Answer {
    server.post_bytes(event("test_user|false", name).to_string().as_bytes(), &[("X-Token", token)])
}

#[test]
fn a_secret_is_rotated_while_a_stream_stays_open_and_is_told_nowhere() {
    let file = |secrets: &str| {
        format!("[ingest.signature]\nscheme = 'token'\nheader = 'X-Token'\nsecrets = [{secrets}]\n[log]\nlevel = 'trace'")
    };
    let (old, new) = ("the-old-secret-0123456789abcdef", "the-new-secret-0123456789abcdef");
    let server = server(&file(&format!("'{old}'")));
    let mut reader = server.reader(USER);
    let mut ids = vec![post_with(&server, old, "a").assert_success()["notification_id"].clone()];
    post_with(&server, new, "b").assert_error(401);
    let changed = json!(["ingest.signature.secrets"]);
    assert_eq!(change(&server, &file(&format!("'{new}', '{old}'"))), (changed.clone(), json!([])));
    ids.extend(
        [(old, "c"), (new, "d")]
            .map(|(secret, name)| post_with(&server, secret, name).assert_success()["notification_id"].clone()),
    );
    assert_eq!(change(&server, &file(&format!("'{new}'"))), (changed, json!([])));
    post_with(&server, old, "e").assert_error(401);
    ids.push(post_with(&server, new, "f").assert_success()["notification_id"].clone());
    let seen: Vec<_> = reader.notifications(4).into_iter().map(|message| message.json["notification_id"].clone()).collect();
    assert_eq!(seen, ids, "on the one stream");
    assert_eq!(server.metric("lookout_connections_opened_total"), 1.0);
    let log = server.log();
    assert!(log.contains("event=reloaded applied=[\"ingest.signature.secrets\"] restart_needed=[]"), "{log}");
    assert!(!log.contains(old) && !log.contains(new), "{log}");
}

#[test]
fn an_origin_is_added_and_taken_away_and_opened_to_all() {
    let history = "/notifications/zone-port-notifications?user_id=test_user";
    let file =
        |origins: &str, credentials: bool| format!("[cors]\nallowed_origins = [{origins}]\nallow_credentials = {credentials}");
    let server = server(&file("'https://a.example'", true));
    let asked = |origin: &str| {
        let head = server.ask("GET", history, &[("Origin", origin)]).head;
        [head.header("access-control-allow-origin"), head.header("access-control-allow-credentials")]
    };
    let (a, b) = ("https://a.example", "https://b.example");
    let (with, none) = (|origin: &str| [Some(origin.to_owned()), Some("true".to_owned())], [None, None]);
    assert_eq!([asked(a), asked(b)], [with(a), none.clone()]);
    assert_eq!(change(&server, &file("'https://a.example', 'https://b.example'", true)).0, json!(["cors.allowed_origins"]));
    assert_eq!([asked(a), asked(b)], [with(a), with(b)]);
    change(&server, &file("'https://b.example'", false));
    assert_eq!([asked(a), asked(b)], [none, [Some(b.to_owned()), None]]);
    change(&server, &file("'*'", false));
    assert_eq!([asked(a), asked(b)], [[Some("*".to_owned()), None], [Some("*".to_owned()), None]]);
}

#[test]
fn limits_are_lowered_and_raised_and_who_is_there_stays() {
    let file = |streams: usize, body: &str, rate: usize, connections: usize| {
        format!(
            "[stream]\nmax_connections = {streams}\n[ingest]\nmax_body = '{body}'\nmax_batch = 2\n[limits]\nexempt = []\nwebhooks_per_ip = {rate}\n\
             webhooks_burst = {rate}\nconnections_per_ip = {connections}"
        )
    };
    let server = server(&file(10, "1MiB", 1000, 1000));
    let mut readers = [server.reader(USER), server.reader(USER)];
    let long = "x".repeat(5000);
    server.post(event("test_user|false", &long)).assert_success();
    let (applied, restart) = change(&server, &file(1, "4KiB", 1000, 1000));
    assert_eq!((applied, restart), (json!(["ingest.max_body", "stream.max_connections"]), json!([])));
    assert_eq!(server.stream(USER).refused().assert_error(503)["error"], "too_many_connections");
    server.post(event("test_user|false", &long)).assert_error(413);
    server.post(event("test_user|false", "short")).assert_success();
    readers.iter_mut().for_each(|reader| assert_eq!(reader.notifications(2).len(), 2, "who is there stays"));

    change(&server, &file(3, "4KiB", 1, 1000));
    let third = server.reader(USER);
    server.stream(USER).refused().assert_error(503);
    let statuses = [0, 1, 2].map(|number| server.post(event("test_user|false", &format!("rate {number}"))).status());
    assert!(statuses[0] == 200 && statuses.contains(&429), "{statuses:?}");

    change(&server, &file(10, "1MiB", 1000, 2));
    assert_eq!(server.get("/nowhere").status(), 429, "the three streams are counted");
    change(&server, &file(10, "1MiB", 1000, 0));
    assert_eq!(server.get("/nowhere").status(), 404);
    drop(third);
}

#[test]
fn a_batch_is_read_by_the_new_bounds() {
    let server = server("[ingest]\nmax_batch = 1");
    let batch = json!([event("test_user|false", "a"), event("test_user|false", "b")]);
    server.post(&batch).assert_error(413);
    assert_eq!(change(&server, "[ingest]\nmax_batch = 2").0, json!(["ingest.max_batch"]));
    assert_eq!(server.post(&batch).assert_success()["results"].as_array().unwrap().len(), 2);
}

#[test]
fn the_log_gets_another_level_and_look() {
    let server = server("[log]\nlevel = 'error'");
    drop(server.reader(USER));
    server.wait_for_metric("lookout_connections", 0.0);
    assert!(!server.log().contains("[INFO]"), "{}", server.log());
    assert_eq!(change(&server, "[log]\nlevel = 'info'\nformat = 'json'").0, json!(["log.level", "log.format"]));
    drop(server.reader(USER));
    wait_for("a line", || {
        let log = server.log();
        let objects = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        objects.into_iter().find(|line| line["message"].as_str().unwrap().starts_with("New SSE connection established"))
    });
    change(&server, "[log]\nlevel = 'error'");
    let before = server.log();
    drop(server.reader(USER));
    server.wait_for_metric("lookout_connections", 0.0);
    assert_eq!(server.log(), before);
}

#[test]
fn a_faulty_file_is_refused_whole_with_every_fault_by_name() {
    let good = "[ingest]\nmax_body = '1MiB'";
    let server = server(good);
    let long = event("test_user|false", &"x".repeat(5000));
    let refusals = || server.log().matches("event=reload_refused").count();
    for (file, faults) in [
        ("[ingest]\nmax_body = '4KiB'\n[mailbox]\nrelay = 0\n[strem]\nretry = '1s'", &["mailbox.relay", "strem"][..]),
        ("[ingest]\nmax_body = '4KiB'\n[cors]\nallow_credentials = true", &["cors.allow_credentials"]),
        (
            "[ingest]\nmax_body = '4KiB'\n[ingest.signature]\nscheme = 'standard-webhooks'\nsecrets = ['whsec_s3cret!']",
            &["secret 1"],
        ),
        ("[ingest]\nmax_body = '4KiB'\nno toml at all s3cret", &["line 3"]),
    ] {
        server.write_config(file);
        let answer = reload(&server);
        let told = answer.json();
        assert_eq!((answer.status(), &told["error"]), (400, &json!("invalid_configuration")));
        let lines = told["faults"].as_array().unwrap();
        for fault in faults {
            assert!(lines.iter().any(|line| line.as_str().unwrap().contains(fault)), "{fault}: {told}");
        }
        assert!(lines.len() >= faults.len() && !answer.text().contains("s3cret"), "{told}");
        let before = refusals();
        server.signal(Signal::SIGHUP);
        wait_for("the log to tell", || (refusals() > before).then_some(()));
    }
    fs::remove_file(server.folder().join("config.toml")).unwrap();
    assert_eq!(reload(&server).status(), 400, "there is no file any more");
    server.post(&long).assert_success();
    assert!(!server.log().contains("s3cret") && !server.log().contains("event=reloaded"), "{}", server.log());
    assert_eq!(change(&server, "[ingest]\nmax_body = '4KiB'").0, json!(["ingest.max_body"]), "a good one is taken");
    server.post(&long).assert_error(413);
}

#[test]
fn sighup_reloads_and_the_stream_stays() {
    let server = server("[ingest]\nmax_body = '1MiB'");
    let mut reader = server.reader(USER);
    server.write_config("[ingest]\nmax_body = '4KiB'\n[stream]\nqueue_size = 7");
    server.signal(Signal::SIGHUP);
    let told = "event=reloaded applied=[\"ingest.max_body\"] restart_needed=[\"stream.queue_size\"]";
    wait_for("the log to tell", || server.log().contains(told).then_some(()));
    server.post(event("test_user|false", &"x".repeat(5000))).assert_error(413);
    let id = server.post_kept(event("test_user|false", "short"));
    assert_eq!(reader.notification().json["notification_id"], id);
}

#[test]
fn who_is_no_longer_among_the_users_is_sent_away_and_who_is_new_gets_in() {
    let server = server("[auth]\nusers = ['ana', 'ben']");
    let (mut ana, mut ben) = (server.reader("ana"), server.reader("ben"));
    server.stream("eva").refused().assert_error(401);
    assert_eq!(change(&server, "[auth]\nusers = ['ben', 'eva']").0, json!(["auth.users"]));
    // From the moment of the answer on.
    server.stream("ana").refused().assert_error(401);
    assert_eq!(ana.expect("session_ended").json["reason"], "user_removed");
    assert!(matches!(ana.next_within(PATIENCE), Next::Ended(End::Clean)));
    let mut eva = server.reader("eva");
    server.post_kept(event("ben|false", "a"));
    ben.notification();
    eva.notification();
    // Under another mode nobody can say who is let in, so nothing changes.
    let changes = change(&server, "[auth]\nmode = 'store'\nusers = []");
    assert_eq!(changes, (json!([]), json!(["auth.mode", "auth.users"])));
    server.reader("eva");
}

#[test]
fn a_watch_list_is_added_and_taken_away() {
    let list = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/payloads/watch-list.csv");
    let server = server("");
    let mut reader = server.reader(USER);
    let mut screened = |name: &str| {
        server.post_kept(event("test_user|true", name));
        reader.notification().json["data"]["screening_results"].clone()
    };
    assert_eq!(screened("a")["reason"], "no_list");
    assert_eq!(change(&server, &format!("[screening]\nlists = ['{}']", list.display())).0, json!(["screening.lists"]));
    let results = screened("b");
    assert_eq!((results["lists"].as_array().unwrap().len(), &results["lists"][0]["id"]), (1, &json!("watch-list")), "{results}");
    change(&server, "");
    assert_eq!(screened("c")["reason"], "no_list");
}

#[test]
fn mailboxes_get_another_size_and_actors_tells_it() {
    let server = server("");
    let sizes = |of: usize| {
        let kinds =
            ["webhook_handler", "archivist", "screener", "broadcaster", "courier", "relay", "session", "session_supervisor"];
        kinds.map(|kind| format!("{kind} = {of}\n")).concat()
    };
    let (applied, restart) = change(&server, &format!("[mailbox]\n{}", sizes(77)));
    assert_eq!((applied.as_array().unwrap().len(), restart), (8, json!([])));
    let actors = server.admin("/actors").json();
    let mailboxes: BTreeSet<_> =
        actors["actors"].as_array().unwrap().iter().map(|actor| actor["mailbox"].as_u64().unwrap()).collect();
    assert_eq!(mailboxes, BTreeSet::from([77]));
    let mut reader = server.reader(USER);
    server.post_kept(event("test_user|true", "a"));
    reader.notification();
}

#[test]
fn what_needs_a_restart_is_told_until_there_was_one() {
    let mut server = server("");
    let file = "[stream]\nqueue_size = 7\nmax_connections = 100000\n[store]\nretention = '90d'";
    let waiting = json!(["stream.max_connections", "stream.queue_size", "store.retention"]);
    for _ in 0..2 {
        assert_eq!(change(&server, file), (json!([]), waiting.clone()));
    }
    server.signal(Signal::SIGTERM);
    server.wait_for_exit();
    server.restart();
    assert_eq!(change(&server, file), (json!([]), json!([])));
}

#[test]
fn a_name_of_the_admin_listener_is_added_and_no_page_may_reload() {
    let server = server("");
    let ask_by_name = || {
        let mut client = Client::connect(server.admin).unwrap();
        client.send(b"GET /healthz HTTP/1.1\r\nHost: node-1.internal\r\n\r\n").unwrap();
        client.answer(false).unwrap().status()
    };
    assert_eq!(ask_by_name(), 403);
    assert_eq!(change(&server, "[admin]\nallowed_hosts = ['node-1.internal']").0, json!(["admin.allowed_hosts"]));
    assert_eq!(ask_by_name(), 200);
    for headers in [&[][..], &[("Content-Type", "text/plain")]] {
        assert_eq!(server.ask_admin("POST", "/reload", headers).assert_error(403)["error"], "admin_header_missing");
    }
    server.ask_admin("GET", "/reload", &[]).assert_error(405);
    server.ask("POST", "/reload", &[COMMAND]).assert_error(404);
}

#[test]
fn the_readme_lists_the_live_keys_and_every_key_has_an_effect() {
    let read = |file: &str| fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let page = read("README.md");
    let chapter = page.split("### Change it without a restart\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let row = |line: &str| -> Vec<String> {
        let cells: Vec<&str> = line.split(" | ").collect();
        let section = cells[0].trim_start_matches("| `[").trim_end_matches("]`").to_owned();
        cells[1].split('`').skip(1).step_by(2).map(|key| format!("{section}.{key}")).collect()
    };
    let told: BTreeSet<String> = chapter.lines().filter(|line| line.starts_with("| `[")).flat_map(row).collect();
    let live = effects().into_iter().filter(|(_, effect)| *effect == Effect::Live).map(|(key, _)| key.to_owned());
    assert_eq!(told, live.collect());
    let all: BTreeSet<String> = effects().into_iter().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(all, crate::deploy::keys());
}
