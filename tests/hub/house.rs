//! The house rules that a machine can hold: which module may use which, and that `actors.md` and `docs/security.md` tell the
//! truth.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use lookout::{
    config::Config,
    metrics::{
        advice::{Advice, Seen, advise},
        window::Trial,
    },
};
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The top module that a file belongs to.
fn module_of(file: &Path) -> String {
    let relative = file.strip_prefix(root().join("src")).unwrap();
    relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The top modules that `crate::…` paths in this text name, those in `crate::{…}` groups included.
fn used_modules(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        used.insert(std::mem::take(&mut name));
                    }
                    _ if depth == 0 && !character.is_whitespace() => name.push(character),
                    _ => {}
                }
            }
            used.insert(name);
        } else {
            used.insert(rest.to_owned());
        }
    }
    used.iter()
        .map(|path| {
            path.chars().take_while(|character| character.is_ascii_alphanumeric() || *character == '_').collect::<String>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn arrows_between_modules_point_down_only() {
    let leaves: &[&str] = &["config", "error"];
    let allowed = |module: &str| -> Vec<&str> {
        let domain = [leaves, &["notification"]].concat();
        let middle = [&domain[..], &["screening", "store", "cluster", "sanitize", "metrics"]].concat();
        let actors = [&middle[..], &["actors"]].concat();
        let http = [&actors[..], &["http", "pages"]].concat();
        match module {
            "config" | "error" | "pages" => vec![],
            "notification" => leaves.to_vec(),
            "screening" | "store" | "cluster" | "sanitize" | "metrics" | "logging" => domain,
            "actors" => middle,
            "commands" => [&domain[..], &["store"]].concat(),
            "http" => actors.into_iter().chain(["pages"]).collect(),
            "app" | "shutdown" | "systemd" => [&http[..], &["app"]].concat(),
            other => panic!("src/{other} has no place in the picture"),
        }
    };
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 30, "the scan sees the sources");
    for file in files.iter().filter(|file| !file.ends_with("lib.rs") && !file.ends_with("main.rs")) {
        let module = module_of(file);
        // Tests may look anywhere.
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for used in used_modules(&code) {
            assert!(
                used == module || allowed(&module).contains(&used.as_str()),
                "{}: {module} may not use {used}",
                file.display()
            );
        }
    }
}

#[test]
fn the_scan_of_uses_finds_nested_groups() {
    let text = "use crate::{\n    config,\n    store::{Store, embedded::Embedded},\n};\nlet x = crate::http::STREAM;";
    assert_eq!(used_modules(text), BTreeSet::from(["config".to_owned(), "http".to_owned(), "store".to_owned()]));
}

/// All that is registered.
fn metrics_sources() -> String {
    let mut files = Vec::new();
    sources(&root().join("src/metrics"), &mut files);
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

struct Row {
    cells: Vec<String>,
}

impl Row {
    fn code(&self, column: usize) -> Vec<&str> {
        self.cells[column].split('`').skip(1).step_by(2).collect()
    }
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("actors.md")).unwrap();
    page.lines()
        .filter(|line| line.starts_with("| ") && line.contains("`src/actors/"))
        .map(|line| Row { cells: line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect() })
        .collect()
}

#[test]
fn every_fuzz_target_is_built_explained_and_has_seeds() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let (manifest, page) = (read("fuzz/Cargo.toml"), read("docs/fuzzing.md"));
    let explained = page.lines().filter(|line| line.starts_with("| `")).count();
    let targets: Vec<_> = fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(targets.len(), explained);
    for target in targets {
        let name = target.file_stem().unwrap().to_str().unwrap();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
        assert!(page.contains(&format!("\n| `{name}` |")), "{name} is not in docs/fuzzing.md");
        assert!(fs::read_dir(root().join("fuzz/seeds").join(name)).unwrap().count() > 0, "{name} has no seeds");
    }
}

