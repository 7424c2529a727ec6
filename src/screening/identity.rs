//! The names and faulty numbers of vessels, in the form in which two sources can be compared.
//!
//! Lists and providers spell the same name in many ways; both sides go through here, so equal means equal. What makes a number
//! or a call sign good is settled where notifications are read, for both sides as well.

use unicode_normalization::UnicodeNormalization;

use crate::notification::identifier::{faulty_imo_of_text, imo_of_text};

/// A number from a list's IMO column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imo {
    /// Seven digits with a right check digit.
    Valid(String),
    /// Anything else with a digit other than zero. Lists publish faulty numbers and vessels send them, so they are compared
    /// as they are.
    Faulty(String),
}

impl Imo {
    /// Reads one number such as `IMO9999993` or `9999993`. `None` where there is none, or only zeros. A number that blanks or
    /// marks inside it make unreadable for a notification, `9999 993`, is still read: a listed ship must not be missed.
    pub fn read(text: &str) -> Option<Self> {
        if let Some(number) = imo_of_text(text) {
            return Some(Self::Valid(number));
        }
        let number = faulty_imo_of_text(text)?;
        Some(if number.len() == 7 {
            imo_of_text(&number).map_or(Self::Faulty(number), Self::Valid)
        } else {
            Self::Faulty(number)
        })
    }
}

/// From here on two names count as the same; the Jaro-Winkler similarity of what remains after preparation. At 0.94 OCEAN STAR
/// and OCEAN STORM would be one ship.
pub const NAMES_AGREE: f64 = 0.95;

/// Shorter names must be equal: one letter more makes another short name out of most.
const SHORTEST_FUZZY: u32 = 6;

/// What stands before the names of ships and is no part of them.
const PREFIXES: [&str; 9] = ["MV", "MT", "MS", "SS", "FV", "SV", "RV", "LNGC", "LPGC"];

/// A vessel's name, ready to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    text: String,
    /// The numbers in it, in order: ships of one series differ in nothing else.
    numbers: Vec<String>,
    glance: Glance,
}

/// As much of a name as rules out nearly all others, small enough to lie side by side for all names of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// One bit for each kind of character in it.
    kinds: u64,
    /// In characters.
    length: u32,
    /// The characters that Jaro-Winkler rewards, NUL behind the end.
    start: [char; 4],
}

impl Name {
    /// NFKC, no controls and marks of direction, upper case, no prefix such as M/V, single blanks, Roman numerals as digits.
    /// `None` where nothing remains.
    pub fn prepare(raw: &str) -> Option<Self> {
        let plain: String = raw
            .nfkc()
            .filter(|c| c.is_whitespace() || !(c.is_control() || is_invisible(*c) || matches!(c, '\'' | '’' | '`')))
            .flat_map(char::to_uppercase)
            .collect();
        let mut blank_separated = plain.split_whitespace().peekable();
        let first = blank_separated.peek().copied().unwrap_or_default();
        let first: String = first.chars().filter(|c| c.is_alphanumeric()).collect();
        let has_prefix = PREFIXES.contains(&first.as_str());

        let without_prefix: Vec<&str> = plain.split_whitespace().skip(usize::from(has_prefix)).collect();
        let named = if without_prefix.is_empty() { plain } else { without_prefix.join(" ") };
        let words: Vec<String> = named
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .enumerate()
            .map(|(place, word)| roman(word).filter(|_| place > 0).unwrap_or_else(|| word.to_owned()))
            .collect();
        let text = words.join(" ");
        if text.is_empty() {
            return None;
        }
        let numbers = text
            .split(|c: char| !c.is_numeric())
            .filter(|digits| !digits.is_empty())
            .map(|digits| digits.trim_start_matches('0').to_owned())
            .collect();
        let glance = Glance::of(&text);
        Some(Self { text, numbers, glance })
    }

    /// How alike two names are, where they agree: 1 is the same.
    pub fn agreement(&self, other: &Self) -> Option<f64> {
        if self.text == other.text {
            return Some(1.0);
        }
        let is_short = self.glance.length.min(other.glance.length) < SHORTEST_FUZZY;
        if is_short || !self.glance.may_agree(other.glance) || self.numbers != other.numbers {
            return None;
        }
        Some(strsim::jaro_winkler(&self.text, &other.text)).filter(|similarity| *similarity >= NAMES_AGREE)
    }

    /// What to look at before `agreement`.
    pub fn glance(&self) -> Glance {
        self.glance
    }
}

impl Glance {
    fn of(text: &str) -> Self {
        let mut glance = Self { kinds: 0, length: 0, start: ['\0'; 4] };
        for (place, c) in text.chars().enumerate() {
            glance.kinds |= kind(c);
            glance.length += 1;
            if let Some(start) = glance.start.get_mut(place) {
                *start = c;
            }
        }
        glance
    }

    /// False only where the names cannot agree: an upper bound of their similarity from the lengths, the common start and the
    /// characters that one has and the other has not.
    pub fn may_agree(self, other: Self) -> bool {
        let matching_a = self.length.saturating_sub((self.kinds & !other.kinds).count_ones());
        let matching_b = other.length.saturating_sub((other.kinds & !self.kinds).count_ones());
        let matching = f64::from(matching_a.min(matching_b));
        let jaro = (matching / f64::from(self.length) + matching / f64::from(other.length) + 1.0) / 3.0;
        let common = self.start.iter().zip(other.start).take_while(|(a, b)| **a == *b).count();
        jaro + 0.1 * common as f64 * (1.0 - jaro) >= NAMES_AGREE - 1e-9
    }
}

