//! What `lookout --version` tells of a build. Asks nobody but git and the compiler, and needs neither git nor a repository: a build
//! from a tarball or an image has no commit but what `LOOKOUT_COMMIT` says.

use std::{env, path::Path, process::Command};

/// What a binary is made from: other changes leave it what its commit says.
const SOURCES: [&str; 5] = ["src", "build.rs", "config.toml", "Cargo.toml", "Cargo.lock"];

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| "unknown".to_owned());
    let told = env::var("LOOKOUT_COMMIT").ok().filter(|commit| is_plain(commit));
    let commit = told.or_else(commit).unwrap_or_else(|| "unknown".to_owned());
    let rustc = said(&variable("RUSTC"), &["--version"]).unwrap_or_else(|| "unknown".to_owned());
    for (name, value) in [("COMMIT", commit), ("RUSTC", rustc), ("TARGET", variable("TARGET")), ("PROFILE", variable("PROFILE"))]
    {
        println!("cargo::rustc-env=LOOKOUT_BUILD_{name}={value}");
    }
    println!("cargo::rerun-if-env-changed=LOOKOUT_COMMIT");
    SOURCES.iter().for_each(|path| println!("cargo::rerun-if-changed={path}"));
}

/// The commit of this very repository, not of one that a tarball was unpacked in.
fn commit() -> Option<String> {
    let top = said("git", &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != env::current_dir().ok()?.canonicalize().ok()? {
        return None;
    }
    // A commit or a checkout writes there, also where a worktree keeps them elsewhere.
    for file in ["HEAD", "logs/HEAD"] {
        let path = said("git", &["rev-parse", "--git-path", file])?;
        // A path that is not there would run this again with every build.
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"])?;
    let changed = said("git", &[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-modified") })
}

/// A line of a build script that came from outside must be one line.
fn is_plain(commit: &str) -> bool {
    !commit.is_empty() && commit.chars().all(|character| character.is_ascii_alphanumeric() || "-._".contains(character))
}

/// What a program says on success.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
