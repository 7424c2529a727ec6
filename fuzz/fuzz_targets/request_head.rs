//! Where the head of a request ends: never before the HTTP parser sees its end, and the same however the bytes come in.

#![no_main]

use httparse::Status;
use libfuzzer_sys::fuzz_target;

// The file itself: it is private in the crate, and needs nothing of it.
#[path = "../../src/http/connection/head.rs"]
mod head;

use head::{Head, Seen};

const MOST: usize = 4 << 10;

fn seen(bytes: &[u8], step: usize) -> Seen {
    let mut head = Head::default();
    bytes.chunks(step).for_each(|piece| head.take(piece));
    head.seen(MOST)
}

fuzz_target!(|bytes: &[u8]| {
    let at_once = seen(bytes, bytes.len().max(1));
    for step in [1, 2, 3, 7] {
        assert_eq!(seen(bytes, step), at_once, "in steps of {step}");
    }
    assert_eq!(at_once == Seen::Nothing, bytes.is_empty());
    if bytes.len() <= MOST {
        assert_ne!(at_once, Seen::TooLong);
    }
    let mut headers = [httparse::EMPTY_HEADER; 128];
    match httparse::Request::new(&mut headers).parse(bytes) {
        Ok(Status::Partial) => assert_ne!(at_once, Seen::Whole, "the parser waits for more"),
        Ok(Status::Complete(length)) if length <= MOST => assert_eq!(at_once, Seen::Whole, "the parser has it all"),
        Ok(Status::Complete(_)) => assert_eq!(at_once, Seen::TooLong),
        Err(_) => {}
    }
});
