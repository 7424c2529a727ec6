//! `GET /metrics`: each figure moves when what it counts happens, and what is written about them is true.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::Duration,
};

use lookout::notification::results::Severity;

use crate::support::{Doors, Hub, Setup, USER, batch, event, held, result, sized_batch, wait_for};

pub fn read(file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A hub with a watch-list, so that every family has something in it.
pub fn whole() -> Hub {
    let list = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/payloads/watch-list.csv");
    let hub = Setup::new().with(|config| config.screening.lists = vec![list]).start();
    wait_for("the screener to begin", || scrape(&hub).contains("lookout_list_age_seconds{").then_some(()));
    hub
}

/// What an older Prometheus reads.
pub fn scrape(doors: &Doors) -> String {
    let answer = doors.ask_admin("GET", "/metrics", &[("Accept", "text/plain;version=0.0.4")]);
    assert_eq!(answer.status(), 200);
    answer.text()
}

/// One family: its type, and the values of each label.
#[derive(Debug, Default, PartialEq, Eq)]
struct Family {
    kind: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// What a scrape holds; labels whose values are not known in advance have none.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').unwrap();
            current = name.to_owned();
            let family = Family { kind: kind.to_owned(), ..Family::default() };
            assert!(families.insert(current.clone(), family).is_none(), "{name} is there twice");
        } else if let Some((_, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            for pair in labels.split_once('}').unwrap().0.split("\",") {
                let (label, value) = pair.trim_end_matches('"').split_once("=\"").unwrap();
                if label != "le" {
                    let values = families.get_mut(&current).unwrap().labels.entry(label.to_owned()).or_default();
                    if !["actor", "list", "provider"].contains(&label) {
                        values.insert(value.to_owned());
                    }
                }
            }
        }
    }
    families
}

/// What `docs/metrics.md` says.
fn documented() -> BTreeMap<String, Family> {
    let page = read("docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `lookout_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 4 && !cells[3].is_empty(), "{row}");
        let label = |part: &str| {
            let mut words = part.split('`').skip(1).step_by(2).map(str::to_owned);
            words.next().map(|label| (label, words.collect()))
        };
        let labels = cells[2].split(';').filter_map(label).collect();
        (cells[0].trim_matches('`').to_owned(), Family { kind: cells[1].to_owned(), labels })
    })
    .collect()
}

#[test]
fn the_page_lists_every_metric_with_its_type_and_labels_and_no_other() {
    let (documented, told) = (documented(), families(&scrape(&whole())));
    assert_eq!(documented.keys().collect::<Vec<_>>(), {
        let mut names: Vec<_> = told.keys().collect();
        names.sort();
        names
    });
    for (name, family) in told {
        assert_eq!(documented[&name], family, "{name}");
    }
}

/// The metrics that a cell names between backticks, without their prefix, each with the labels that are asked of it; a span of labels alone belongs
/// to the metric before it.
fn figures(cell: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut last = String::new();
    let spans = cell.split('`').skip(1).step_by(2).map(|span| {
        let (name, labels) = span.trim_end_matches('}').split_once('{').unwrap_or((span, ""));
        if !name.is_empty() {
            last = name.to_owned();
        }
        let labels = labels.split(',').filter_map(|pair| pair.split_once('='));
        (last.clone(), labels.map(|(label, value)| (label.to_owned(), value.trim_matches('"').to_owned())).collect())
    });
    spans.collect()
}

#[test]
fn the_pages_to_tune_from_name_only_what_there_is() {
    let documented = documented();
    let (actors, tuning) = (read("actors.md"), read("docs/tuning.md"));
    let turn = actors.split("\n| you see |").nth(1).unwrap().split("\n\n").next().unwrap();
    let seen = turn.lines().skip(2).map(|row| row.split(" | ").next().unwrap());
    let told = tuning.lines().filter(|line| line.starts_with("| ") && line.contains(" refused, ")).flat_map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        [cells[2], cells[5]]
    });
    let mut count = 0;
    for (name, labels) in seen.chain(told).flat_map(figures) {
        // What else an operator sees: a key, a route, an error, a verdict, a reason of `/readyz`.
        if name.contains(['.', '/', '…']) || ["busy", "too_small", "bus_lost"].contains(&name.as_str()) {
            continue;
        }
        let whole = [format!("lookout_{name}"), format!("lookout_{name}_total")];
        let family = whole.iter().find_map(|name| documented.get(name)).unwrap_or_else(|| panic!("there is no {name}"));
        for (label, value) in labels {
            let values = family.labels.get(&label).unwrap_or_else(|| panic!("{name} has no {label}"));
            assert!(values.is_empty() || values.contains(&value), "{name} has no {label} {value}");
        }
        count += 1;
    }
    assert!(count > 30, "the scan sees the tables: {count}");
}

