//! How many may connect, and every way in which a place becomes free again.

use crate::support::{Answer, End, Hub, Setup, USER};

/// Checks that a stream was refused for now.
fn assert_come_back_later(answer: &Answer) {
    answer.assert_error(503);
    let seconds: u64 = answer.head.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!(seconds >= 1);
}

#[test]
fn the_hundred_and_first_stream_is_told_to_come_back() {
    let hub = Hub::start();
    let readers: Vec<_> = (0..100).map(|_| hub.reader(USER)).collect();
    assert_eq!(hub.metric("lookout_connections"), 100.0);
    assert_come_back_later(&hub.stream(USER).refused());
    assert_eq!(hub.metric("lookout_connections_refused_total"), 1.0);
    drop(readers);
    hub.wait_for_metric("lookout_connections", 0.0);
    hub.reader(USER);
}

#[test]
fn one_user_may_have_a_limit_of_his_own() {
    let setup = Setup::new().with(|config| {
        config.stream.max_connections_per_user = 2;
        config.auth.users = vec!["anna".into(), "ben".into()];
    });
    let hub = setup.start();
    let _annas = [hub.reader("anna"), hub.reader("anna")];
    assert_come_back_later(&hub.stream("anna").refused());
    hub.reader("ben");
}

#[test]
fn a_place_is_free_again_however_its_reader_leaves() {
    let hub = Setup::new().with(|config| config.stream.max_connections = 1).start();
    let freed = || hub.wait_for_metric("lookout_connections", 0.0);

    drop(hub.reader(USER));
    freed();
    hub.reader(USER).reset();
    freed();
    let mut half_closed = hub.reader(USER);
    half_closed.half_close();
    freed();
    let (messages, end) = half_closed.rest();
    assert!(messages.is_empty(), "{messages:?}");
    assert!(matches!(end, End::Clean | End::Cut));
    hub.reader(USER);
    assert_eq!(hub.metric("lookout_connections_opened_total"), 4.0);
}

#[test]
fn a_full_house_still_takes_webhooks_and_answers_questions() {
    let hub = Setup::new().with(|config| config.stream.max_connections = 1).start();
    let mut reader = hub.reader(USER);
    assert_come_back_later(&hub.stream(USER).refused());
    let id = hub.post_kept(crate::support::event("test_user|false", "a"));
    assert_eq!(reader.notification().json["notification_id"], id);
    assert_eq!(hub.history("")["count"], 1);
}
