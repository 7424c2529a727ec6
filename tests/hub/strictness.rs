//! The harness itself: a reader that overlooked something would make every other story worthless.

use proptest::prelude::*;
use serde_json::json;

use crate::support::{Chunks, Events};

const STREAM: &str =
    "retry: 3000\n\nid: a-1-b\ndata: {\"type\":\"heartbeat\"}\n\nid: a-2-b\ndata: {\"type\":\"caught_up\",\"replayed\":1}\n\n";

proptest! {
    #[test]
    fn a_stream_is_read_the_same_however_it_is_cut(cuts in prop::collection::btree_set(1..STREAM.len(), 0..20), step in 1..40_usize) {
        let mut wire = String::new();
        let ends: Vec<_> = cuts.into_iter().chain([STREAM.len()]).collect();
        let mut at = 0;
        for end in ends {
            wire.push_str(&format!("{:x}\r\n{}\r\n", end - at, &STREAM[at..end]));
            at = end;
        }
        wire.push_str("0\r\n\r\n");
        let (mut chunks, mut events, mut messages) = (Chunks::default(), Events::default(), Vec::new());
        for piece in wire.as_bytes().chunks(step) {
            messages.extend(events.feed(&chunks.feed(piece)));
        }
        prop_assert!(chunks.ended);
        prop_assert_eq!(events.retries, vec![3_000]);
        prop_assert_eq!(messages.iter().map(|message| message.id.as_deref()).collect::<Vec<_>>(), [Some("a-1-b"), Some("a-2-b")]);
        prop_assert_eq!(&messages[1].json, &json!({"type": "caught_up", "replayed": 1}));
    }
}

#[test]
#[should_panic(expected = "a field \"event\"")]
fn a_named_event_is_a_failure() {
    Events::default().feed(b"event: fake\ndata: {}\n\n");
}

#[test]
#[should_panic(expected = "no field")]
fn a_line_without_a_field_is_a_failure() {
    Events::default().feed(b"data: {}\n<script>\n\n");
}

#[test]
#[should_panic(expected = "two data lines")]
fn a_second_data_line_is_a_failure() {
    Events::default().feed(b"data: {}\ndata: {}\n\n");
}

#[test]
#[should_panic(expected = "carriage return")]
fn a_carriage_return_is_a_failure() {
    Events::default().feed(b"data: {}\rid: 0\n\n");
}

#[test]
#[should_panic(expected = "behind the final chunk")]
fn bytes_behind_the_end_are_a_failure() {
    Chunks::default().feed(b"0\r\n\r\n5\r\n");
}
