//! Lists in real files: at the start, when they change, when they break, when they grow old.

use std::fs::File;

use super::*;
use crate::notification::results::Severity;

const HEADER: &str = "type,caption,imo,risk,id\n";
const LISTED: &str = "type,caption,imo,risk,id\nVESSEL,GREY PETREL,IMO9999931,sanction,a\n";
const OTHER: &str = "type,caption,imo,risk,id\nVESSEL,OLD CURLEW,IMO9999917,sanction,b\n";
const DAY: Duration = Duration::from_secs(86_400);

struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that looks as if it had been written so long ago.
    fn write(&self, name: &str, content: &str, age: Duration) {
        fs::write(self.path(name), content).unwrap();
        self.touch(name, SystemTime::now() - age);
    }

    fn touch(&self, name: &str, modified: SystemTime) {
        File::options().write(true).open(self.path(name)).unwrap().set_modified(modified).unwrap();
    }

    fn screener(&self, lists: &[&str]) -> ListScreener {
        ListScreener::load(&config::Screening {
            provider: config::Provider::List,
            lists: lists.iter().map(|name| self.path(name)).collect(),
            reload_interval: DAY,
            deliver_within: DAY,
            give_up_after: DAY,
            max_list_age: 7 * DAY,
            skip_vessel_types: Vec::new(),
            max_in_flight: 1,
        })
    }
}

/// Two looks, as any change needs.
fn reload(screener: &ListScreener) -> bool {
    let first = screener.reload_if_changed();
    first | screener.reload_if_changed()
}

fn screen(screener: &ListScreener, imo: &str) -> ScreeningResults {
    let subject = Subject { imo: Some(imo.to_owned()), ..Subject::default() };
    screener.screen(subject).now_or_never().unwrap().unwrap()
}

fn severity(screener: &ListScreener, imo: &str) -> (Severity, Option<String>) {
    let results = screen(screener, imo);
    (results.overall_severity, results.reason)
}

fn unknown(reason: &str) -> (Severity, Option<String>) {
    (Severity::Unknown, Some(reason.to_owned()))
}

const OK: (Severity, Option<String>) = (Severity::Ok, None);
const CRITICAL: (Severity, Option<String>) = (Severity::Critical, None);

#[test]
fn a_list_in_a_file_is_named_versioned_and_counted() {
    let files = Fixture::new();
    files.write("ships.csv", LISTED, DAY);
    let results = screen(&files.screener(&["ships.csv"]), "9999931");
    assert_eq!(results.provider, "list");
    assert_eq!(results.overall_severity, Severity::Critical);
    let list = &results.lists[0];
    let sha256: String = Sha256::digest(LISTED).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((list.id.as_str(), list.version.as_str(), list.entries), ("ships", &sha256[..12], 1));
    assert_eq!(results.hits[0].list, "ships");
}

#[test]
fn without_a_list_everything_is_unknown() {
    let files = Fixture::new();
    assert_eq!(severity(&files.screener(&[]), "9999931"), unknown("no_list"));
    assert_eq!(severity(&files.screener(&["missing.csv"]), "9999931"), unknown("no_list"));
    files.write("broken.csv", HEADER, DAY);
    assert_eq!(severity(&files.screener(&["broken.csv"]), "9999931"), unknown("no_list"));
}

#[test]
fn a_list_that_is_missing_beside_another_forbids_an_ok_but_no_hit() {
    let files = Fixture::new();
    files.write("a.csv", LISTED, DAY);
    let screener = files.screener(&["a.csv", "b.csv"]);
    assert_eq!(severity(&screener, "9999993"), unknown("list_missing"));
    assert_eq!(severity(&screener, "9999931"), CRITICAL);
    files.write("b.csv", OTHER, DAY);
    assert!(reload(&screener));
    assert_eq!(severity(&screener, "9999993"), OK);
    assert_eq!(severity(&screener, "9999917"), CRITICAL);
}

#[test]
fn a_changed_file_is_swapped_in_whole() {
    let files = Fixture::new();
    files.write("a.csv", LISTED, 2 * DAY);
    let screener = files.screener(&["a.csv"]);
    assert!(!reload(&screener));
    files.write("a.csv", OTHER, DAY);
    assert_eq!(severity(&screener, "9999931"), CRITICAL);
    assert!(reload(&screener));
    assert_eq!((severity(&screener, "9999931"), severity(&screener, "9999917")), (OK, CRITICAL));
    assert!(!reload(&screener));
}

#[test]
fn a_file_that_is_still_being_written_is_not_swapped_in() {
    let files = Fixture::new();
    files.write("a.csv", LISTED, 2 * DAY);
    let screener = files.screener(&["a.csv"]);
    let two = format!("{OTHER}VESSEL,GREY PETREL,IMO9999931,sanction,a\n");
    files.write("a.csv", OTHER, DAY);
    assert!(!screener.reload_if_changed());
    files.write("a.csv", &two, DAY / 2);
    assert!(!screener.reload_if_changed(), "it has grown since the last look");
    assert_eq!((severity(&screener, "9999931"), severity(&screener, "9999917")), (CRITICAL, OK));
    assert!(screener.reload_if_changed());
    assert_eq!((severity(&screener, "9999931"), severity(&screener, "9999917")), (CRITICAL, CRITICAL));
}

