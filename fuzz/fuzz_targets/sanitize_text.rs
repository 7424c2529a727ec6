//! One string: what has no markup stays byte for byte, and nothing that comes out can become an element.

#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use lookout::sanitize;
use lookout_fuzz::has_markup;

/// What a page may put behind a string. A parser that sees more than text in the whole has been led there by the string.
const BEHIND: [&str; 8] = ["", ">", "\">", "x>", "/x>", "!-->", "?>", "script>"];

fuzz_target!(|text: &str| {
    let clean = sanitize::text(text);
    if !has_markup(text) {
        assert!(matches!(clean, Cow::Borrowed(same) if same == text), "{clean:?}");
    }
    assert!(!has_markup(&clean), "{clean:?}");
    assert_eq!(sanitize::text(&clean), clean, "cleaning twice is cleaning once");
    assert!(clean.len() <= 6 * text.len(), "the longest entity has six bytes");
    // Parsing what is long costs more than it could tell. NUL is text too, but has a token of its own, which counts.
    if clean.len() <= 1024 {
        for behind in BEHIND {
            assert!(!ammonia::is_html(&format!("{clean}{behind}").replace('\0', "\u{1}")), "{clean:?} and {behind:?}");
        }
    }
});
