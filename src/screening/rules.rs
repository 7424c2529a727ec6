//! From what matched, and what was looked into, to a severity: pure functions, so that the rules can be read and tested whole.
//!
//! The rule above all others: what was not looked up well enough never looks clean.

use super::index::Row;
use crate::notification::{
    Timestamp,
    results::{Hit, ListInfo, ScreeningResults, Severity, Status},
    subject::Subject,
};

/// By what a vessel and a row were found to be the same, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchedOn {
    /// A valid IMO number: it stays with the hull for life.
    Imo,
    /// The same faulty IMO number on both sides.
    FaultyImo,
    /// The radio identity, which changes with the flag.
    Mmsi,
    /// The call sign, which changes with the flag too.
    CallSign,
    /// Nothing but the name.
    Name,
}

/// A vessel found on a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match<'i> {
    /// The list's id.
    pub list: &'i str,
    /// Where it was found.
    pub row: &'i Row,
    /// How it was found.
    pub key: MatchedOn,
    /// How alike the names are, where they agree.
    pub name_similarity: Option<f64>,
}

/// What was looked into.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// The lists.
    pub lists: Vec<ListInfo>,
    /// What not finding a vessel in them is worth.
    pub standing: Standing,
    /// Whether any of them knows of detentions: else finding none says nothing about port state control.
    pub covers_psc: bool,
}

/// What the lists taken together are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is no list.
    NoList,
    /// A list that is asked for has never been read.
    Incomplete,
    /// A list has rows that cannot be read: the vessel may stand in one of them.
    Faulty,
    /// A list is older than `screening.max_list_age`.
    Stale,
    /// All are there and fresh.
    Fresh,
}

