//! Who was sent what: laps as relays write them, and what is read back from them.

use std::sync::Arc;

use lookout::{
    notification::{Timestamp, entry::Kind},
    store::{
        Store,
        audit::{
            About, Candidates, Connection, ConnectionId, Delivery, End, Lap, Mark, Question, RelayId, Sendables, Trace, search,
        },
    },
};

use crate::story::*;

fn connection(number: u32, user: &str, after: u64) -> Connection {
    Connection { id: id(number), user: user.into(), own: false, opened_at: at(1), after, end: None }
}

fn ended(connection: Connection, second: i64, sent: u64) -> Connection {
    Connection { end: Some(End { at: at(second), sent, cause: "client_closed".into() }), ..connection }
}

fn in_step(connection: u32, sent: u64) -> Mark {
    Mark { connection: id(connection), sent, in_step: true }
}

fn alone(connection: u32, sent: u64) -> Mark {
    Mark { connection: id(connection), sent, in_step: false }
}

/// Second `number` of the story.
fn lap(relay: RelayId, number: i64, reached: Option<u64>, connections: Vec<Connection>, marks: Vec<Mark>) -> Lap {
    Lap { relay, number, at: at(number), reached, alive_until: None, connections, marks }
}

async fn keep(store: &Arc<dyn Store>, laps: impl IntoIterator<Item = Lap>) {
    for lap in laps {
        store.keep(Arc::new(lap)).await.unwrap();
    }
}

fn of(n: u64) -> Candidates {
    Candidates { n, owner: None, user: None, after: None, limit: 100 }
}

async fn traces(store: &Arc<dyn Store>, candidates: Candidates) -> Vec<Trace> {
    store.traces(candidates).await.unwrap()
}

/// Which connections an entry was sent on, and by which second.
async fn sent(store: &Arc<dyn Store>, n: u64) -> Vec<(ConnectionId, i64)> {
    let windows = traces(store, of(n)).await.into_iter().filter_map(|trace| Some((trace.connection.id, trace.window(at(0))?.1)));
    windows.map(|(id, by)| (id, second(by))).collect()
}

fn second(time: Timestamp) -> i64 {
    (time - at(0)).num_seconds()
}

pub async fn readers_in_step_are_written_once_and_then_by_the_laps_of_their_relay(place: &dyn Place) {
    let store = place.open().await;
    let relay = RelayId::new();
    let (ana, ben) = (connection(1, "ana", 4), connection(2, "ben", 4));
    keep(
        &store,
        [
            lap(relay, 1, None, vec![ana.clone(), ben.clone()], vec![]),
            lap(relay, 2, Some(5), vec![], vec![in_step(1, 5), in_step(2, 5)]),
            lap(relay, 3, Some(7), vec![], vec![]),
            // Ben falls behind, comes on alone, and is back; Ana ends.
            lap(relay, 5, Some(9), vec![], vec![alone(2, 8)]),
            lap(relay, 6, Some(10), vec![], vec![alone(2, 9)]),
            lap(relay, 7, Some(12), vec![ended(ana, 7, 11)], vec![in_step(2, 12)]),
            lap(relay, 9, Some(13), vec![], vec![]),
            // Of another relay, which says nothing of either.
            lap(RelayId::new(), 1, Some(99), vec![], vec![]),
        ],
    )
    .await;
    let (ana, ben) = (id(1), id(2));
    for (n, expected) in [
        (4, vec![]),
        (5, vec![(ana, 2), (ben, 2)]),
        (6, vec![(ana, 3), (ben, 3)]),
        (8, vec![(ana, 5), (ben, 5)]),
        (9, vec![(ana, 5), (ben, 6)]),
        (10, vec![(ana, 6), (ben, 7)]),
        (11, vec![(ana, 7), (ben, 7)]),
        (12, vec![(ben, 7)]),
        (13, vec![(ben, 9)]),
        (14, vec![]),
    ] {
        assert_eq!(sent(&store, n).await, expected, "{n}");
    }
    let trace = &traces(&store, of(9)).await[1];
    assert_eq!((trace.before, trace.behind, trace.reached), (Some((at(5), false)), Some(at(6)), None));
    assert_eq!(trace.connection, connection(2, "ben", 4));
    store.close().await;
    let store = place.open().await;
    assert_eq!(sent(&store, 9).await, [(ana, 5), (ben, 6)]);
}

