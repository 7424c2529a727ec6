//! Every rule on the sample list, and the properties that hold for any vessel.

use proptest::prelude::*;

use super::*;
use crate::screening::{index::Index, maritime_csv};

fn index() -> Index {
    let sample = include_bytes!("../../examples/watch-list.sample.csv");
    Index::of(vec![("sample".into(), maritime_csv::read(sample).unwrap().rows.into())])
}

fn screened(subject: &Subject, standing: Standing) -> ScreeningResults {
    let (index, none, at) = (index(), Index::default(), Timestamp::default());
    let searched = if standing == Standing::NoList { &none } else { &index };
    let looked = Looked { lists: Vec::new(), standing, covers_psc: standing != Standing::NoList };
    results(subject, &searched.find(subject), looked, at, at)
}

/// A vessel from `key=value` words; `_` in a value is a blank.
fn vessel(words: &str) -> Subject {
    let mut subject = Subject::default();
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').unwrap();
        let field = match key {
            "imo" => &mut subject.imo,
            "sent" => &mut subject.imo_as_sent,
            "mmsi" => &mut subject.mmsi,
            "sign" => &mut subject.call_sign,
            "name" => &mut subject.name,
            "type" => &mut subject.vessel_type,
            other => panic!("no field {other}"),
        };
        *field = Some(value.replace('_', " "));
    }
    subject
}

use Severity::{Critical, Ok, Unknown, Warning};
use Standing::{Fresh, Incomplete, NoList, Stale};

