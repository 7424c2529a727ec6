//! Requests made up from `openapi.json` by Schemathesis, valid ones and faulty ones, to the real App: no answer is a 5xx, and each is
//! one that the document describes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[expect(dead_code, unused_imports, reason = "the stories of the other target use the rest")]
#[path = "../hub/support/mod.rs"]
mod support;

use std::{fs, path::Path, process::Command, time::Duration};

use support::{Setup, event, wait_for};

/// What is made up is the same at each run.
const SEED: &str = "1";
const EXAMPLES: &str = "60";

#[test]
fn every_answer_to_what_can_be_made_up_is_described_and_no_5xx() {
    // Streams end by themselves, so that they too are answers.
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/watch-list.sample.csv");
    let hub = Setup::new()
        .with(|config| {
            config.stream.max_lifetime = Some(Duration::from_millis(100));
            config.screening.lists = vec![list];
        })
        .start();
    let mut listed = event("test_user|true", "listed");
    listed["vessel"]["imo"] = "9999931".into();
    hub.post(listed).assert_success();
    wait_for("the hit", || hub.history("").pointer("/notifications/0/data/screening_results/hits/0").cloned());
    let kept = hub.post(event("test_user|false", "there")).assert_success()["notification_id"].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    // The webhook takes far more than the document says, on purpose; and no document can say that only one of two parameters is
    // taken.
    let tolerant = r#"
[[operations]]
include-path = "/notifications/zone-port-notifications"
[operations.checks]
positive_data_acceptance.enabled = false

[[operations]]
include-path = "/notifications/webhook/zone-port-event"
[operations.checks]
negative_data_rejection.enabled = false
"#;
    let strangers = tolerant.to_owned();
    let known = format!("{tolerant}\n[parameters]\nuser_id = \"test_user\"\nnotification_id = \"{kept}\"\n");
    for (who, settings) in [("strangers", strangers), ("a known user", known)] {
        fs::write(folder.path().join("schemathesis.toml"), settings).unwrap();
        let url = format!("http://{}/openapi.json", hub.public);
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join(".test-tools/openapi");
        assert!(tool.exists(), "{} is not there; tests/run installs it", tool.display());
        let mut command = Command::new("python3");
        command.current_dir(folder.path()).env("PYTHONPATH", &tool).args(["-m", "schemathesis.cli", "run", &url]);
        command.args(["--seed", SEED, "--max-examples", EXAMPLES, "--phases", "coverage,fuzzing", "--request-timeout", "5"]);
        let run = command.args(["--continue-on-failure", "--no-color"]).output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        println!("{who}: {said}");
        assert!(run.status.success(), "{who}: {said}{}", String::from_utf8_lossy(&run.stderr));
        assert!(said.contains("4 selected / 4 total"), "{who}: {said}");
    }
}
