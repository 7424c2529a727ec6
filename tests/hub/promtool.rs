//! Prometheus' own tool reads what operators are given: the scrape, the alerts with their tests, the questions of the dashboard.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    metrics::{read, scrape, whole},
    support::{USER, event},
};

/// Runs it at the root of the project; fails where it finds anything to say against what it reads.
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: tests/run installs it");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}: {told}");
    told
}

#[test]
fn a_scrape_is_without_fault() {
    let hub = whole();
    let mut reader = hub.reader(USER);
    hub.post_kept(event("test_user|true", "a"));
    reader.notification();
    assert_eq!(promtool(&["check", "metrics"], &scrape(&hub)), "", "promtool has nothing to say");
}

#[test]
fn the_alerts_are_sound_and_fire_when_they_should_and_only_then() {
    promtool(&["check", "rules", "docs/alerts.yml"], "");
    promtool(&["test", "rules", "tests/alerts/alerts_test.yml"], "");
}

#[test]
fn every_question_of_the_dashboard_can_be_asked() {
    let dashboard: Value = serde_json::from_str(&read("docs/grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let rules: Vec<Value> = targets
        .enumerate()
        .map(|(index, target)| {
            let asked = target["expr"].as_str().unwrap();
            let asked = asked.replace("$__rate_interval", "5m").replace("$instance", "node");
            json!({ "record": format!("dashboard:{index}"), "expr": asked })
        })
        .collect();
    assert!(rules.len() > 20, "{}", rules.len());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dashboard.yml");
    // JSON is YAML.
    fs::write(&file, json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string()).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()], "");
}