/// Every name of ours in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let names = text.match_indices("lookout_").map(|(at, _)| {
        let rest = &text[at..];
        &rest[..rest.find(|character: char| !character.is_ascii_lowercase() && character != '_').unwrap_or(rest.len())]
    });
    names.collect()
}

#[test]
fn the_dashboard_and_the_alerts_name_only_what_there_is_and_the_alerts_are_tested() {
    let text = scrape(&whole());
    let lines = text.lines().map(|line| line.strip_prefix("# TYPE ").unwrap_or(line));
    let samples: BTreeSet<&str> =
        lines.filter(|line| !line.starts_with('#')).map(|line| line.split(['{', ' ']).next().unwrap()).collect();
    let alerts = read("docs/alerts.yml");
    for (file, text) in [("dashboard", read("docs/grafana-dashboard.json")), ("alerts", alerts.clone())] {
        let named = named(&text);
        assert!(named.len() > 10, "{file}: {named:?}");
        let unknown: Vec<_> = named.iter().filter(|name| !samples.contains(*name)).collect();
        assert!(unknown.is_empty(), "the {file} name what is not there: {unknown:?}");
    }
    let tests = read("tests/alerts/alerts_test.yml");
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is not tested");
    }
    serde_json::from_str::<serde_json::Value>(&read("docs/grafana-dashboard.json")).expect("the dashboard is JSON");
}

#[test]
fn both_text_forms_are_served_to_who_asks_for_them() {
    let hub = Hub::start();
    let kind = |accept: &str| {
        let answer = hub.ask_admin("GET", "/metrics", &[("Accept", accept)]);
        (answer.head.header("content-type").unwrap().to_owned(), answer.text().ends_with("# EOF\n"))
    };
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, open) in [("*/*", false), (prometheus, true), ("text/plain", false), ("text/plain;version=0.0.4", false)] {
        let (content_type, is_whole) = kind(accept);
        assert_eq!((content_type.starts_with("application/openmetrics-text"), is_whole), (open, open), "{accept}");
    }
}

#[test]
fn a_scrape_is_as_long_with_many_readers_as_with_none() {
    let hub = Setup::new().with(|config| config.stream.max_connections = 400).start();
    let lines = || scrape(&hub).lines().count();
    let before = lines();
    let readers: Vec<_> = (0..300).map(|_| hub.reader(USER)).collect();
    assert_eq!(hub.metric("lookout_connections"), 300.0);
    assert_eq!(lines(), before);
    drop(readers);
}

#[test]
fn who_comes_back_is_counted_by_what_his_last_id_was_worth() {
    let hub = Hub::start();
    let came_back = |last_id: &str| hub.metric(&format!("lookout_reconnections_total{{last_id=\"{last_id}\"}}"));
    let all = || ["honoured", "gap", "none"].map(came_back);
    let first = hub.reader(USER);
    let start = first.start.clone();
    assert_eq!(all(), [0.0; 3], "nobody was here before");
    drop(first);
    hub.wait_for_metric("lookout_connections_closed_total", 1.0);
    let _second = hub.reader(USER);
    let _third = hub.reader(USER);
    assert_eq!(all(), [0.0, 0.0, 1.0], "one stream has ended, so one has come back");
    let mut fourth = hub.stream(USER).after(&start).connect();
    fourth.expect("caught_up");
    let _fifth = hub.stream(USER).after("nonsense").connect();
    assert_eq!(all(), [1.0, 1.0, 1.0]);
    assert_eq!(hub.metric("lookout_connection_duration_seconds_count"), 1.0);
}

#[test]
fn what_is_delivered_live_is_counted_for_each_reader_and_what_is_replayed_by_its_length() {
    let hub = Hub::start();
    let start = hub.reader(USER).start.clone();
    hub.wait_for_metric("lookout_connections_closed_total", 1.0);
    let mut readers = [hub.reader(USER), hub.reader(USER), hub.reader(USER)];
    hub.post(batch("test_user|false", "e", 4)).assert_success();
    readers.iter_mut().for_each(|reader| drop(reader.notifications(4)));
    hub.wait_for_metric("lookout_deliveries_total{outcome=\"delivered\"}", 12.0);
    let mut back = hub.stream(USER).after(&start).connect();
    back.notifications(4);
    back.expect("caught_up");
    assert_eq!(hub.metric("lookout_replay_entries_count"), 1.0);
    assert_eq!(hub.metric("lookout_replay_entries_sum"), 4.0);
    assert_eq!(hub.metric("lookout_replay_duration_seconds_count"), 1.0);
}