#[test]
fn a_list_that_was_cut_off_keeps_the_last_good_content() {
    let files = Fixture::new();
    files.write("a.csv", LISTED, 2 * DAY);
    let screener = files.screener(&["a.csv"]);
    files.write("a.csv", &format!("{OTHER}VESSEL,GREY PETREL,IMO99"), DAY);
    assert!(!reload(&screener));
    assert_eq!(severity(&screener, "9999931"), CRITICAL);
    assert_eq!(severity(&files.screener(&["a.csv"]), "9999993"), unknown("no_list"));
}

#[test]
fn a_list_with_faulty_rows_forbids_an_ok_but_no_hit() {
    let files = Fixture::new();
    files.write("a.csv", &format!("{LISTED}VESSEL,,,,\nVESSEL,OLD CURLEW,IMO9999917\n"), DAY);
    let screener = files.screener(&["a.csv"]);
    assert_eq!(severity(&screener, "9999993"), unknown("list_faulty"));
    assert_eq!(severity(&screener, "9999931"), CRITICAL);
    assert_eq!(screen(&screener, "9999917").hits.len(), 1, "a row that ends early keeps its number");
    files.write("a.csv", LISTED, DAY / 2);
    assert!(reload(&screener));
    assert_eq!(severity(&screener, "9999993"), OK);
}

#[test]
fn a_change_of_the_same_size_in_the_same_moment_is_seen() {
    let files = Fixture::new();
    let now = SystemTime::now();
    let same_size = LISTED.replace("9999931", "9999917");
    files.write("a.csv", LISTED, Duration::ZERO);
    files.touch("a.csv", now);
    let screener = files.screener(&["a.csv"]);
    files.write("a.csv", &same_size, Duration::ZERO);
    files.touch("a.csv", now);
    assert!(reload(&screener));
    assert_eq!(severity(&screener, "9999917"), CRITICAL);
}

#[test]
fn a_broken_or_vanished_file_keeps_the_last_good_content() {
    let files = Fixture::new();
    files.write("a.csv", LISTED, 3 * DAY);
    let screener = files.screener(&["a.csv"]);
    let version = screen(&screener, "9999931").lists[0].version.clone();
    files.write("a.csv", "<html>not found</html>", 2 * DAY);
    assert!(!reload(&screener));
    assert_eq!(severity(&screener, "9999931"), CRITICAL);
    fs::remove_file(files.path("a.csv")).unwrap();
    assert!(!reload(&screener));
    assert_eq!(screen(&screener, "9999931").lists[0].version, version);
    files.write("a.csv", OTHER, DAY);
    assert!(reload(&screener));
    assert_eq!(severity(&screener, "9999917"), CRITICAL);
}

#[test]
fn an_old_list_cannot_say_ok_until_its_file_is_renewed() {
    let files = Fixture::new();
    files.write("a.csv", LISTED, 8 * DAY);
    let screener = files.screener(&["a.csv"]);
    assert_eq!(severity(&screener, "9999993"), unknown("stale_list"));
    assert_eq!(severity(&screener, "9999931"), CRITICAL);
    let before = screen(&screener, "9999993").lists;
    files.touch("a.csv", SystemTime::now() - DAY);
    assert!(reload(&screener));
    assert_eq!(severity(&screener, "9999993"), OK);
    assert_eq!(screen(&screener, "9999993").lists, before);
}

#[test]
fn the_oldest_list_decides_and_age_passes_without_a_reload() {
    let files = Fixture::new();
    files.write("a.csv", LISTED, 3 * DAY);
    files.write("b.csv", OTHER, DAY);
    let screener = files.screener(&["a.csv", "b.csv"]);
    let loaded = screener.loaded.load();
    let now = SystemTime::now();
    assert_eq!(loaded.standing(7 * DAY, now + 3 * DAY), Standing::Fresh);
    assert_eq!(loaded.standing(7 * DAY, now + 5 * DAY), Standing::Stale);
}

#[test]
fn a_modification_time_in_the_future_does_not_keep_a_list_fresh() {
    let files = Fixture::new();
    files.write("a.csv", LISTED, Duration::ZERO);
    files.touch("a.csv", SystemTime::now() + 365 * DAY);
    let screener = files.screener(&["a.csv"]);
    assert_eq!(severity(&screener, "9999993"), OK);
    let oldest = screener.loaded.load().oldest;
    assert!(!reload(&screener));
    assert_eq!(screener.loaded.load().oldest, oldest);
    assert_eq!(screener.loaded.load().standing(7 * DAY, SystemTime::now() + 8 * DAY), Standing::Stale);
}