pub async fn a_lap_that_is_kept_again_is_there_once(place: &dyn Place) {
    let store = place.open().await;
    let relay = RelayId::new();
    let first = lap(relay, 1, Some(2), vec![connection(1, "ana", 1)], vec![in_step(1, 2)]);
    let last = lap(relay, 2, Some(3), vec![ended(connection(1, "ana", 1), 2, 3)], vec![]);
    keep(&store, [first.clone(), first.clone(), last.clone()]).await;
    let whole = traces(&store, of(3)).await;
    assert_eq!(whole[0].connection, ended(connection(1, "ana", 1), 2, 3));
    keep(&store, [last]).await;
    assert_eq!(traces(&store, of(3)).await, whole);
    // One that ended before it was ever written, and another relay takes over who was written.
    let other = RelayId::new();
    keep(
        &store,
        [
            lap(other, 3, None, vec![ended(connection(2, "ben", 1), 3, 4)], vec![]),
            lap(relay, 4, None, vec![connection(3, "eve", 1)], vec![]),
            lap(other, 5, Some(6), vec![connection(3, "eve", 1)], vec![in_step(3, 5)]),
        ],
    )
    .await;
    assert_eq!(sent(&store, 3).await, [(id(1), 2), (id(2), 3), (id(3), 5)]);
    assert_eq!(sent(&store, 6).await, [(id(3), 5)]);
}

pub async fn candidates_are_those_who_see_the_entry_page_by_page(place: &dyn Place) {
    let store = place.open().await;
    let connections = (1..=5).map(|number| connection(number, ["ana", "ben"][number as usize % 2], u64::from(number)));
    let connections = connections.chain([
        Connection { own: true, ..connection(6, "ana", 0) },
        Connection { own: true, ..connection(7, "ben", 0) },
        ended(connection(8, "ana", 0), 3, 3),
    ]);
    keep(&store, [lap(RelayId::new(), 1, None, connections.collect(), vec![])]).await;
    let found = |traces: Vec<Trace>| traces.into_iter().map(|trace| trace.connection.id).collect::<Vec<_>>();
    let ids = |numbers: &[u32]| numbers.iter().map(|number| id(*number)).collect::<Vec<_>>();
    assert_eq!(found(traces(&store, of(3)).await), ids(&[1, 2, 8]), "nobody's entry is shown to nobody who sees his own only");
    let bens = Candidates { owner: Some("ben".into()), ..of(6) };
    assert_eq!(found(traces(&store, bens.clone()).await), ids(&[1, 2, 3, 4, 5, 7]));
    let page = Candidates { after: Some(id(2)), limit: 2, ..bens.clone() };
    assert_eq!(found(traces(&store, page).await), ids(&[3, 4]));
    let anas = Candidates { user: Some("ana".into()), ..bens };
    assert_eq!(found(traces(&store, anas).await), ids(&[2, 4]));
    for (user, below, furthest) in [("ana", 9, Some(9)), ("ana", 0, None), ("eve", 9, None)] {
        assert_eq!(store.furthest(user.into(), below).await.unwrap(), furthest, "{user} {below}");
    }
    keep(&store, [lap(RelayId::new(), 1, None, vec![ended(connection(9, "eve", 2), 1, 5)], vec![])]).await;
    for (below, furthest) in [(9, Some(5)), (4, Some(4)), (2, None)] {
        assert_eq!(store.furthest("eve".into(), below).await.unwrap(), furthest, "{below}");
    }
}