#[test]
fn actors_md_names_every_actor_with_its_real_messages_and_mailbox() {
    let mut files = Vec::new();
    sources(&root().join("src/actors"), &mut files);
    let actors: BTreeSet<String> = files
        .iter()
        .filter(|file| {
            let source = fs::read_to_string(file).unwrap();
            source.split("#[cfg(test)]").next().unwrap().contains("impl Actor for ")
        })
        .map(|file| format!("src/actors/{}", file.file_name().unwrap().to_str().unwrap()))
        .collect();
    let rows = rows();
    assert_eq!(rows.iter().map(|row| row.code(1)[0].to_owned()).collect::<BTreeSet<_>>(), actors);

    let mailbox = Config::defaults().mailbox;
    for row in rows {
        let (name, file) = (row.cells[0].as_str(), row.code(1)[0]);
        let source = fs::read_to_string(root().join(file)).unwrap();
        let handled: Vec<&str> = source
            .match_indices("impl Handler<")
            .map(|(at, found)| source[at + found.len()..].split('>').next().unwrap())
            .collect();
        assert_eq!(row.code(3), handled, "messages of {name}, in the order of its file");
        let default = match name {
            "webhook_handler" => mailbox.webhook_handler,
            "archivist" => mailbox.archivist,
            "screener" => mailbox.screener,
            "broadcaster" => mailbox.broadcaster,
            "courier" => mailbox.courier,
            "relay" => mailbox.relay,
            "session" => mailbox.session,
            "session_supervisor" => mailbox.session_supervisor,
            other => panic!("{other} has no mailbox key"),
        };
        assert_eq!(row.cells[5], format!("`{name}` {default}"));
        for heading in ["//! * receives:", "//! * sends:", "//! * when full:", "//! * when it dies:", "//! * runs on:"] {
            assert!(source.contains(heading), "{file} lacks {heading}");
        }
        let metrics = metrics_sources();
        for counter in row.code(10) {
            assert!(metrics.contains(&format!("\"{counter}\"")), "{name}: there is no counter {counter}");
        }
    }
}

