//! History: the stream's own objects, page by page in both directions, for those who may see them.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use lookout::config::Audience;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::support::{Hub, Message, PATIENCE, Setup, USER, batch, event, sized_batch};

const HISTORY: &str = "/notifications/zone-port-notifications";

/// What a page must hold for these entries: the stream's own objects, and where each stands.
fn assert_page(page: &Value, entries: &[Message]) {
    let notifications = page["notifications"].as_array().unwrap();
    assert_eq!(page["count"], notifications.len());
    assert_eq!(notifications.len(), entries.len());
    for (notification, entry) in notifications.iter().zip(entries) {
        assert_same(notification, entry);
    }
}

fn assert_same(notification: &Value, entry: &Message) {
    let mut notification = notification.clone();
    let position = notification.as_object_mut().unwrap().shift_remove("position").expect("a position");
    assert_eq!(position.as_str(), entry.id.as_deref());
    assert_eq!(notification.to_string(), entry.json.to_string());
}

/// A hub with so many notifications, and those as they were streamed.
fn hub_with(count: usize) -> (Hub, Vec<Message>) {
    let hub = Hub::start();
    let mut reader = hub.reader(USER);
    for event in batch("test_user|true", "e", count) {
        hub.post_kept(event);
    }
    let entries = reader.notifications(count);
    (hub, entries)
}

#[test]
fn an_empty_history_is_a_success() {
    let page = Hub::start().history("");
    let fields: Vec<_> = page.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["status", "count", "notifications", "next"]);
    assert_eq!((&page["count"], &page["next"]), (&Value::from(0), &Value::Null));
}

#[test]
fn pages_go_back_from_the_newest_to_the_first() {
    let (hub, mut entries) = hub_with(7);
    entries.reverse();
    assert_page(&hub.history(""), &entries);
    let (mut cursor, mut pages) = (String::new(), Vec::new());
    loop {
        let page = hub.history(&format!("&limit=3{cursor}"));
        let next = page["next"].as_str().map(str::to_owned);
        pages.push(page);
        match next {
            Some(next) => cursor = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(pages.len(), 3);
    for (page, entries) in pages.iter().zip(entries.chunks(3)) {
        assert_page(page, entries);
    }
}

#[test]
fn pages_go_forward_behind_a_position_and_always_say_where_to_go_on() {
    let (hub, entries) = hub_with(5);
    let after = |position: &str| hub.history(&format!("&limit=2&after={position}"));
    let first = after(entries[0].id.as_ref().unwrap());
    assert_page(&first, &entries[1..3]);
    let second = after(first["next"].as_str().expect("a next"));
    assert_page(&second, &entries[3..]);
    let empty = after(second["next"].as_str().expect("a next"));
    assert_page(&empty, &[]);
    hub.post_kept(event("test_user|false", "later"));
    let later = after(empty["next"].as_str().expect("a next on an empty page"));
    assert_eq!(later["count"], 1);
}

#[test]
fn a_limit_out_of_range_is_refused() {
    let hub = Hub::start();
    for limit in ["0", "1001", "-1", "many"] {
        hub.get(&format!("{HISTORY}?user_id={USER}&limit={limit}")).assert_error(400);
    }
    hub.history("&limit=1");
    hub.history("&limit=1000");
}

#[test]
fn one_notification_can_be_asked_for() {
    let (hub, entries) = hub_with(2);
    let id = entries[0].json["notification_id"].as_str().unwrap();
    let answer = hub.get(&format!("{HISTORY}/{id}?user_id={USER}"));
    assert_eq!(answer.status(), 200);
    let json = answer.json();
    assert_same(json.get("notification").unwrap_or(&json), &entries[0]);
    hub.get(&format!("{HISTORY}/ffffffffffffffffffffffff?user_id={USER}")).assert_error(404);
    hub.get(&format!("{HISTORY}/{id}?user_id=stranger")).assert_error(401);
    hub.get(&format!("{HISTORY}/{id}")).assert_error(400);
}

#[test]
fn under_audience_owner_history_is_ones_own() {
    let setup = Setup::new().with(|config| {
        config.stream.audience = Audience::Owner;
        config.auth.users = vec!["anna".into(), "ben".into()];
    });
    let hub = setup.start();
    let annas = hub.post_kept(event("anna|false", "1"));
    let bens = hub.post_kept(event("ben|false", "2"));
    let nobodys = hub.post_kept(event("nobody", "3"));
    let page = hub.get(&format!("{HISTORY}?user_id=anna")).assert_success();
    assert_eq!((&page["count"], &page["notifications"][0]["notification_id"]), (&Value::from(1), &Value::from(&*annas)));
    assert_eq!(hub.get(&format!("{HISTORY}/{annas}?user_id=anna")).status(), 200);
    for foreign in [bens, nobodys] {
        hub.get(&format!("{HISTORY}/{foreign}?user_id=anna")).assert_error(404);
    }
}

/// Asks for the longest page there is and reads nothing of it.
fn unread(hub: &Hub) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Else the kernel would take the page for a client that never does.
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.set_tcp_mss(536).unwrap();
    socket.connect(&hub.public.into()).unwrap();
    let mut socket = TcpStream::from(socket);
    let head = "GET /notifications/zone-port-notifications?user_id=test_user&limit=1000 HTTP/1.1\r\nHost: lookout.test\r\n\r\n";
    socket.write_all(head.as_bytes()).unwrap();
    socket
}

/// Reads on; whether the page comes to its end.
fn is_whole(mut socket: &TcpStream) -> bool {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut said, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    while !said.ends_with(b"\"next\":null}") {
        match socket.read(&mut piece) {
            Ok(0) | Err(_) => return false,
            Ok(length) => said.extend_from_slice(&piece[..length]),
        }
    }
    true
}

#[test]
fn pages_that_nobody_reads_give_their_places_to_others_and_are_told_of() {
    let hub = Setup::new().with(|config| config.server.max_pages = 3).start();
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        hub.post(sized_batch("test_user|false", name, 100, 9_000)).assert_success();
    }
    let dawdlers: Vec<_> = (0..5).map(|_| unread(&hub)).collect();
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(hub.history("&limit=2")["count"], 2);
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(hub.metric("lookout_limited_total") >= 3.0, "two dawdlers beyond three places, and whoever reads");
    let cut_off = dawdlers.into_iter().filter(|socket| !is_whole(socket)).count();
    assert!(cut_off >= 3, "{cut_off} have given their places up");
    assert_eq!(hub.history("&limit=1000")["count"], 700, "and whoever reads gets the whole page");
}