type Expected = (Severity, Option<&'static str>, Option<Severity>, Option<Severity>);

#[test]
fn every_rule_gives_its_severity_reason_and_checks() {
    let table: &[(&str, Standing, Expected)] = &[
        // By IMO.
        ("imo=9999931", Fresh, (Critical, None, Some(Critical), Some(Ok))),
        ("imo=9999931 name=ANOTHER_NAME", Fresh, (Critical, None, Some(Critical), Some(Ok))),
        ("imo=9999929", Fresh, (Warning, None, Some(Warning), Some(Ok))),
        ("imo=9999905", Fresh, (Warning, None, Some(Warning), Some(Ok))),
        ("imo=9999917", Fresh, (Warning, None, Some(Ok), Some(Warning))),
        ("imo=9999890", Fresh, (Warning, None, Some(Warning), Some(Warning))),
        ("imo=9999888", Fresh, (Unknown, Some("no_risk_given"), Some(Unknown), Some(Ok))),
        ("imo=9999993", Fresh, (Ok, None, Some(Ok), Some(Ok))),
        // A hit counts whatever the list's age.
        ("imo=9999931", Stale, (Critical, None, Some(Critical), Some(Unknown))),
        ("imo=9999931", Incomplete, (Critical, None, Some(Critical), Some(Unknown))),
        // By another number.
        ("mmsi=613999931 name=GREY_PETREL", Fresh, (Warning, None, Some(Warning), Some(Unknown))),
        ("mmsi=613999931 name=ANOTHER_NAME", Fresh, (Warning, None, Some(Warning), Some(Unknown))),
        ("imo=9999993 mmsi=613999931", Fresh, (Warning, None, Some(Warning), Some(Ok))),
        ("mmsi=626999929", Fresh, (Warning, None, Some(Warning), Some(Unknown))),
        ("mmsi=677999917", Fresh, (Warning, None, Some(Unknown), Some(Warning))),
        ("mmsi=445123456", Stale, (Warning, None, Some(Warning), Some(Unknown))),
        // Faulty numbers.
        ("sent=15411 name=PALE_LAPWING", Fresh, (Critical, Some("invalid_imo"), Some(Critical), Some(Unknown))),
        ("sent=15411 name=ANOTHER_NAME", Fresh, (Warning, Some("invalid_imo"), Some(Warning), Some(Unknown))),
        ("sent=9999994 mmsi=636999901 name=NORDLYS", Fresh, (Unknown, Some("invalid_imo"), Some(Unknown), Some(Unknown))),
        ("sent=9999948", Fresh, (Unknown, Some("invalid_imo"), Some(Unknown), Some(Unknown))),
        ("sent=9999994 mmsi=613999931", Fresh, (Warning, Some("invalid_imo"), Some(Warning), Some(Unknown))),
        // By name alone.
        ("name=GREY_PETREL", Fresh, (Warning, Some("possible_name_match"), Some(Warning), Some(Unknown))),
        ("name=OLD_CURLEW", Fresh, (Warning, Some("possible_name_match"), Some(Unknown), Some(Warning))),
        ("imo=9999993 name=GREY_PETREL", Fresh, (Warning, Some("possible_name_match"), Some(Warning), Some(Ok))),
        ("name=GREY_PETREL", Stale, (Warning, Some("possible_name_match"), Some(Warning), Some(Unknown))),
        // Nothing found.
        ("name=NORDLYS", Fresh, (Unknown, Some("no_identifier"), Some(Unknown), Some(Unknown))),
        ("", Fresh, (Unknown, Some("no_identifier"), None, None)),
        ("mmsi=636999901", Fresh, (Unknown, Some("no_imo"), Some(Unknown), Some(Unknown))),
        ("sign=D5ZZ9", Fresh, (Unknown, Some("no_imo"), Some(Unknown), Some(Unknown))),
        ("imo=9999993", Stale, (Unknown, Some("stale_list"), Some(Unknown), Some(Unknown))),
        ("imo=9999993", Incomplete, (Unknown, Some("list_missing"), Some(Unknown), Some(Unknown))),
        ("imo=9999993", NoList, (Unknown, Some("no_list"), None, None)),
        ("", NoList, (Unknown, Some("no_list"), None, None)),
    ];
    for (words, standing, expected) in table {
        let got = screened(&vessel(words), *standing);
        assert_eq!(
            (got.overall_severity, got.reason.as_deref(), got.ship_sanctions, got.psc),
            *expected,
            "{words:?} {standing:?}"
        );
        assert_eq!((got.company_sanctions, got.country_sanctions, got.ship_movement), (None, None, None));
        assert_eq!(got.status, Status::Done);
    }
}

#[test]
fn port_state_control_is_checked_only_by_a_list_that_knows_of_it() {
    let clean = vessel("imo=9999993");
    let looked = Looked { lists: Vec::new(), standing: Fresh, covers_psc: false };
    let at = Timestamp::default();
    assert_eq!(results(&clean, &[], looked, at, at).psc, None);

    let sanctions_only = maritime_csv::read(b"type,caption,imo,risk,id\nVESSEL,A,,sanction,x\n").unwrap().rows;
    assert!(!covers_psc(&sanctions_only));
    let with_detentions = maritime_csv::read(b"type,caption,imo,risk,id\nVESSEL,A,,sanction;reg.warn,x\n").unwrap().rows;
    assert!(covers_psc(&with_detentions));
}

#[test]
fn a_hit_says_what_matched_and_a_name_never_scores_one() {
    let by_imo = screened(&vessel("imo=9999931"), Fresh).hits;
    assert_eq!(by_imo.len(), 1);
    assert_eq!((by_imo[0].matched_on.as_str(), by_imo[0].score, by_imo[0].name.as_str()), ("imo", 1.0, "GREY PETREL"));
    assert_eq!(by_imo[0].programs, ["test_list_a", "test_list_b"]);
    let by_name = screened(&vessel("name=GREY_PETREL"), Fresh).hits;
    assert_eq!((by_name[0].matched_on.as_str(), by_name[0].score), ("name", 0.99));
}

#[test]
fn types_to_skip_are_compared_without_case_and_blanks() {
    let skip = ["Tug".to_owned(), " Push-Boat ".to_owned()];
    for skip_me in ["type=TUG", "type=_tug_", "type=push-boat"] {
        let got = skipped(&vessel(skip_me), &skip, "list", Timestamp::default()).unwrap();
        assert_eq!((got.status, got.reason.as_deref()), (Status::Skipped, Some("vessel_type")));
        assert_eq!((got.overall_severity, got.ship_sanctions), (Unknown, None));
    }
    for screen_me in ["type=Tugboat", "type=Bulk_carrier", "", "type=_"] {
        assert_eq!(skipped(&vessel(screen_me), &skip, "list", Timestamp::default()), None, "{screen_me:?}");
    }
    assert_eq!(skipped(&vessel("type=_"), &[String::new()], "list", Timestamp::default()), None);
}

fn any_of(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(proptest::sample::select(values).prop_map(str::to_owned))
}

fn any_subject() -> impl Strategy<Value = Subject> {
    (
        any_of(&["9999931", "9999929", "9999917", "9999888", "9999993", "9999981"]),
        any_of(&["15411", "9999994", "N/A"]),
        any_of(&["613999931", "677999917", "636999901"]),
        any_of(&["D5ZZ9"]),
        any_of(&["GREY PETREL", "Gray petrel", "AMBER DUNLIN 4", "NORDLYS", "船"]),
    )
        .prop_map(|(imo, sent, mmsi, call_sign, name)| Subject {
            imo_as_sent: sent.filter(|_| imo.is_none()),
            imo,
            mmsi,
            call_sign,
            name,
            ..Subject::default()
        })
}

proptest! {
    #[test]
    fn ok_needs_a_valid_imo_and_fresh_lists(
        subject in any_subject(),
        standing in proptest::sample::select(&[NoList, Incomplete, Stale, Fresh][..]),
    ) {
        let got = screened(&subject, standing);
        if got.overall_severity == Ok || got.ship_sanctions == Some(Ok) || got.psc == Some(Ok) {
            prop_assert!(subject.imo.is_some() && standing == Fresh);
        }
        prop_assert_eq!(got.overall_severity == Ok, got.hits.is_empty() && subject.imo.is_some() && standing == Fresh);
        prop_assert!(got.reason.is_some() || got.overall_severity != Unknown);
    }

    #[test]
    fn a_name_alone_never_means_more_than_a_warning(name in any_of(&["GREY PETREL", "SERENE DAWN", "NO NUMBER KNOWN", "x"])) {
        let got = screened(&Subject { name, ..Subject::default() }, Fresh);
        prop_assert!(got.overall_severity <= Warning);
        prop_assert_eq!(got.hits.is_empty(), got.reason.as_deref() != Some("possible_name_match"));
        prop_assert!(got.hits.iter().all(|hit| hit.score < 1.0));
    }

    #[test]
    fn only_an_imo_number_makes_a_critical(subject in any_subject()) {
        let got = screened(&subject, Fresh);
        if got.overall_severity == Critical {
            prop_assert!(got.hits.iter().any(|hit| hit.matched_on == "imo"));
        }
    }

    #[test]
    fn a_hit_is_never_called_ok(subject in any_subject()) {
        let got = screened(&subject, Fresh);
        let checks = [got.ship_sanctions, got.psc];
        prop_assert!(got.hits.is_empty() || checks.iter().flatten().any(|check| *check > Ok));
        prop_assert!(checks.iter().flatten().all(|check| *check <= got.overall_severity));
    }
}
