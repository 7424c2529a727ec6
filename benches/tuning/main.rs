//! Overloads each kind of actor of the real server in turn, does what the page of the actors advises, and overloads it again: the
//! rows of docs/tuning.md.
//!
//! Each mailbox is made far too small first, so that a small machine's load is enough; what follows is what an operator meets and does.
//! With `LOOKOUT_WRITE_TUNING=1` the rows are written into the page.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made ends with a panic")]

use cases::{CASES, Case};
use figures::Figures;
use stage::Stage;

mod cases;
mod figures;
mod load;
#[path = "../../tests/servers/mod.rs"]
#[allow(dead_code, unused_imports, reason = "no proxy is measured")]
mod servers;
mod stage;
#[path = "../../tests/hub/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the stories of the tests use the rest")]
mod support;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tuning.md");
const HEAD: &str = "| actor | what was done to it | before | what the page says | change | after |\n|---|---|---|---|---|---|\n";
/// Some actors are so quick that their mailbox is full now and then only.
const MOST_TIMES: u32 = 10;
/// One change should do; where the load was heavier the second time one more may be advised.
const MOST_CHANGES: usize = 3;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let rows: Vec<String> = CASES
        .iter()
        .filter(|case| wanted.is_empty() || wanted.iter().any(|name| name == case.actor))
        .map(|case| {
            let row = row(case);
            println!("{row}");
            row
        })
        .collect();
    if std::env::var_os("LOOKOUT_WRITE_TUNING").is_some_and(|value| value == "1") && wanted.is_empty() {
        write(&rows);
    }
}

/// Overloads, follows the advice, overloads again.
fn row(case: &Case) -> String {
    let mut stage = Stage::new(case);
    let (before, times) = stage.overload(case, MOST_TIMES);
    let named: &[&str] = if case.own_change.is_some() { &[] } else { &[case.actor] };
    assert!(case.symptom.is_none() || before.symptom > 0.0, "{} was not overloaded: {before:?}", case.actor);
    assert_eq!(before.named, named, "the page names this actor and no other: {before:?}");
    let said = before.advice.clone();
    let mut changes = Vec::new();
    let mut after = before.clone();
    while changes.is_empty() || after.symptom > 0.0 || after.verdict == "too_small" {
        assert!(changes.len() < MOST_CHANGES, "{} is still overloaded: {after:?}", case.actor);
        let (key, value) = case.own_change.map_or_else(|| after.suggestion(), |(key, value)| (key.to_owned(), value));
        stage.change(case, &key, value);
        changes.push(format!("`{key} = {value}`"));
        (after, _) = stage.overload(case, times);
    }
    let Case { actor, done, .. } = case;
    format!("| {actor} | {done} | {} | {said} | {} | {} |", told(case, &before), changes.join(", then "), told(case, &after))
}

fn told(case: &Case, figures: &Figures) -> String {
    let Figures { symptom, refused, handled, wait, peak, size, .. } = figures;
    let symptom = case.symptom.map_or_else(String::new, |name| format!("`{name}` {symptom}; "));
    format!(
        "{symptom}{refused} refused, {handled} handled; 99 % waited {} at most; {peak} of {size} at most",
        figures::time(*wait)
    )
}

/// Puts the rows in the place of those of an earlier run.
fn write(rows: &[String]) {
    let page = std::fs::read_to_string(PAGE).expect("docs/tuning.md");
    let (before, behind) = page.split_once(HEAD).expect("the table");
    let behind = behind.split_once("\n\n").expect("a line behind the table").1;
    std::fs::write(PAGE, format!("{before}{HEAD}{}\n\n{behind}", rows.join("\n"))).expect("the page is written");
}
