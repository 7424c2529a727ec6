//! A hub that moves to another store: its clients come back to it as if nothing had happened.

use std::{path::Path, time::Duration};

use crate::support::{Hub, Message, Server, Setup, USER, event, held, marker};

/// What a hub left behind on an embedded store.
struct Left {
    /// Its store.
    setup: Setup,
    /// The notifications of `a` and `b`, as they were live.
    live: Vec<Message>,
}

/// A hub that was sent `a` and `b`, holds `c` back for a screening without an answer, and was stopped.
fn left_behind() -> Left {
    let (screener, calls) = held(Duration::from_secs(60));
    let setup = Setup::new().screened_by(screener).with(|config| config.screening.deliver_within = Duration::from_secs(60));
    let hub: Hub = setup.start();
    let mut reader = hub.reader(USER);
    hub.post_kept(event("test_user|false", "a"));
    hub.post_kept(event("test_user|true", "c"));
    let _unanswered = calls.next();
    hub.post_kept(event("test_user|false", "b"));
    assert_eq!(hub.post_bytes(b"{", &[]).status(), 400);
    let live = reader.notifications(2);
    Left { setup: hub.stop(), live }
}

/// Runs a command that must succeed; what it wrote.
fn run(server: &Server, arguments: &[&str]) -> (String, String) {
    let output = server.run(arguments);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    (stdout, stderr)
}

fn a_hub_goes_on_in_another_store(settings: &[(&str, &str)]) {
    let Left { setup, live } = left_behind();
    let path = |name: &str| setup.store_folder().join(name);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (store, file) = (text(&path("lookout.db")), text(&path("lookout.ndjson")));
    let old = Server::prepared(&[("STORE__PATH", &store)]);
    let (_, told) = run(&old, &["export", &file]);
    assert!(told.contains("exported all"), "{told}");
    let (piped, _) = run(&old, &["export", "-"]);
    assert_eq!(piped, std::fs::read_to_string(&file).unwrap(), "the same lines through a pipe");

    let mut new = Server::prepared(settings);
    let cut = text(&path("cut.ndjson"));
    std::fs::write(&cut, &piped.as_bytes()[..piped.len() - 9]).unwrap();
    let refused = new.run(&["import", &cut]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("the export was cut"), "{refused:?}");
    let refused = new.run(&["serve"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("is not finished"), "{refused:?}");
    let (_, told) = run(&new, &["import", &file]);
    assert!(told.contains("2 entries of the log, 1 open screenings, 1 dead letters"), "{told}");
    new.restart();

    let mut reader = new.stream(USER).after(live[0].id.as_ref().unwrap()).connect();
    assert_eq!(reader.notification(), live[1], "what was missed, byte for byte");
    // The screening that was open is taken up; its result may come before or behind the end of the replay.
    let screened = loop {
        let message = reader.message();
        if message.is_entry() {
            break message;
        }
    };
    assert_eq!((marker(&screened.json), &screened.json["data"]["screening_results"]["status"]), ("c", &"done".into()));
    for sent in ["a", "b", "c"] {
        let again = new.post(event("test_user|false", sent)).assert_success();
        assert_eq!(again["duplicate"], true, "{sent} is known");
    }
    let (letters, _) = run(&new, &["dead-letters", "list"]);
    assert!(letters.starts_with("1\t") && letters.contains("\tnot_json\t"), "{letters}");
    let refused = new.run(&["export", &file]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("stop"), "{refused:?}");
}

#[test]
fn a_hub_goes_on_in_another_file() {
    a_hub_goes_on_in_another_store(&[]);
}

#[cfg(feature = "server-tests")]
#[test]
fn a_hub_goes_on_in_mongodb() {
    let mongod = crate::servers::Mongod::start();
    a_hub_goes_on_in_another_store(&[("STORE__KIND", "mongodb"), ("STORE__URI", &mongod.uri())]);
}
