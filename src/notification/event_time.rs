//! Reading the time of an event, however the provider writes it.
//!
//! The time decides what is the same event, so a text that could mean two instants is left unread.

use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;

use super::Timestamp;

/// Texts without an offset. They are read as UTC, which is what AIS and everything derived from it uses.
const WITHOUT_OFFSET: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];

/// The instant that a field names, in milliseconds: RFC 3339, the same without an offset (UTC), an e-mail date, unix seconds or
/// milliseconds as number or text. None where it cannot be read, for a date without a time of day, and up to the first instant
/// of 1970, which stands for "unknown".
pub fn read(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => of_text(text.trim()),
        Value::Number(number) => of_unix(number.as_f64()?),
        _ => None,
    }
}

fn of_text(text: &str) -> Option<Timestamp> {
    let with_offset = || DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text)).ok();
    let without = |format: &&str| NaiveDateTime::parse_from_str(text, format).ok();
    with_offset()
        .and_then(|at| of_millis(at.timestamp_millis()))
        .or_else(|| WITHOUT_OFFSET.iter().find_map(without).and_then(|at| of_millis(at.and_utc().timestamp_millis())))
        .or_else(|| {
            text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.').then(|| text.parse().ok()).flatten().and_then(of_unix)
        })
}

/// Seconds and milliseconds are told apart by their size. Smaller numbers are no instant since 2001 in either unit, but may well
/// be a date without separators.
fn of_unix(number: f64) -> Option<Timestamp> {
    match number {
        1e9..1e11 => of_millis((number * 1e3) as i64),
        1e12..1e14 => of_millis(number as i64),
        _ => None,
    }
}

/// A leap second becomes the instant behind it: no reader's clock knows second 60.
fn of_millis(millis: i64) -> Option<Timestamp> {
    DateTime::from_timestamp_millis(millis).filter(|at| at.timestamp_millis() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::rfc3339;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn times_follow_the_table() {
        for (sent, expected) in [
            (json!("2026-11-23T11:40:00Z"), Some("2026-11-23T11:40:00.000Z")),
            (json!(" 2026-11-23t11:40:00z "), Some("2026-11-23T11:40:00.000Z")),
            (json!("2026-11-23T11:40:00.123456789Z"), Some("2026-11-23T11:40:00.123Z")),
            (json!("2026-11-23T13:40:00+02:00"), Some("2026-11-23T11:40:00.000Z")),
            (json!("2026-11-23T10:50:00.000"), Some("2026-11-23T10:50:00.000Z")),
            (json!("2026-11-23 11:40:00"), Some("2026-11-23T11:40:00.000Z")),
            (json!("2026-11-23T11:40"), Some("2026-11-23T11:40:00.000Z")),
            (json!("Mon, 23 Nov 2026 11:40:00 GMT"), Some("2026-11-23T11:40:00.000Z")),
            (json!(1795434000), Some("2026-11-23T11:40:00.000Z")),
            (json!(1795434000.5), Some("2026-11-23T11:40:00.500Z")),
            (json!(1795434000123_u64), Some("2026-11-23T11:40:00.123Z")),
            (json!("1795434000"), Some("2026-11-23T11:40:00.000Z")),
            (json!("2036-01-01T00:00:00Z"), Some("2036-01-01T00:00:00.000Z")),
            (json!("2026-06-30T23:59:60Z"), Some("2026-07-01T00:00:00.000Z")),
            (json!("2026-11-23"), None),
            (json!("20261123"), None),
            (json!(20261123), None),
            (json!("2026-13-45T99:99:99Z"), None),
            (json!("0000-00-00T00:00:00Z"), None),
            (json!("1970-01-01T00:00:00Z"), None),
            (json!("yesterday"), None),
            (json!(""), None),
            (json!(0), None),
            (json!(-1795434000), None),
            (json!(null), None),
            (json!({ "seconds": 1795434000 }), None),
        ] {
            assert_eq!(read(&sent).map(rfc3339).as_deref(), expected, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn every_spelling_of_an_instant_reads_the_same(millis in 1_000_000_000_000_i64..4_000_000_000_000) {
            let at = DateTime::from_timestamp_millis(millis).expect("in range");
            let east = at.with_timezone(&chrono::FixedOffset::east_opt(12 * 3600).expect("in range"));
            for sent in [json!(rfc3339(at)), json!(millis), json!(millis.to_string()), json!(east.to_rfc3339())] {
                prop_assert_eq!(read(&sent), Some(at), "{}", sent);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-0-9T:.Z+ ]{0,40}|.{0,20}") {
            read(&json!(text));
        }
    }
}
