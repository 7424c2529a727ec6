//! What an operator is advised to do with a mailbox, from what was seen of it.
//!
//! A mailbox that refuses is too small for its bursts; one whose messages wait long belongs to an actor that is too slow, and a
//! larger one would only let them wait longer.

use std::time::Duration;

use super::window::Trial;

/// The largest mailbox that the configuration takes.
pub const LARGEST: usize = 65_536;
/// From here on messages wait long: somebody who looks at a screen would notice.
const LONG_WAIT: Duration = Duration::from_millis(100);
/// A mailbox that never held more than this part of its size is too large.
const HARDLY_USED: f64 = 0.1;
/// After so long, and so many messages, "never" is worth something.
const LONG_ENOUGH: Duration = Duration::from_secs(600);
const OFTEN_ENOUGH: u64 = 1_000;
/// A smaller one saves nothing worth a change, and is full with a few messages that come together.
const SMALL: usize = 16;

/// What was seen of the mailboxes of one kind of actor.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// What one is configured to hold.
    pub capacity: usize,
    /// What came since it holds that.
    pub trial: Trial,
    /// Under which 99 % of the waits stayed, within the last minute.
    pub wait: Duration,
}

/// What is to be said of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Messages were refused, or were about to be.
    TooSmall,
    /// Messages wait long in a mailbox that is not full.
    Slow,
    /// It was hardly used.
    TooLarge,
    /// Too little was seen.
    TooEarly,
    /// Leave it.
    Fits,
}

impl Verdict {
    /// As an operator's tools read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::TooSmall => "too_small",
            Self::Slow => "slow",
            Self::TooLarge => "too_large",
            Self::TooEarly => "too_early",
            Self::Fits => "fits",
        }
    }
}

/// The advice.
#[derive(Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it comes to.
    pub verdict: Verdict,
    /// The same in a sentence.
    pub text: String,
    /// The value for the mailbox key, where another one is better.
    pub value: Option<usize>,
}

/// What to do with mailboxes of which this was seen.
pub fn advise(seen: Seen) -> Advice {
    let Seen { capacity, trial, wait } = seen;
    let Trial { high_water, refused, most_refused, handled, seen_for } = trial;
    let filled = (100 * high_water).div_ceil(capacity.max(1));
    let is_slow = wait >= LONG_WAIT;
    if refused > 0 || high_water >= capacity {
        let worst = high_water.max(capacity).saturating_add(usize::try_from(most_refused).unwrap_or(LARGEST));
        let value = worst.saturating_add(worst / 4).clamp(SMALL, LARGEST).next_power_of_two();
        let why = if refused > 0 { format!("refused {refused} messages") } else { "was full once".to_owned() };
        let slow = if is_slow { ", and messages wait long: the actor is slower than what comes" } else { "" };
        return if value > capacity {
            let text = format!("too small: {why}{slow}; {value} would have held the worst second");
            Advice { verdict: Verdict::TooSmall, text, value: Some(value) }
        } else {
            Advice { verdict: Verdict::TooSmall, text: format!("too small: {why}{slow}; it cannot be made larger"), value: None }
        };
    }
    if is_slow {
        let text = format!(
            "slow: 1 % of the messages wait {} ms or longer, at most {filled} % full; a larger mailbox makes none faster",
            wait.as_millis()
        );
        return Advice { verdict: Verdict::Slow, text, value: None };
    }
    if seen_for < LONG_ENOUGH || handled < OFTEN_ENOUGH {
        let text = format!("too early to say: {handled} messages in {} s, at most {filled} % full", seen_for.as_secs());
        return Advice { verdict: Verdict::TooEarly, text, value: None };
    }
    let value = (4 * high_water).next_power_of_two().max(SMALL);
    if (high_water as f64) < HARDLY_USED * capacity as f64 && value < capacity {
        let text = format!("too large: never above {filled} % full; {value} would do");
        return Advice { verdict: Verdict::TooLarge, text, value: Some(value) };
    }
    Advice { verdict: Verdict::Fits, text: format!("fits: at most {filled} % full"), value: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Trial =
        Trial { high_water: 40, refused: 0, most_refused: 0, handled: 50_000, seen_for: Duration::from_secs(3_600) };

    fn seen(capacity: usize, trial: Trial) -> Seen {
        Seen { capacity, trial, wait: Duration::from_millis(2) }
    }

    fn verdict(seen: Seen) -> (Verdict, Option<usize>) {
        let Advice { verdict, value, text } = advise(seen);
        assert!(text.starts_with(&verdict.label().replace('_', " ")), "{text}");
        (verdict, value)
    }

    #[test]
    fn each_case_has_its_verdict_and_a_value_where_another_one_is_better() {
        let of = |trial| verdict(seen(256, trial));
        assert_eq!(of(QUIET), (Verdict::Fits, None));
        assert_eq!(of(Trial { refused: 900, most_refused: 500, high_water: 257, ..QUIET }), (Verdict::TooSmall, Some(1024)));
        assert_eq!(of(Trial { high_water: 256, ..QUIET }), (Verdict::TooSmall, Some(512)));
        assert_eq!(verdict(Seen { wait: Duration::from_millis(150), ..seen(256, QUIET) }), (Verdict::Slow, None));
        assert_eq!(of(Trial { high_water: 3, ..QUIET }), (Verdict::TooLarge, Some(16)));
        assert_eq!(of(Trial { high_water: 3, handled: 12, ..QUIET }), (Verdict::TooEarly, None));
        assert_eq!(of(Trial { high_water: 3, seen_for: Duration::from_secs(60), ..QUIET }), (Verdict::TooEarly, None));
        assert_eq!(verdict(seen(16, Trial { high_water: 1, ..QUIET })), (Verdict::Fits, None));
    }

    #[test]
    fn what_is_advised_is_always_a_size_that_the_configuration_takes_and_another_one() {
        for capacity in [1, 2, 3, 4, 100, 256, 40_000, LARGEST] {
            for (most_refused, high_water) in
                [(0, capacity), (1, capacity + 1), (50, capacity + 1), (1_000_000, capacity), (u64::MAX, capacity)]
            {
                let seen = seen(capacity, Trial { refused: most_refused, most_refused, high_water, ..QUIET });
                let (verdict, value) = verdict(seen);
                assert_eq!(verdict, Verdict::TooSmall);
                assert!(
                    value.map_or(capacity == LARGEST, |value| (capacity + 1..=LARGEST).contains(&value)),
                    "{seen:?}: {value:?}"
                );
            }
        }
    }
}
