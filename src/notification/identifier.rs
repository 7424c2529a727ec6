//! The normal forms of what identifies a vessel: IMO ship number, MMSI, call sign.
//!
//! Providers spell them in many ways and send placeholders where they know nothing; screening and duplicate detection need
//! one spelling or none. A wrong number is worse than none, so whatever could be read two ways is not read.

use std::borrow::Cow;

use serde_json::{Number, Value};
use unicode_normalization::UnicodeNormalization;

/// The valid IMO ship number in this field, seven digits. Short numbers have lost their leading zeros and get them back.
pub fn imo(value: &Value) -> Option<String> {
    imo_of_text(&scalar_text(value)?)
}

/// The same for a text: one set of rules for what providers send and what lists hold.
pub fn imo_of_text(text: &str) -> Option<String> {
    let text = plain(text).to_ascii_uppercase();
    let digits = unlabelled(&text, "IMO");
    if !(5..=7).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = format!("{digits:0>7}");
    is_ship_number(number.as_bytes()).then_some(number)
}

/// What stands in an IMO field that holds no valid number. A text without any digit but zero is a placeholder, not a number.
pub fn imo_as_sent(value: &Value) -> Option<String> {
    if imo(value).is_some() {
        return None;
    }
    let text = scalar_text(value)?;
    Some(plain(&text)).filter(|text| text.contains(|c: char| matches!(c, '1'..='9'))).map(Cow::into_owned)
}

/// The ship's MMSI in this field: nine digits that begin with the code of a country (201 to 775). Coast stations, groups,
/// aircraft and buoys have numbers of other ranges.
pub fn mmsi(value: &Value) -> Option<String> {
    mmsi_of_text(&scalar_text(value)?)
}

/// The same for a text. Blanks within the number do not count.
pub fn mmsi_of_text(text: &str) -> Option<String> {
    let text = plain(text).to_ascii_uppercase();
    let digits: String = unlabelled(&text, "MMSI").chars().filter(|c| !c.is_whitespace()).collect();
    let is_number = digits.len() == 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && ("201".."776").contains(&&digits[..3])).then_some(digits)
}

/// The call sign in this field: upper case, without blanks, `-`, `.` and `/`, and without the `@` that AIS fills up with. A word
/// that says that there is none is none.
pub fn call_sign(value: &Value) -> Option<String> {
    call_sign_of_text(&scalar_text(value)?)
}

/// The same for a text.
pub fn call_sign_of_text(text: &str) -> Option<String> {
    const NO_SIGN: [&str; 4] = ["UNKNOWN", "NONE", "NULL", "NIL"];
    let is_written = |c: &char| !c.is_whitespace() && !matches!(c, '-' | '.' | '/');
    let sign = unpadded(&plain(text)).chars().filter(is_written).collect::<String>().to_ascii_uppercase();
    let is_possible = (3..=10).contains(&sign.len())
        && sign.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && sign.bytes().any(|byte| byte != b'0')
        && !NO_SIGN.contains(&sign.as_str());
    is_possible.then_some(sign)
}

/// A name, flag or type as it was sent, without AIS padding; none where nothing is left.
pub fn label(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => Cow::Owned(number.to_string()),
        other => scalar_text(other)?,
    };
    Some(unpadded(&text)).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Six digits weighted 7 to 2; the last digit of the sum is the seventh. All zeros pass that and are no number.
fn is_ship_number(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().zip((2..=7).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    digits.iter().any(|&digit| digit != b'0') && digits.last().is_some_and(|&check| u32::from(check - b'0') == sum % 10)
}

/// What a vessel sent or a list holds as an IMO number that is none, in the one spelling in which two of them are compared:
/// letters and digits in upper case, without a label. None where nothing but zeros stands there.
pub fn faulty_imo_of_text(text: &str) -> Option<String> {
    // Marks go first: one in front of a label would else make the label a part of the number.
    let written: String = plain(text).to_uppercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let mut number = written.as_str();
    while number.starts_with("IMO") {
        number = unlabelled(number, "IMO");
    }
    number.contains(|c: char| matches!(c, '1'..='9')).then(|| number.to_owned())
}

/// A text, or a number with `9074729.0` whole.
fn scalar_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number_text(number))),
        _ => None,
    }
}

/// A text in one spelling: compatibility forms (full-width digits) folded, outer blanks gone.
fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text.trim());
    }
    Cow::Owned(text.nfkc().collect::<String>().trim().to_owned())
}

fn number_text(number: &Number) -> String {
    // Doubles hold every whole number of identifier size exactly.
    match number.as_f64() {
        Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => format!("{whole:.0}"),
        _ => number.to_string(),
    }
}

