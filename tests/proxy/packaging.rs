//! The unit, as systemd itself reads it, and the image's health check, as the shell in the image runs it.

use std::{fs, process::Command};

use crate::support::Server;

fn read(file: &str) -> String {
    fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let (unit, installed) = (read("docs/lookout.service"), "/usr/local/bin/lookout");
    assert!(unit.contains(installed));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lookout.service");
    // Whether it is installed here is not what is asked.
    fs::write(&file, unit.replace(installed, env!("CARGO_BIN_EXE_lookout"))).unwrap();
    let output = Command::new("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no"]).arg(file).output();
    let output = output.expect("systemd-analyze is installed: tests/run installs it");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_health_check_of_the_image_tells_a_living_node_from_a_dead_one() {
    let dockerfile = read("Dockerfile");
    let check = dockerfile.lines().find_map(|line| line.trim().strip_prefix("CMD ")).unwrap();
    let check: Vec<String> = serde_json::from_str(check).unwrap();
    let mut node = Server::start(&[]);
    let admin = node.admin.to_string();
    let healthy =
        || Command::new(&check[0]).args(&check[1..]).env("LOOKOUT__ADMIN__BIND", &admin).output().unwrap().status.success();
    assert!(healthy());
    node.kill9();
    assert!(!healthy());
}
