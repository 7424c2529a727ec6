//! What is written for operators agrees with `config.toml`: pages, nginx, the unit, the image.

use std::{collections::BTreeSet, fs, net::IpAddr, path::PathBuf, time::Duration};

use lookout::{config::Config, http};
use toml::Table;

/// Everything that tells an operator to set something.
const PAGES: [&str; 10] = [
    "README.md",
    "actors.md",
    "docs/metrics.md",
    "docs/tuning.md",
    "docs/alerts.yml",
    "docs/deploy.md",
    "docs/security.md",
    "docs/nginx.conf",
    "docs/lookout.service",
    "Dockerfile",
];

fn read(file: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every key of `config.toml`, dotted.
pub fn keys() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut sections = vec![(String::new(), read("config.toml").parse::<Table>().unwrap())];
    while let Some((section, table)) = sections.pop() {
        for (name, value) in table {
            match value {
                toml::Value::Table(table) => sections.push((format!("{section}{name}."), table)),
                _ => _ = keys.insert(format!("{section}{name}")),
            }
        }
    }
    keys
}

/// The words of a text: runs of letters, digits, underscores, dots and hyphens.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '_' | '.' | '-'));
    words.map(|word| word.trim_matches('.'))
}

/// The key that a word names: as `section.key`, or as an environment variable.
fn named_key(word: &str, sections: &[&str]) -> Option<String> {
    if let Some(variable) = word.strip_prefix("LOOKOUT__") {
        // How the README writes what all of them look like.
        return (variable != "SECTION__KEY").then(|| variable.to_lowercase().replace("__", "."));
    }
    let (section, key) = word.split_once('.')?;
    // Some sources are called like a section.
    (sections.contains(&section) && !key.is_empty() && key != "rs").then(|| word.to_owned())
}

/// The content of the code blocks in this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The values of a directive of `docs/nginx.conf`, in the order of the file.
fn directive(name: &str) -> Vec<String> {
    let text = read("docs/nginx.conf");
    let values = text.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix(' ')?.strip_suffix(';'));
    values.map(str::to_owned).collect()
}

/// nginx writes `90s` as we do.
fn durations(name: &str) -> Vec<Duration> {
    directive(name).iter().map(|value| humantime::parse_duration(value).unwrap()).collect()
}

/// The value of a setting of `docs/lookout.service`.
fn unit(name: &str) -> String {
    let text = read("docs/lookout.service");
    let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("{name} is not in the unit")).to_owned();
    assert_eq!(values.next(), None, "{name} twice");
    value
}

