//! `lookout --version` tells what was built, also where there is no repository to ask.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::support::Server;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_version_names_commit_compiler_target_and_profile() {
    let said = text(Server::prepared(&[]).run(&["--version"]));
    let lines: Vec<&str> = said.lines().collect();
    let [version, commit, rustc, target, profile] = lines[..] else { panic!("{said}") };
    assert_eq!(version, concat!("lookout ", env!("CARGO_PKG_VERSION")));
    let commit = commit.strip_prefix("commit: ").unwrap();
    // A tarball has no repository; where there is one, so is git.
    if Path::new(ROOT).join(".git").exists() {
        let head = text(Command::new("git").args(["-C", ROOT, "rev-parse", "--short=12", "HEAD"]).output().unwrap());
        assert_eq!(commit.trim_end_matches("-modified"), head.trim());
    } else {
        assert_eq!(commit, "unknown");
    }
    assert!(rustc.starts_with("rustc: rustc 1."), "{rustc}");
    assert!(target.strip_prefix("target: ").unwrap().starts_with(std::env::consts::ARCH), "{target}");
    let expected = if cfg!(debug_assertions) { "profile: debug" } else { "profile: release" };
    assert_eq!(profile, expected);
    assert_eq!(text(Server::prepared(&[]).run(&["-V"])).trim_end(), version, "the short one is for scripts");
}

#[test]
fn a_build_without_a_repository_knows_no_commit_but_the_one_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("build");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let source = Path::new(ROOT).join("build.rs");
    text(Command::new(&compiler).args(["--edition", "2024", "-o"]).arg(&script).arg(source).output().unwrap());
    let facts = |commit: Option<&str>, path: &str| {
        let mut run = Command::new(&script);
        run.current_dir(folder.path()).env_remove("LOOKOUT_COMMIT").env("RUSTC", &compiler).env("PATH", path);
        run.env("TARGET", "some-target").env("PROFILE", "some-profile");
        run.envs(commit.map(|commit| ("LOOKOUT_COMMIT", commit)));
        let said = text(run.output().unwrap());
        said.lines()
            .filter_map(|line| line.strip_prefix("cargo::rustc-env=LOOKOUT_BUILD_"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let path = std::env::var("PATH").unwrap();
    for (told, commit) in [(None, "unknown"), (Some(""), "unknown"), (Some("0123abc"), "0123abc"), (Some("a\nb"), "unknown")] {
        let facts = facts(told, &path);
        assert_eq!(facts[0], format!("COMMIT={commit}"));
        assert!(facts[1].starts_with("RUSTC=rustc 1."), "{facts:?}");
        assert_eq!(facts[2..], ["TARGET=some-target", "PROFILE=some-profile"]);
    }
    assert_eq!(facts(None, "")[0], "COMMIT=unknown", "nor is git needed");
}