#[test]
fn tuning_md_shows_every_actor_overloaded_and_put_right() {
    let page = fs::read_to_string(root().join("docs/tuning.md")).unwrap();
    let told: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(" refused, "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let actors: BTreeSet<String> = rows().iter().map(|row| row.cells[0].clone()).collect();
    assert_eq!(told.iter().map(|cells| cells[0].to_owned()).collect::<BTreeSet<_>>(), actors);
    for cells in told {
        let [actor, done, before, said, change, after] = cells[..] else { panic!("{cells:?}") };
        let own = format!("`mailbox.{actor} = ");
        if done.starts_with(&own) {
            assert!(said.starts_with("too small: ") && change.starts_with(&own), "{actor}: {said}, {change}");
        }
        assert!(format!("; {after}").contains("; 0 refused, ") && after != before, "{actor}: {after}");
        // What it cost comes first, where it cost anything.
        let was_for_nothing = |cell: &str| cell.split_once("` ").map(|(_, count)| count.starts_with("0; "));
        assert_ne!(was_for_nothing(before), Some(true), "{actor}: {before}");
        assert_ne!(was_for_nothing(after), Some(false), "{actor}: {after}");
    }
}

/// What the server would say of the figures that the example shows is what the example shows.
#[test]
fn the_worked_example_of_actors_md_is_true() {
    let page = fs::read_to_string(root().join("actors.md")).unwrap();
    let example = page.split("\n## A worked example\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    fs::write(&file, example.split("```toml\n").nth(1).unwrap().split("```").next().unwrap()).unwrap();
    let config = Config::load(Some(file.path()), std::iter::empty()).unwrap().config;
    let told: Vec<Value> =
        example.lines().filter(|line| line.starts_with("{\"mailbox\"")).map(|line| serde_json::from_str(line).unwrap()).collect();
    let [before, after] = &told[..] else { panic!("{told:?}") };
    let number = |told: &Value, field: &str| told[field].as_u64().unwrap();
    assert_eq!(before["mailbox"], Config::defaults().mailbox.webhook_handler);
    assert_eq!(before["recommendation"]["suggestion"]["value"], config.mailbox.webhook_handler);
    assert_eq!(after["mailbox"], config.mailbox.webhook_handler);
    for (told, refused) in [(before, number(before, "refused")), (after, number(after, "refused") - number(before, "refused"))] {
        let (high_water, handled) = (number(told, "high_water") as usize, 600);
        let trial = Trial { high_water, refused, most_refused: refused, handled, seen_for: Duration::from_secs(4) };
        let wait = Duration::from_secs_f64(told["p99"].as_f64().unwrap());
        let Advice { verdict, text, value } = advise(Seen { capacity: number(told, "mailbox") as usize, trial, wait });
        let said = &told["recommendation"];
        let suggested = said["suggestion"]["value"].as_u64().map(|value| value as usize);
        assert_eq!((said["verdict"].as_str(), said["text"].as_str(), suggested), (Some(verdict.label()), Some(&*text), value));
    }
}

/// The tests that a page names: `path::name` between backticks.
fn named_tests(page: &str) -> BTreeSet<(&str, &str)> {
    let spans = page.split('`').skip(1).step_by(2);
    spans.filter_map(|span| span.split_once(".rs::")).collect()
}

#[test]
fn every_attack_of_security_md_is_held_by_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let attacks: Vec<&str> = page.lines().filter(|line| line.starts_with("| **")).collect();
    for attack in [
        "Spoofed user id",
        "Algorithm confusion",
        "Expired token on a running stream",
        "Replayed webhook",
        "Wrong signature",
        "Timing",
        "Header injection",
        "SSE field injection",
        "Markup in 12 scripts",
        "Oversized bodies",
        "Deep bodies",
        "Slow heads",
        "Connection flood from one address",
        "Slow readers",
        "Path tricks",
        "Host header tricks",
    ] {
        assert!(attacks.iter().any(|row| row[4..].starts_with(attack)), "{attack}");
    }
    for row in attacks {
        let held_by = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        assert!(!named_tests(held_by).is_empty(), "nothing holds {row}");
    }
    for (path, name) in named_tests(&page) {
        let source = fs::read_to_string(root().join(format!("{path}.rs"))).unwrap_or_else(|error| panic!("{path}.rs: {error}"));
        let at = source.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("{path}.rs has no {name}"));
        let before = source[..at].trim_end();
        let attribute = before.strip_suffix("async").unwrap_or(before).trim_end().rsplit('\n').next().unwrap();
        assert!(attribute.trim_start().starts_with("#["), "{path}.rs: {name} is no test");
    }
}

/// No machine that does other things, too, can measure the time of a comparison honestly, so the sources are held to it.
#[test]
fn secrets_are_compared_in_constant_time_only() {
    let code = |path: &str| {
        let source = fs::read_to_string(root().join("src/http").join(path)).unwrap();
        source.split("#[cfg(test)]").next().unwrap().to_owned()
    };
    for scheme in ["hmac", "standard", "token"] {
        let code = code(&format!("signature/{scheme}.rs"));
        assert!(code.contains(".ct_eq("), "{scheme}");
        for short in ["==", "!=", ".eq(", ".ne(", ".cmp(", ".contains(", "starts_with", "ends_with", ".find(", "matches!"] {
            assert!(!code.contains(short), "{scheme} compares by {short}");
        }
        let lines: Vec<_> = code.lines().filter(|line| line.contains(".ct_eq(")).collect();
        assert!(lines.iter().all(|line| line.contains("any | ")), "{scheme} ends at the first that fits: {lines:?}");
    }
    assert!(code("auth/jwt/crypto.rs").contains("hmac::verify("), "ring's own, which takes the same time for all");
}