#[test]
fn every_key_that_a_page_names_exists() {
    let keys = keys();
    let sections: Vec<&str> = keys.iter().map(|key| key.split('.').next().unwrap()).collect();
    let mut missing = BTreeSet::new();
    for page in PAGES {
        let text = read(page);
        let named: BTreeSet<_> = words(&text).filter_map(|word| named_key(word, &sections)).collect();
        assert!(!named.is_empty(), "the scan sees {page}");
        let is_section = |name: &str| keys.iter().any(|key| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
        missing.extend(named.difference(&keys).filter(|name| !is_section(name)).map(|key| format!("{page}: {key}")));
    }
    assert!(missing.is_empty(), "not in config.toml: {missing:#?}");
}

#[test]
fn the_scan_of_keys_finds_both_spellings() {
    let text = "`store.path`, then LOOKOUT__STREAM__QUEUE_SIZE=5 and stream.retry. Not config.toml nor example.com.";
    let found: Vec<_> = words(text).filter_map(|word| named_key(word, &["store", "stream"])).collect();
    assert_eq!(found, ["store.path", "stream.queue_size", "stream.retry"]);
}

#[test]
fn every_configuration_in_deploy_md_is_valid() {
    let page = read("docs/deploy.md");
    let mut seen = 0;
    for chapter in page.split("\n## ").skip(1) {
        let secrets: Vec<_> = blocks(chapter, "ini").into_iter().flat_map(str::lines).collect();
        let secrets = || secrets.iter().map(|line| line.split_once('=').unwrap()).map(|(key, value)| (key.into(), value.into()));
        for block in blocks(chapter, "toml") {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("config.toml");
            fs::write(&file, block).unwrap();
            let loaded = Config::load(Some(&file), secrets()).unwrap_or_else(|faults| panic!("{block}\n{faults}"));
            let server = loaded.config.server;
            // Else nginx would be one client with all the connections, or one without limits.
            let nginx = if server.bind.ip().is_loopback() { "127.0.0.1" } else { "10.0.0.10" }.parse::<IpAddr>().unwrap();
            assert!(server.trusted_proxies.iter().any(|network| network.contains(&nginx)), "{block}");
            seen += 1;
        }
    }
    assert_eq!(seen, 3, "one a way to deploy");
}

#[test]
fn nginx_keeps_to_the_limits_of_the_configuration() {
    let config = Config::defaults();
    let (ingest, stream) = (&config.ingest, &config.stream);
    assert_eq!(directive("client_max_body_size"), [format!("{}m", ingest.max_body >> 20)]);
    assert_eq!(ingest.max_body % (1 << 20), 0);
    assert_eq!(directive("client_body_buffer_size"), directive("client_max_body_size"));
    assert_eq!(durations("client_body_timeout"), [ingest.body_timeout]);
    assert_eq!(durations("send_timeout"), [stream.connection_timeout]);
    let [of_streams, of_webhooks] = durations("proxy_read_timeout")[..] else { panic!("one for streams, one for webhooks") };
    assert!(of_streams >= 3 * stream.heartbeat_interval, "two heartbeats may be late");
    assert!(of_webhooks > ingest.answer_timeout + ingest.body_timeout, "the node answers first");
    assert_eq!(directive("proxy_buffering"), ["off"]);
    let text = read("docs/nginx.conf");
    let at = |path: &str| text.find(&format!("location = {path} {{")).unwrap_or_else(|| panic!("no location {path}"));
    assert!(at(http::STREAM) < at(http::WEBHOOK), "in the order of the timeouts");
    assert!(!text.contains(&config.admin.bind.port().to_string()), "the admin listener");
}

#[test]
fn the_unit_leaves_room_for_the_stop_and_for_every_stream() {
    let stop = humantime::parse_duration(&unit("TimeoutStopSec")).unwrap();
    assert!(stop > Config::defaults().server.shutdown_grace);
    assert_eq!((unit("Type"), unit("NotifyAccess")), ("notify".into(), "main".into()));
    let watchdog = humantime::parse_duration(&unit("WatchdogSec")).unwrap();
    assert!(watchdog >= Duration::from_secs(10), "a machine that is busy for a moment is not killed for it");
    assert!(unit("RestrictAddressFamilies").split(' ').any(|family| family == "AF_UNIX"), "the way to systemd");
    let page = read("docs/deploy.md");
    let most = page.lines().filter_map(|line| line.strip_prefix("max_connections = ")).map(|most| most.parse::<u64>().unwrap());
    assert!(unit("LimitNOFILE").parse::<u64>().unwrap() > most.max().unwrap() + 1024);
    let binary = unit("ExecStart").split(' ').next().unwrap().to_owned();
    assert!(page.contains(&format!("target/release/lookout {binary}\n")), "the page installs what the unit starts");
    assert!(page.contains(unit("EnvironmentFile").trim_start_matches('-')));
}

#[test]
fn the_image_is_built_with_the_rust_that_cargo_toml_asks_for_and_holds_the_binary_alone() {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    let version = manifest["package"]["rust-version"].as_str().unwrap();
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains(&format!("FROM docker.io/library/rust:{version}-")));
    let copied: Vec<_> = dockerfile.rsplit("\nFROM ").next().unwrap().lines().filter(|line| line.starts_with("COPY ")).collect();
    assert_eq!(copied, ["COPY --from=build /usr/local/bin/lookout /usr/local/bin/lookout"]);
    assert!(dockerfile.contains("\nUSER lookout\n"));
    let ignored = read(".dockerignore");
    let mut rules = ignored.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"), "nothing gets in that is not named");
    for rule in rules {
        assert!(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(rule.strip_prefix('!').unwrap()).exists(), "{rule}");
    }
}