#[test]
fn a_full_queue_is_an_outcome() {
    let hub = Hub::start();
    let mut slow = hub.stream(USER).small_buffers().connect().at_rate(100_000);
    hub.post(sized_batch("test_user|false", "e", 1_000, 200)).assert_success();
    slow.notifications(1_000);
    let full = hub.metric("lookout_deliveries_total{outcome=\"queue_full\"}");
    assert!(full >= 1.0);
    assert_eq!(full, hub.metric("lookout_queue_overflows_total"));
}

#[test]
fn a_node_without_a_bus_is_not_taken_for_one_that_has_lost_it() {
    let hub = Hub::start();
    assert_eq!(["connected", "configured"].map(|what| hub.metric(&format!("lookout_bus_{what}"))), [0.0; 2]);
}

#[test]
fn heartbeats_are_counted() {
    let hub = Setup::new().with(|config| config.stream.heartbeat_interval = Duration::from_secs(1)).start();
    let mut reader = hub.reader(USER);
    reader.expect("heartbeat");
    assert!(hub.metric("lookout_heartbeats_total") >= 1.0);
}

#[test]
fn webhooks_are_counted_and_timed_by_their_answer_and_commits_by_time_and_size() {
    let hub = Hub::start();
    hub.post_kept(event("test_user|false", "a"));
    hub.post("no event").assert_error(400);
    for (status, count) in [("200", 1.0), ("400", 1.0), ("503", 0.0)] {
        for metric in ["webhook_answers_total", "webhook_duration_seconds_count"] {
            hub.wait_for_metric(&format!("lookout_{metric}{{status=\"{status}\"}}"), count);
        }
    }
    let seconds = hub.metric("lookout_webhook_duration_seconds_sum{status=\"200\"}");
    assert!(0.0 < seconds && seconds < 30.0, "{seconds}");
    let commits = hub.metric("lookout_commit_duration_seconds_count");
    assert!(commits >= 2.0);
    assert!(hub.metric("lookout_commit_duration_seconds_sum") > 0.0);
    assert!(hub.metric("lookout_commit_writes_sum") >= commits);
}

#[test]
fn screenings_are_counted_by_provider_status_and_severity_and_open_ones_by_number_and_age() {
    let (screener, calls) = held(Duration::from_secs(600));
    let hub =
        Setup::new().screened_by(screener).with(|config| config.screening.deliver_within = Duration::from_secs(600)).start();
    let settled = |status: &str, severity: &str| {
        hub.metric(&format!("lookout_screenings_total{{status=\"{status}\",provider=\"held\",severity=\"{severity}\"}}"))
    };
    for marker in ["a", "b"] {
        hub.post_kept(event("test_user|true", marker));
    }
    hub.wait_for_metric("lookout_screenings_pending", 2.0);
    wait_for("an age", || (hub.metric("lookout_screenings_oldest_pending_seconds") > 0.0).then_some(()));
    drop(calls.next());
    hub.wait_for_metric("lookout_screening_failures_total{outcome=\"failed\"}", 1.0);
    for _ in 0..2 {
        calls.next().answer(Ok(result(Severity::Warning)));
    }
    wait_for("both to be settled", || (settled("done", "WARNING") == 2.0).then_some(()));
    assert_eq!((settled("done", "OK"), settled("failed", "UNKNOWN")), (0.0, 0.0));
    assert_eq!(hub.metric("lookout_screening_duration_seconds_count{provider=\"held\"}"), 2.0);
    hub.wait_for_metric("lookout_screenings_pending", 0.0);
    hub.wait_for_metric("lookout_screenings_oldest_pending_seconds", 0.0);
}

#[test]
fn a_list_has_the_age_of_its_file() {
    let hub = whole();
    let list = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/payloads/watch-list.csv");
    let modified = fs::metadata(list).unwrap().modified().unwrap();
    let age = hub.metric("lookout_list_age_seconds{list=\"watch-list\"}");
    let real = modified.elapsed().unwrap().as_secs_f64();
    assert!((real - 60.0..=real).contains(&age), "{age} of {real} s");
}
