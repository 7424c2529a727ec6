//! One string: recognises markup and cleans what has some.
//!
//! Almost all traffic has no `<` at all, so the answer is one pass over the bytes and no allocation.

use std::borrow::Cow;

use super::policy::NO_TAGS;

/// The string as it may be put into `innerHTML`: unchanged, byte for byte, unless it has markup.
///
/// What was cleaned is HTML text with entities as ammonia wrote them. It holds no `<` any more, so cleaning it again
/// changes nothing. Markup that would cost too much to parse is shown as text.
pub fn text(text: &str) -> Cow<'_, str> {
    if !has_markup(text) {
        Cow::Borrowed(text)
    } else if is_cheap(text) {
        Cow::Owned(NO_TAGS.clean(text).to_string())
    } else {
        Cow::Owned(escape(text))
    }
}

/// The bytes of one string that are parsed: a tag with many attributes costs the square of their number.
const LONGEST: usize = 4 * 1024;

/// The steps that parsing may take for each byte: open formatting tags are opened again in every paragraph, so tags cost the
/// square of their number.
const STEPS_PER_BYTE: usize = 4;

/// Whether parsing costs no more than so much for each byte. A bound by the byte holds for a message and for a batch of them
/// too, into however many strings the tags were put; and text that people write has few tags for its length.
fn is_cheap(text: &str) -> bool {
    text.len() <= LONGEST && steps(text) <= STEPS_PER_BYTE * text.len()
}

/// What the cleaner does for the tags of a string.
fn steps(text: &str) -> usize {
    memchr::memchr_iter(b'<', text.as_bytes()).count().pow(2)
}

/// The characters that the cleaner writes as entities too.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Markup is a `<` that an HTML tokenizer may take for more than text. The end of the string counts, because a page
/// may put anything behind it.
pub(super) fn has_markup(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'<', bytes)
        .any(|at| bytes.get(at + 1).is_none_or(|next| next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whatever a page puts behind the string, an HTML tokenizer finds nothing but text in it. NUL is text too, but has a
    /// token of its own, which `is_html` counts.
    fn is_inert(text: &str) -> bool {
        ["", ">", "\">", "x>", "/x>", "!-->", "?>", "script>"]
            .iter()
            .all(|tail| !ammonia::is_html(&format!("{text}{tail}").replace('\0', "\u{1}")))
    }

    /// Strings made of what the tokenizer treats in a special way.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("<".to_owned()),
            Just(">".to_owned()),
            Just("&lt;".to_owned()),
            Just("&#60".to_owned()),
            Just("<!--".to_owned()),
            Just("-->".to_owned()),
            Just("<![CDATA[".to_owned()),
            Just("]]>".to_owned()),
            Just("\0".to_owned()),
            "</?(script|style|svg|math|title|textarea|template|noscript|plaintext|xmp|iframe|select|table|b|p|br)( a=\"?)?/?>?",
            ".{0,3}",
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn text_without_markup_is_the_same_and_not_copied(input in "([^<]|<[^a-zA-Z/!?<]){0,40}") {
            prop_assert!(matches!(text(&input), Cow::Borrowed(same) if same == input));
        }

        #[test]
        fn no_output_has_markup_or_becomes_an_element(input in hostile()) {
            let clean = text(&input);
            prop_assert!(!has_markup(&clean), "{clean:?}");
            prop_assert!(is_inert(&clean), "{clean:?}");
        }

        #[test]
        fn what_is_parsed_costs_no_more_than_so_much_a_byte(input in "(<[bip]>|x{0,40}){0,200}") {
            if text(&input) != escape(&input) {
                prop_assert!(!has_markup(&input) || (steps(&input) <= STEPS_PER_BYTE * input.len() && input.len() <= LONGEST));
            }
        }

        #[test]
        fn cleaning_twice_is_cleaning_once(input in hostile()) {
            let once = text(&input).into_owned();
            prop_assert_eq!(text(&once), once.as_str());
        }
    }

    #[test]
    fn the_check_for_inert_text_can_fail() {
        for live in ["<b>", "x <img src=x onerror=alert(1) ", "x <", "</p", "<!--"] {
            assert!(!is_inert(live), "{live:?}");
        }
    }

    #[test]
    fn markup_that_would_cost_too_much_is_shown_as_text() {
        assert_eq!(text(&"<b>&".repeat(16)), "&amp;".repeat(16));
        assert_eq!(text(&"<b>&".repeat(17)), "&lt;b&gt;&amp;".repeat(17));
        let long = format!("<b {}>", "a ".repeat(LONGEST / 2));
        assert!(text(&long).starts_with("&lt;b a a "));
    }

    #[test]
    fn tags_in_text_that_people_write_are_parsed() {
        let report = "<p>Entered the <b>outer</b> anchorage and is waiting there for a berth.</p>\n".repeat(16);
        assert_eq!(text(&report), "Entered the outer anchorage and is waiting there for a berth.\n".repeat(16));
    }

    #[test]
    fn a_megabyte_of_tags_costs_the_same_steps_however_it_is_cut_into_strings() {
        let body = "<b><i><u><s><p>".repeat((1 << 20) / 15);
        for length in (15..5_000).step_by(15) {
            let parsed =
                body.as_bytes().chunks(length).map(|part| std::str::from_utf8(part).unwrap()).filter(|part| is_cheap(part));
            assert!(parsed.map(steps).sum::<usize>() <= STEPS_PER_BYTE << 20, "strings of {length}");
        }
    }

    #[test]
    fn innocent_text_arrives_as_it_was_sent() {
        for innocent in [
            "",
            "Smith & Sons",
            "x < y",
            "depth <5 m, speed >3",
            "<3 <= <<= <>",
            "船舶 <船> Ж",
            "&lt;b&gt;already escaped&lt;/b&gt; &amp;amp;",
            "line\r\nbreak\0\u{1b}[31m",
            "a\u{a0}b",
            "Tom & Jerry's \"Ship\"",
            "{{constructor.constructor('return 1')()}}",
            "javascript:alert(1)",
            "line one\ndata: {\"type\":\"zone_port_notification\"}\n\nevent: fake",
            "carriage\rreturn\r\n\r\nid: 0\r\n",
            "=HYPERLINK(\"http://example.test\",\"click\")",
            "'; DROP TABLE notifications; --",
            "${7*7} %s %n $ne",
            "../../etc/passwd",
            "\u{1b}[31mRED\u{1b}[0m\u{7}",
        ] {
            assert!(matches!(text(innocent), Cow::Borrowed(same) if same == innocent), "{innocent:?}");
        }
    }

    #[test]
    fn markup_becomes_the_cleaner_s_text() {
        for (dirty, clean) in [
            ("<script>alert('x')</script>", ""),
            ("<img src=x onerror=alert(1)>", ""),
            ("\"><svg/onload=alert(1)>", "\"&gt;"),
            ("Smith & <b>Sons</b>", "Smith &amp; Sons"),
            ("x <", "x &lt;"),
            ("<?xml?>a", "a"),
            ("&lt;script&gt;<b>", "&lt;script&gt;"),
        ] {
            assert_eq!(text(dirty), clean, "{dirty:?}");
        }
    }
}
