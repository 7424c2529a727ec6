//! What loading promises, seen through `Config::load`.
//!
//! The files here are real ones in folders that vanish with their test, because the source of a fault is part of the promise.

mod faults;
mod layers;
mod risks;

use std::{fs, path::PathBuf};

use super::*;

/// Loads a file of this text in a folder of its own and these variables.
fn load(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Faults> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lookout.toml");
    fs::write(&path, text).unwrap();
    Config::load(Some(&path), owned(variables))
}

/// Loads these variables without a file.
fn load_variables(variables: &[(&str, &str)]) -> Result<Loaded, Faults> {
    Config::load(None, owned(variables))
}

fn owned(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>().into_iter()
}

/// The faults, without the folder of the file.
fn fault_lines(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lookout.toml");
    fs::write(&path, text).unwrap();
    let faults = Config::load(Some(&path), owned(variables)).unwrap_err();
    let prefix = format!("{}/", folder.path().display());
    faults.to_string().replace(&prefix, "").lines().map(str::to_owned).collect()
}

/// `section.key` and a TOML value as the text of a file.
fn one_key(key: &str, value: &str) -> String {
    let (section, word) = key.rsplit_once('.').unwrap();
    format!("[{section}]\n{word} = {value}\n")
}

fn paths(texts: &[&str]) -> Vec<PathBuf> {
    texts.iter().map(PathBuf::from).collect()
}
