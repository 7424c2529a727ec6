//! Dead letters: shown, taken in again, and dropped.

use lookout::store::{Kept, NewNotification, Receive, Store, Write, Written};

use crate::story::*;

/// A body of which so many items could not be used.
fn dead(second: i64, raw: Vec<u8>, letters: usize) -> Write {
    let dead_letters = (0..letters).map(|_| letter("bad")).collect();
    Write::Receive(Receive { raw: raw.into(), received_at: at(second), notifications: vec![], dead_letters })
}

fn retry(seq: i64, raw: &'static [u8], notifications: Vec<NewNotification>) -> Write {
    Write::Retry { seq, receive: Receive { raw: raw.into(), received_at: at(9), notifications, dead_letters: vec![] } }
}

/// The numbers of those that are left, oldest first.
async fn seqs(store: &dyn Store) -> Vec<i64> {
    let mut seqs: Vec<i64> = store.dead_letters(10_000).await.unwrap().iter().map(|letter| letter.seq).collect();
    seqs.reverse();
    seqs
}

pub async fn a_dead_letter_is_shown_with_the_exact_body_that_it_came_in(place: &dyn Place) {
    let store = place.open().await;
    let raw: Vec<u8> = (0..=255).collect();
    commit(&store, vec![dead(1, raw.clone(), 2), dead(2, vec![], 1)]).await;
    let all = store.dead_letters(9).await.unwrap();
    for (letter, body) in all.iter().zip([&[][..], &raw, &raw]) {
        assert_eq!(store.dead_letter(letter.seq).await.unwrap(), Some((letter.clone(), body.to_vec().into())));
    }
    for unknown in [0, -1, all[0].seq + 1, i64::MIN, i64::MAX] {
        assert_eq!(store.dead_letter(unknown).await.unwrap(), None);
    }
}

pub async fn a_letter_that_is_taken_in_again_goes_in_the_same_commit_and_once(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![dead(1, b"raw".to_vec(), 2)]).await;
    let [first, second] = seqs(&*store).await[..] else { panic!("two letters") };
    let both = commit(&store, vec![retry(first, b"raw", vec![event(1)]), retry(first, b"raw", vec![event(2)])]).await;
    let kept = vec![Kept { id: id(1), duplicate: false }];
    assert_eq!(both.written, [Written::Retried(Some(kept)), Written::Retried(None)]);
    assert_eq!(ids(&both.entries), [id(1)]);
    assert_eq!(seqs(&*store).await, [second]);
    let gone = commit(&store, vec![retry(first, b"raw", vec![event(3)])]).await;
    assert_eq!((&gone.written[..], gone.entries), (&[Written::Retried(None)][..], vec![]));
    let nothing = commit(&store, vec![retry(second, b"raw", vec![])]).await;
    assert_eq!(nothing.written, [Written::Retried(Some(vec![]))], "a test ping is used up by that");
    assert_eq!((seqs(&*store).await, ids(&log(&store).await)), (vec![], vec![id(1)]));
    store.close().await;
    let store = place.open().await;
    commit(&store, vec![dead(1, vec![], 1)]).await;
    assert!(seqs(&*store).await[0] > second, "no number is given twice");
}

pub async fn a_letter_stays_where_taking_it_in_again_is_refused(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![event(1)]), dead(1, b"raw".to_vec(), 1)]).await;
    let seq = seqs(&*store).await[0];
    // The second use of an id is refused by every store.
    let done = commit(&store, vec![retry(seq, b"raw", vec![event(2), event(1)]), receive(1, vec![event(3)])]).await;
    assert!(matches!(done.written[0], Written::Refused(_)), "{done:?}");
    assert_eq!(ids(&done.entries), [id(3)]);
    assert_eq!(&store.dead_letter(seq).await.unwrap().unwrap().1[..], b"raw");
    let duplicate = NewNotification { fact_key: Some(fact(1)), ..event(4) };
    commit(&store, vec![receive(1, vec![duplicate])]).await;
    let duplicate = NewNotification { fact_key: Some(fact(1)), ..event(5) };
    let done = commit(&store, vec![retry(seq, b"raw", vec![duplicate])]).await;
    assert_eq!(done.written, [Written::Retried(Some(vec![Kept { id: id(4), duplicate: true }]))]);
    assert_eq!(seqs(&*store).await, [0; 0]);
}

pub async fn letters_are_discarded_by_their_numbers_the_oldest_first(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, (1..=6).map(|second| dead(second, vec![b'x'], 1)).collect()).await;
    let all = seqs(&*store).await;
    let discard = async |letters, limit| commit(&store, vec![Write::Discard { letters, limit }]).await.written;
    assert_eq!(discard(all[4]..=all[4], 9).await, [Written::Discarded(1)]);
    assert_eq!(discard(all[4]..=all[4], 9).await, [Written::Discarded(0)]);
    assert_eq!(discard(i64::MIN..=all[5], 0).await, [Written::Discarded(0)]);
    assert_eq!(discard(i64::MIN..=all[5], 2).await, [Written::Discarded(2)]);
    assert_eq!(seqs(&*store).await, [all[2], all[3], all[5]]);
    assert_eq!(discard(i64::MIN..=all[3], 9).await, [Written::Discarded(2)]);
    assert_eq!(seqs(&*store).await, [all[5]]);
}

pub async fn the_oldest_letters_beyond_the_bounds_go(place: &dyn Place) {
    let store = place.open().await;
    let bound = |letters, bytes, limit| Write::BoundDeadLetters { letters, bytes, limit };
    // The letters of one commit count in it; those of one body share its bytes.
    let done = commit(&store, vec![dead(1, vec![b'x'; 10], 3), dead(2, vec![b'y'; 10], 1), bound(4, 20, 9)]).await;
    assert_eq!(done.written[2], Written::Discarded(0));
    let all = seqs(&*store).await;
    assert_eq!(commit(&store, vec![bound(2, 20, 9)]).await.written, [Written::Discarded(2)]);
    assert_eq!(seqs(&*store).await, all[2..]);
    assert_eq!(commit(&store, vec![bound(2, 19, 9)]).await.written, [Written::Discarded(1)]);
    assert_eq!(seqs(&*store).await, all[3..]);
    assert_eq!(commit(&store, vec![bound(1, 9, 9)]).await.written, [Written::Discarded(1)], "a body larger than all");
    commit(&store, (1..=5).map(|second| dead(second, vec![b'z'], 1)).collect()).await;
    let all = seqs(&*store).await;
    assert_eq!(commit(&store, vec![bound(1, 99, 3)]).await.written, [Written::Discarded(3)], "there may be more");
    assert_eq!(seqs(&*store).await, all[3..]);
    commit(&store, vec![receive(1, vec![event(1)]), bound(0, 0, 9)]).await;
    assert_eq!((seqs(&*store).await, ids(&log(&store).await)), (vec![], vec![id(1)]));
}