/// The part behind a label such as `IMO`, `IMO:` or `IMO number`; the whole text where there is none.
fn unlabelled<'a>(text: &'a str, label: &str) -> &'a str {
    const SEPARATORS: [char; 5] = [' ', ':', '.', '#', '-'];
    let Some(behind) = text.strip_prefix(label) else { return text };
    let behind = behind.trim_start_matches(SEPARATORS);
    let behind = behind.strip_prefix("NUMBER").or_else(|| behind.strip_prefix("NO")).unwrap_or(behind);
    behind.trim_start_matches(SEPARATORS)
}

fn unpadded(text: &str) -> &str {
    text.trim_matches(|c: char| c == '@' || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn imo_numbers_follow_the_table() {
        for (sent, expected) in [
            (json!("9074729"), Some("9074729")),
            (json!("IMO 9126819"), Some("9126819")),
            (json!("imo number: 7654329"), Some("7654329")),
            (json!("IMO No. 9289518"), Some("9289518")),
            (json!("IMO9811000"), Some("9811000")),
            (json!(1234567), Some("1234567")),
            (json!(9999993.0), Some("9999993")),
            (json!("912681"), Some("0912681")),
            (json!(912681), Some("0912681")),
            (json!("９９９９９９３"), Some("9999993")),
            (json!("\u{3000}9999993 "), Some("9999993")),
            (json!("9289519"), None),
            (json!("9999999"), None),
            (json!("0000000"), None),
            (json!("00000"), None),
            (json!("99999930"), None),
            (json!("-9999993"), None),
            (json!(-9999993), None),
            (json!(9999993.5), None),
            (json!("9999993/9999981"), None),
            (json!("9999 993"), None),
            (json!("IMO"), None),
            (json!(["9999993"]), None),
            (json!(true), None),
        ] {
            assert_eq!(imo(&sent).as_deref(), expected, "{sent}");
        }
    }

    #[test]
    fn a_faulty_imo_is_kept_as_sent_and_a_placeholder_is_not() {
        for (sent, expected) in [
            (json!("9999994"), Some("9999994")),
            (json!(" 15411 "), Some("15411")),
            (json!(99999930), Some("99999930")),
            (json!("9999993"), None),
            (json!(0), None),
            (json!(-0.0), None),
            (json!("0000000"), None),
            (json!("N/A"), None),
            (json!(""), None),
            (json!(null), None),
            (json!({ "value": "9999994" }), None),
        ] {
            assert_eq!(imo_as_sent(&sent).as_deref(), expected, "{sent}");
        }
    }

    #[test]
    fn only_numbers_of_ships_are_an_mmsi() {
        for (sent, expected) in [
            (json!(636999901), Some("636999901")),
            (json!(" 257999902 "), Some("257999902")),
            (json!("MMSI: 413999907"), Some("413999907")),
            (json!("201000001"), Some("201000001")),
            (json!("775999999"), Some("775999999")),
            (json!("200999999"), None),
            (json!("776000000"), None),
            (json!("000000000"), None),
            (json!("002442000"), None),
            (json!("111232511"), None),
            (json!("970123456"), None),
            (json!("63699990"), None),
            (json!("6369999010"), None),
            (json!("63699990é"), None),
            (json!("-636999901"), None),
            (json!("636 999 901"), Some("636999901")),
            (json!(null), None),
        ] {
            assert_eq!(mmsi(&sent).as_deref(), expected, "{sent}");
        }
    }

    #[test]
    fn call_signs_lose_blanks_and_padding() {
        for (sent, expected) in [
            (json!("A8TT1"), Some("A8TT1")),
            (json!(" oy gr2 "), Some("OYGR2")),
            (json!("LATT2@@"), Some("LATT2")),
            (json!("d5-ZZ.9/"), Some("D5ZZ9")),
            (json!("Unknown"), None),
            (json!("NONE"), None),
            (json!("null"), None),
            (json!("N.I.L."), None),
            (json!("@@@@@@@"), None),
            (json!("0000000"), None),
            (json!("N/A"), None),
            (json!("<b>"), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(call_sign(&sent).as_deref(), expected, "{sent}");
        }
    }

    #[test]
    fn labels_lose_only_their_padding() {
        assert_eq!(label(&json!("ÅLESUND <b> STJERNE@@@@ ")).as_deref(), Some("ÅLESUND <b> STJERNE"));
        assert_eq!(label(&json!(80)).as_deref(), Some("80"));
        assert_eq!(label(&json!("@@@@")), None);
        assert_eq!(label(&json!(null)), None);
    }

    proptest! {
        #[test]
        fn one_ship_number_in_ten_has_the_right_check_digit(first_six in 1u32..1_000_000) {
            let valid = (0..10).filter(|check| imo(&json!(format!("{first_six:06}{check}"))).is_some()).count();
            prop_assert_eq!(valid, 1);
        }

        #[test]
        fn what_is_read_is_in_normal_form(text in "(IMO|MMSI)?[ :]?.{0,12}") {
            let sent = json!(text);
            for read in [imo, mmsi, call_sign] {
                if let Some(normal) = read(&sent) {
                    prop_assert_eq!(read(&json!(&normal)), Some(normal));
                }
            }
        }
    }
}