pub async fn entries_are_found_by_their_notification_and_from_the_newest(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![owned(1, "ana"), screened(2)])]).await;
    commit(&store, vec![release(2, 3, 9)]).await;
    commit(&store, vec![settle(2, 4, "done")]).await;
    let found = store.sendables(Sendables::Of(id(2))).await.unwrap();
    let seen: Vec<_> = found.iter().map(|entry| (entry.position.n, entry.kind, entry.committed_at)).collect();
    assert_eq!(seen, [(2, Kind::Notification, at(3)), (3, Kind::Update, at(4))]);
    assert_eq!(found[1].position, store.span().newest.unwrap());
    assert!(found.iter().all(|entry| entry.notification_id == id(2) && entry.owner.is_none()));
    assert_eq!(store.sendables(Sendables::Of(id(9))).await.unwrap(), []);
    let newest = store.sendables(Sendables::UpTo(2, 9)).await.unwrap();
    assert_eq!(newest.iter().map(|entry| entry.position.n).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(newest[1].owner.as_deref(), Some("ana"));
    assert_eq!(store.sendables(Sendables::UpTo(9, 1)).await.unwrap().len(), 1);
}

pub async fn what_was_sent_is_found_by_notification_by_user_and_by_both(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, (1..=5).map(|number| receive(0, vec![event(number)])).collect()).await;
    let relay = RelayId::new();
    let connections = vec![
        ended(connection(1, "ana", 0), 2, 2),
        ended(connection(2, "ana", 1), 3, 4),
        ended(connection(3, "ben", 3), 4, 5),
        // Of a node that was killed: nothing says that anything was sent on it.
        connection(4, "ana", 0),
    ];
    keep(&store, [lap(relay, 4, None, connections, vec![])]).await;
    let ask = |about: About, limit: usize| {
        let store = store.clone();
        async move {
            let (mut pages, mut from) = (Vec::new(), None);
            loop {
                let question = Question { about: about.clone(), from, limit };
                let page = search(&*store, &question).await.unwrap().unwrap();
                assert!(page.deliveries.len() <= limit);
                pages.extend(page.deliveries.iter().map(|Delivery { entry, connection, .. }| (entry.position.n, connection.id)));
                from = page.next;
                if from.is_none() {
                    return pages;
                }
            }
        }
    };
    for limit in [1, 2, 3, 100] {
        let ana = [(4, id(2)), (3, id(2)), (2, id(1)), (2, id(2)), (1, id(1))];
        assert_eq!(ask(About::User("ana".into()), limit).await, ana, "{limit}");
        assert_eq!(ask(About::Notification(id(4), None), limit).await, [(4, id(2)), (4, id(3))]);
        assert_eq!(ask(About::Notification(id(4), Some("ben".into())), limit).await, [(4, id(3))]);
        assert_eq!(ask(About::Notification(id(1), Some("ben".into())), limit).await, []);
        assert_eq!(ask(About::User("eve".into()), limit).await, []);
    }
    let unknown = Question { about: About::Notification(id(9), None), from: None, limit: 1 };
    assert!(search(&*store, &unknown).await.unwrap().is_none());
}

