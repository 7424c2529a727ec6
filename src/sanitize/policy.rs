//! What is let through: no tag at all, and only harmless schemes where a page is likely to make a link.
//!
//! `javascript:` has no `<`, so values under names such as `url` need a rule of their own.

use std::{borrow::Cow, sync::LazyLock};

use ammonia::Builder;

/// Keeps text, drops every tag and the content of scripts and styles.
pub(super) static NO_TAGS: LazyLock<Builder<'static>> = LazyLock::new(Builder::empty);

const URL_KEYS: [&str; 6] = ["url", "uri", "link", "href", "src", "icon"];
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

/// Whether values under this key are links: the six words and `*_url` in any case, and `*Url` or `*URL` as camel case has it.
pub(super) fn is_url_key(key: &str) -> bool {
    URL_KEYS.iter().any(|word| key.eq_ignore_ascii_case(word))
        || key.ends_with("Url")
        || key.ends_with("URL")
        || key.len().checked_sub(4).and_then(|at| key.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case("_url"))
}

/// Whether a link has one of the schemes let through, or none.
///
/// Controls and blanks do not count, as browsers drop some of them; character references are read first, as a page that
/// puts the value into an attribute reads them too. `10.0.0.1:80` has no scheme: one starts with a letter.
pub(super) fn has_allowed_scheme(link: &str) -> bool {
    let mut scheme = String::new();
    for c in decode(link).chars().filter(|c| !c.is_control() && !c.is_whitespace()) {
        match c {
            ':' => {
                let none = !scheme.starts_with(|first: char| first.is_ascii_alphabetic() || first == '&');
                return none || SCHEMES.iter().any(|allowed| scheme.eq_ignore_ascii_case(allowed));
            }
            '/' | '?' | '#' => return true,
            _ => scheme.push(c),
        }
    }
    true
}

/// Reads the character references that can make or hide a scheme: numbers, and the names of the colon and of the two
/// controls. Any other name stays, and what starts with one is refused as a scheme.
fn decode(link: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', link.as_bytes()).is_none() {
        return Cow::Borrowed(link);
    }
    let mut decoded = String::with_capacity(link.len());
    let mut rest = link;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let (c, tail) = reference(after).unwrap_or(('&', after));
        decoded.push(c);
        rest = tail;
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// The character that a reference stands for and what follows it. The semicolon after a number may be missing.
fn reference(after_ampersand: &str) -> Option<(char, &str)> {
    for (name, c) in [("colon;", ':'), ("Tab;", '\t'), ("NewLine;", '\n')] {
        if let Some(tail) = after_ampersand.strip_prefix(name) {
            return Some((c, tail));
        }
    }
    let number = after_ampersand.strip_prefix('#')?;
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(hex) => (hex, 16),
        None => (number, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (digits, tail) = digits.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let c = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    Some((c, tail.strip_prefix(';').unwrap_or(tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_keys_are_the_six_words_and_the_two_endings() {
        for key in
            ["url", "URL", "Uri", "link", "href", "src", "icon", "report_url", "REPORT_URL", "_url", "imageUrl", "imageURL"]
        {
            assert!(is_url_key(key), "{key}");
        }
        for key in ["", "curl", "links", "urls", "url_text", "blink", "source", "name", "é_ur", "日本url"] {
            assert!(!is_url_key(key), "{key}");
        }
    }

    #[test]
    fn links_that_go_to_the_web_to_mail_or_nowhere_else_stay() {
        for link in [
            "",
            "https://example.test/a:b",
            "HTTP://example.test",
            "mailto:a@example.test",
            "//example.test/x",
            "/path:with/colon",
            "path?x=a:b",
            "#a:b",
            "ship.png",
            "Tom & Jerry",
            "a&amp;b",
            "10.0.0.1:80/x",
            "[::1]:80",
            " https ://example.test",
            "h&#116;tps&colon;//example.test",
        ] {
            assert!(has_allowed_scheme(link), "{link:?}");
        }
    }

    #[test]
    fn links_with_another_scheme_are_refused_however_it_is_written() {
        for link in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " \u{1}javascript:alert(1)",
            "java\tscript:alert(1)",
            "java\nscript\r:alert(1)",
            "\u{a0}javascript:alert(1)",
            "javascript&colon;alert(1)",
            "javascript&#58;alert(1)",
            "javascript&#58alert(1)",
            "javascript&#x3A;alert(1)",
            "javascript&#X0000003a;alert(1)",
            "&#106;avascript:alert(1)",
            "java&Tab;script:alert(1)",
            "java&NewLine;script:alert(1)",
            "&fjlig;:x",
            "java\u{200b}script:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "blob:https://example.test/x",
            "file:///etc/passwd",
            "httpss://example.test",
            "view-source:https://example.test",
        ] {
            assert!(!has_allowed_scheme(link), "{link:?}");
        }
    }
}