/// The whole result of the provider `list`.
///
/// `reason` is null for an OK and for a hit by a number; otherwise one of `no_list`, `possible_name_match` (all hits are by
/// name), `no_risk_given` (listed, but no row says why), `invalid_imo`, `no_identifier`, `no_imo` (MMSI or call sign only),
/// `list_missing`, `list_faulty` and `stale_list`.
pub fn results(
    subject: &Subject,
    matches: &[Match<'_>],
    looked: Looked,
    started_at: Timestamp,
    completed_at: Timestamp,
) -> ScreeningResults {
    let reason = reason(subject, matches, looked.standing);
    let unmatched = if subject.imo.is_some() && looked.standing == Standing::Fresh { Severity::Ok } else { Severity::Unknown };
    let worst = |check| findings(matches).filter(|(of, _)| *of == check).map(|(_, severity)| severity).max();
    let (ship, psc) = (worst(Check::Ship), worst(Check::Psc));
    let was_looked_up =
        looked.standing != Standing::NoList && (subject.name.is_some() || has_number(subject) || subject.imo_as_sent.is_some());

    let mut results = ScreeningResults::open_ended(Status::Done, reason, "list", started_at, Some(completed_at));
    results.ship_sanctions = was_looked_up.then(|| ship.unwrap_or(unmatched).max(unmatched));
    results.psc = (was_looked_up && (looked.covers_psc || psc.is_some())).then(|| psc.unwrap_or(unmatched).max(unmatched));
    results.overall_severity = [Some(unmatched), ship, psc].into_iter().flatten().max().unwrap_or(Severity::Unknown);
    results.hits = matches.iter().map(hit).collect();
    results.lists = looked.lists;
    results
}

/// The result for a vessel whose type is one of `screening.skip_vessel_types`, compared without case and outer blanks:
/// skipped, UNKNOWN, reason `vessel_type`. `None` where it is to be screened.
pub fn skipped(subject: &Subject, skip_vessel_types: &[String], provider: &str, at: Timestamp) -> Option<ScreeningResults> {
    let vessel_type = subject.vessel_type.as_deref()?.trim().to_lowercase();
    let is_skipped = !vessel_type.is_empty() && skip_vessel_types.iter().any(|skip| skip.trim().to_lowercase() == vessel_type);
    is_skipped.then(|| ScreeningResults::open_ended(Status::Skipped, Some("vessel_type"), provider, at, Some(at)))
}

/// Whether this topic belongs to port state control.
pub fn is_psc(topic: &str) -> bool {
    topic == "mare.detained" || topic == "poi" || topic.starts_with("reg.")
}

fn has_number(subject: &Subject) -> bool {
    subject.imo.is_some() || subject.mmsi.is_some() || subject.call_sign.is_some()
}

fn reason(subject: &Subject, matches: &[Match<'_>], standing: Standing) -> Option<&'static str> {
    let has_faulty_imo = subject.imo.is_none() && subject.imo_as_sent.is_some();
    if standing == Standing::NoList {
        Some("no_list")
    } else if !matches.is_empty() {
        if matches.iter().all(|found| found.key == MatchedOn::Name) {
            Some("possible_name_match")
        } else if matches.iter().all(|found| found.row.topics.is_empty()) {
            Some("no_risk_given")
        } else {
            has_faulty_imo.then_some("invalid_imo")
        }
    } else if has_faulty_imo {
        Some("invalid_imo")
    } else if !has_number(subject) {
        Some("no_identifier")
    } else if standing == Standing::Incomplete {
        Some("list_missing")
    } else if standing == Standing::Faulty {
        Some("list_faulty")
    } else if standing == Standing::Stale {
        Some("stale_list")
    } else {
        subject.imo.is_none().then_some("no_imo")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Ship,
    Psc,
}

/// What each topic of each match says. A row without a topic does not say why it is listed: that is neither a finding nor
/// an OK.
fn findings<'m>(matches: &'m [Match<'_>]) -> impl Iterator<Item = (Check, Severity)> + 'm {
    matches.iter().flat_map(|found| {
        let most = most(found);
        let without_topic = found.row.topics.is_empty().then_some((Check::Ship, Severity::Unknown));
        let of_topics = found.row.topics.iter().map(move |topic| {
            let check = if is_psc(topic) { Check::Psc } else { Check::Ship };
            let severity = if topic == "sanction" { Severity::Critical } else { Severity::Warning };
            (check, severity.min(most))
        });
        without_topic.into_iter().chain(of_topics)
    })
}

/// The most that a match can mean. Only a hull's own number proves it; a faulty one does where the names agree as well.
/// MMSI and call sign pass from ship to ship, so they warn, whatever the names, and no exact match ever says less.
fn most(found: &Match<'_>) -> Severity {
    match found.key {
        MatchedOn::Imo => Severity::Critical,
        MatchedOn::FaultyImo if found.name_similarity.is_some() => Severity::Critical,
        MatchedOn::FaultyImo | MatchedOn::Mmsi | MatchedOn::CallSign | MatchedOn::Name => Severity::Warning,
    }
}

/// A number that is the same scores 1; a name never does, as it is only possibly the same ship.
fn hit(found: &Match<'_>) -> Hit {
    let (matched_on, score) = match found.key {
        MatchedOn::Imo | MatchedOn::FaultyImo => ("imo", 1.0),
        MatchedOn::Mmsi => ("mmsi", 1.0),
        MatchedOn::CallSign => ("call_sign", 1.0),
        MatchedOn::Name => ("name", found.name_similarity.unwrap_or_default().min(0.99)),
    };
    Hit {
        list: found.list.to_owned(),
        entity_id: found.row.entity_id.clone(),
        name: found.row.name.clone(),
        matched_on: matched_on.to_owned(),
        score,
        topics: found.row.topics.clone(),
        programs: found.row.programs.clone(),
        url: found.row.url.clone(),
    }
}

/// Whether any of these rows knows of port state control, and so a list of them covers it.
pub fn covers_psc(rows: &[Row]) -> bool {
    rows.iter().flat_map(|row| &row.topics).any(|topic| is_psc(topic))
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
