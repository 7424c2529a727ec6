//! Where the head of an HTTP/1.1 request ends, seen from its bytes as they come in.
//!
//! actix-http reads on to 128 KiB and bounds the time of a connection's first head only, so a client that sends the half of a second one
//! would hold its connection for ever.

/// The beginning of a head.
#[derive(Debug, Default)]
pub(super) struct Head {
    length: usize,
    line: Line,
}

/// Where in a line the last byte stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Before the first line: empty ones do not count.
    #[default]
    Before,
    Within,
    /// Behind its end: one more end of a line ends the head.
    Behind,
    /// Behind its end and a carriage return.
    BehindReturn,
    /// The head is over.
    End,
}

/// What is known behind some more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not one byte.
    Nothing,
    /// A head without its end.
    Part,
    /// A whole head.
    Whole,
    /// More than a head may have.
    TooLong,
}

impl Head {
    /// What is known so far.
    pub fn seen(&self, most: usize) -> Seen {
        match self.line {
            _ if self.length > most => Seen::TooLong,
            Line::Before if self.length == 0 => Seen::Nothing,
            Line::End => Seen::Whole,
            _ => Seen::Part,
        }
    }

    /// Takes some more bytes; those behind the end are not looked at.
    pub fn take(&mut self, mut bytes: &[u8]) {
        while self.line != Line::End {
            if self.line == Line::Within {
                let Some(end) = memchr::memchr(b'\n', bytes) else {
                    self.length += bytes.len();
                    return;
                };
                self.length += end;
                bytes = &bytes[end..];
            }
            let Some((byte, rest)) = bytes.split_first() else { return };
            self.length += 1;
            bytes = rest;
            self.line = match (self.line, byte) {
                (Line::Before, b'\r' | b'\n') => Line::Before,
                (Line::Behind | Line::BehindReturn, b'\n') => Line::End,
                (_, b'\n') => Line::Behind,
                (Line::Behind, b'\r') => Line::BehindReturn,
                _ => Line::Within,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(bytes: &[u8], step: usize) -> Seen {
        let mut head = Head::default();
        bytes.chunks(step).for_each(|piece| head.take(piece));
        head.seen(60)
    }

    #[test]
    fn a_head_ends_at_its_first_empty_line_and_may_be_just_so_long() {
        for step in [1, 2, 3, 1000] {
            for (bytes, expected) in [
                (&b""[..], Seen::Nothing),
                (b"\r\n\r\n", Seen::Part),
                (b"GET / HTTP/1.1\r\nHost: a\r\n", Seen::Part),
                (b"GET / HTTP/1.1\r\nHost: a\r\n\r", Seen::Part),
                (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Seen::Whole),
                (b"\r\n\r\nGET / HTTP/1.1\r\n", Seen::Part),
                (b"GET / HTTP/1.1\n\n", Seen::Whole),
                (b"GET / HTTP/1.1\r\nLonger: 678901234567890123456789012345678\r\n\r\n", Seen::TooLong),
                (b"GET / HTTP/1.1\r\nJust: 4567890123456789012345678901234567\r\n\r\n and a body behind it", Seen::Whole),
            ] {
                assert_eq!(seen(bytes, step), expected, "{} by {step}", bytes.escape_ascii());
            }
        }
    }

    proptest! {
        /// What actix-http parses with must never wait for more where this has seen the end: nothing would bound that time.
        #[test]
        fn a_head_is_whole_where_the_parser_needs_no_more(tail in "[\r\n :aG]{0,12}", step in 1..5_usize) {
            for start in ["", "\r\n", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\na: b"] {
                let bytes = format!("{start}{tail}").into_bytes();
                let mut headers = [httparse::EMPTY_HEADER; 16];
                let parsed = httparse::Request::new(&mut headers).parse(&bytes);
                let seen = seen(&bytes, step);
                match parsed {
                    Ok(httparse::Status::Partial) => prop_assert!(seen != Seen::Whole, "{}", bytes.escape_ascii()),
                    Ok(httparse::Status::Complete(_)) => prop_assert_eq!(seen, Seen::Whole, "{}", bytes.escape_ascii()),
                    Err(_) => {}
                }
            }
        }
    }
}