pub async fn what_is_older_than_retention_is_forgotten_and_who_is_connected_is_not(place: &dyn Place) {
    let store = place.open().await;
    let (dead, living) = (RelayId::new(), RelayId::new());
    keep(
        &store,
        [
            lap(dead, 1, Some(1), vec![connection(1, "ana", 0), connection(2, "ana", 0)], vec![in_step(1, 0), in_step(2, 0)]),
            lap(dead, 2, Some(2), vec![ended(connection(2, "ana", 0), 2, 2)], vec![]),
            lap(living, 3, Some(2), vec![connection(3, "ana", 0), ended(connection(4, "ana", 0), 3, 2)], vec![in_step(3, 0)]),
            lap(living, 9, Some(3), vec![ended(connection(5, "ana", 0), 9, 3)], vec![]),
        ],
    )
    .await;
    assert_eq!(store.forget(at(1), 9).await.unwrap(), 0);
    assert_eq!(sent(&store, 2).await, [(id(1), 2), (id(2), 2), (id(3), 3), (id(4), 3), (id(5), 9)]);
    let mut rounds = 0;
    while store.forget(at(5), 1).await.unwrap() == 1 {
        rounds += 1;
    }
    assert!(rounds >= 3, "one at a time");
    assert_eq!(sent(&store, 3).await, [(id(3), 9), (id(5), 9)]);
    let left: Vec<_> = traces(&store, of(1)).await.into_iter().map(|trace| trace.connection.id).collect();
    assert_eq!(left, [id(3), id(5)]);
    // Its end comes all the same where it was forgotten meanwhile.
    keep(&store, [lap(living, 10, None, vec![ended(connection(1, "ana", 0), 10, 3)], vec![])]).await;
    assert_eq!(sent(&store, 3).await, [(id(1), 10), (id(3), 9), (id(5), 9)]);
}

pub async fn a_relay_that_says_it_lives_keeps_its_connections_while_nothing_is_sent(place: &dyn Place) {
    let store = place.open().await;
    let relay = RelayId::new();
    let signed = |number: i64, until: i64, lap: Lap| Lap { alive_until: Some(at(until)), number, ..lap };
    keep(
        &store,
        [
            signed(1, 15, lap(relay, 1, None, vec![connection(1, "ana", 0)], vec![])),
            lap(relay, 2, Some(1), vec![], vec![in_step(1, 0)]),
            signed(3, 20, lap(relay, 3, None, vec![], vec![])),
            // A call that was given up, and comes late.
            signed(1, 15, lap(relay, 1, None, vec![connection(1, "ana", 0)], vec![])),
        ],
    )
    .await;
    assert_eq!(sent(&store, 1).await, [(id(1), 2)]);
    assert_eq!(store.forget(at(19), 9).await.unwrap(), 1, "the lap is older");
    keep(&store, [lap(relay, 30, Some(2), vec![], vec![])]).await;
    assert_eq!(sent(&store, 2).await, [(id(1), 30)]);
    assert_eq!(store.forget(at(31), 9).await.unwrap(), 2, "what it says, and what says that it lives");
    assert_eq!(traces(&store, of(2)).await, []);
}

pub async fn what_is_about_an_entry_stays_as_long_as_the_entry(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(5, vec![event(1)])]).await;
    let relay = RelayId::new();
    let before = ended(connection(1, "ana", 0), 4, 0);
    let behind = ended(connection(2, "ana", 0), 7, 1);
    keep(
        &store,
        [
            lap(relay, 4, None, vec![before, connection(3, "ana", 0)], vec![in_step(3, 0)]),
            lap(relay, 6, Some(1), vec![], vec![]),
            lap(relay, 7, None, vec![behind], vec![]),
        ],
    )
    .await;
    assert_eq!(store.forget(at(99), 9).await.unwrap(), 1, "of before the only entry");
    assert_eq!(sent(&store, 1).await, [(id(2), 7), (id(3), 6)]);
}

pub async fn no_more_rows_are_forgotten_at_once_than_asked_for(place: &dyn Place) {
    let store = place.open().await;
    let marks = (0..25).map(|sent| alone(1, sent)).collect();
    keep(&store, [lap(RelayId::new(), 1, None, vec![ended(connection(1, "ana", 0), 1, 25)], marks)]).await;
    let mut rounds = 0;
    while store.forget(at(2), 10).await.unwrap() == 10 {
        rounds += 1;
        assert_eq!(traces(&store, of(25)).await.len(), 1, "it goes with its last mark");
    }
    assert_eq!(rounds, 2);
    assert_eq!(traces(&store, of(25)).await, []);
}