/// Letters and digits have a bit each, all else shares the rest: two characters with different bits are different.
fn kind(c: char) -> u64 {
    let bit = match c {
        'A'..='Z' => c as u32 - 'A' as u32,
        '0'..='9' => 26 + (c as u32 - '0' as u32),
        _ => 36 + c as u32 % 28,
    };
    1 << bit
}

/// Characters that show nothing: soft hyphen, zero width, direction, byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The digits of a Roman numeral up to 39 in its one right spelling; ships of a series go no further.
fn roman(word: &str) -> Option<String> {
    const ONES: [&str; 10] = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"];
    let tens = word.bytes().take_while(|b| *b == b'X').count();
    let ones = ONES.iter().position(|ones| word.get(tens..) == Some(*ones))?;
    (tens <= 3 && tens + ones > 0).then(|| (tens * 10 + ones).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(raw: &str) -> Name {
        Name::prepare(raw).unwrap()
    }

    fn agree(a: &str, b: &str) -> bool {
        name(a).agreement(&name(b)).is_some()
    }

    proptest! {
        #[test]
        fn the_quick_look_never_hides_names_that_agree(a in "[A-E]{1,4}[A-Zé船 ]{2,10}", b in "[A-E]{1,4}[A-Zé船 ]{2,10}", cut in 0usize..8) {
            let near: String = a.chars().enumerate().filter(|(at, _)| *at != cut).map(|(_, c)| c).collect();
            for other in [&b, &near] {
                let (Some(a), Some(b)) = (Name::prepare(&a), Name::prepare(other)) else { continue };
                if strsim::jaro_winkler(&a.text, &b.text) >= NAMES_AGREE {
                    prop_assert!(a.glance.may_agree(b.glance), "{a:?} {b:?}");
                }
            }
        }

        #[test]
        fn agreement_does_not_depend_on_the_order(a in "[A-C]{5,8}( [0-9IVX]{1,2})?", b in "[A-C]{5,8}( [0-9IVX]{1,2})?") {
            prop_assert_eq!(name(&a).agreement(&name(&b)).is_some(), name(&b).agreement(&name(&a)).is_some());
        }
    }

    #[test]
    fn numbers_of_ships_are_told_from_faulty_ones() {
        for valid in [
            "9074729",
            "IMO9126819",
            "imo: 7654329",
            " 9289518 ",
            "1234567",
            "IMO 0912681",
            "912681",
            "IMO No. 9074729",
            "IMO number 9074729",
            "9074 729",
            "(IMO 9074729)",
            "'IMO9074729",
            "I.M.O. 9074729",
            "IMO: IMO9074729.",
            "９９９９９９３",
        ] {
            assert!(matches!(Imo::read(valid), Some(Imo::Valid(_))), "{valid:?}");
        }
        for faulty in ["9289519", "9401598", "9999999", "15411", "IMO9999948", "99999930", "ABC1"] {
            assert!(matches!(Imo::read(faulty), Some(Imo::Faulty(_))), "{faulty:?}");
        }
        for none in ["", "IMO", "0", "0000000", "N/A", "-"] {
            assert_eq!(Imo::read(none), None, "{none:?}");
        }
        for spelling in ["IMO 15411", "IMO No. 15411", " imo: 15411 ", "\"IMO15411\"", "IMO IMO 15411"] {
            assert_eq!(Imo::read(spelling), Some(Imo::Faulty("15411".into())), "{spelling:?}");
        }
    }

    #[test]
    fn names_agree_however_they_are_written() {
        for (a, b) in [
            ("GREY PETREL", "M/V Grey  Petrel"),
            ("GREY PETREL", "MT. GREY-PETREL"),
            ("GREY PETREL", "\u{202e}Ｇｒｅｙ\tPetrel\u{0}"),
            ("NORDLYS PIONEER", "NORDLYS PIONIER"),
            ("SEA PONY 2", "SEA PONY II"),
            ("SEA PONY 2", "SEA PONY 02"),
            ("LNG/C NORTH WIND", "NORTH WIND"),
            ("L'ETOILE", "LETOILE"),
            ("МОРСКАЯ ЗВЕЗДА", "Морская звезда"),
            ("MT", "mt"),
            ("7-28", "7 28"),
        ] {
            assert!(agree(a, b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn other_names_do_not_agree() {
        for (a, b) in [
            ("SEA PONY 1", "SEA PONY 2"),
            ("SEA PONY I", "SEA PONY II"),
            ("SEA PONY", "SEA PONY 2"),
            ("OCEAN STAR", "OCEAN STORM"),
            ("ARK", "ARKS"),
            ("HUGE", "HUGEL"),
            ("GREY PETREL", "SEVEN LANTERNS"),
        ] {
            assert!(!agree(a, b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn nothing_is_no_name() {
        for none in ["", " ", "\u{200b}", "@@@", "--", "'"] {
            assert_eq!(Name::prepare(none), None, "{none:?}");
        }
    }

    #[test]
    fn numerals_are_read_only_in_their_right_spelling() {
        for (word, digits) in [("I", "1"), ("IV", "4"), ("IX", "9"), ("X", "10"), ("XIV", "14"), ("XXXIX", "39")] {
            assert_eq!(roman(word).as_deref(), Some(digits));
        }
        for none in ["", "IIII", "XXXX", "VX", "MIX", "IXI", "A"] {
            assert_eq!(roman(none), None, "{none}");
        }
    }
}
