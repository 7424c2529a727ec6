//! Values before they have a meaning: the defaults, overlaid by a file, overlaid by the environment.
//!
//! Each value remembers who set it, because a fault that cannot say where to look is half a fault.

use std::{collections::BTreeMap, fs, path::Path};

use toml::{Table, Value, de::DeTable};

use super::fault::{Fault, Source};

/// The documented default file, which is the defaults.
pub(super) const DEFAULTS: &str = include_str!("../../config.toml");

const PREFIX: &str = "LOOKOUT__";

/// Names that are less alike than this are not offered as what was meant.
const ALIKE: f64 = 0.8;

/// One value and who set it.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub value: Value,
    pub set_by: Source,
    /// What an environment variable said, for keys that take text where the text happens to be TOML.
    pub raw: Option<String>,
}

impl Setting {
    /// The value as text.
    pub fn text(&self) -> Option<&str> {
        self.value.as_str().or(self.raw.as_deref())
    }
}

/// The value of every key, by its dotted name.
#[derive(Debug, Clone)]
pub(super) struct Settings(BTreeMap<String, Setting>);

impl Settings {
    /// Every key at its default.
    pub fn defaults() -> Self {
        let mut settings = BTreeMap::new();
        let mut tables = vec![(String::new(), DEFAULTS.parse::<Table>().unwrap_or_default())];
        while let Some((section, table)) = tables.pop() {
            for (name, value) in table {
                match (join(&section, &name), value) {
                    (key, Value::Table(table)) => tables.push((key, table)),
                    (key, value) => _ = settings.insert(key, Setting { value, set_by: Source::Default, raw: None }),
                }
            }
        }
        Self(settings)
    }

    /// The setting of a key.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.0.get(key)
    }

    /// Overlays a file. False when it could not be read at all, so that what it meant is not known.
    pub fn overlay_file(&mut self, path: &Path, faults: &mut Vec<Fault>) -> bool {
        match read_table(path) {
            Ok(table) => {
                self.overlay_table(table, "", path, faults);
                true
            }
            Err(found) => {
                faults.extend(found);
                false
            }
        }
    }

    fn overlay_table(&mut self, table: Table, section: &str, path: &Path, faults: &mut Vec<Fault>) {
        for (name, value) in table {
            let key = join(section, &name);
            let set_by = Source::File(path.to_owned());
            if let Some(setting) = self.0.get_mut(&key) {
                *setting = Setting { value, set_by, raw: None };
            } else if self.is_section(&key) {
                match value {
                    Value::Table(table) => self.overlay_table(table, &key, path, faults),
                    other => faults.push(Fault::WrongType { key, set_by, expected: "a section", found: other.type_str() }),
                }
            } else {
                let nearest = if value.is_table() { self.nearest_section(&key) } else { self.nearest_key(&key) };
                faults.push(Fault::Unknown { key, set_by, nearest });
            }
        }
    }

    /// Overlays the variables that begin with `LOOKOUT__`. Returns those that look as if they were meant to.
    pub fn overlay_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
        faults: &mut Vec<Fault>,
    ) -> Vec<String> {
        let known: BTreeMap<String, String> = self.0.keys().map(|key| (variable(key), key.clone())).collect();
        let mut overlooked = Vec::new();
        for (name, raw) in variables {
            let set_by = Source::Environment(name.clone());
            if let Some(setting) = known.get(&name).and_then(|key| self.0.get_mut(key)) {
                let value = raw.trim().parse().unwrap_or_else(|_| Value::String(raw.clone()));
                *setting = Setting { value, set_by, raw: Some(raw) };
            } else if let Some(rest) = name.strip_prefix(PREFIX) {
                let key = rest.to_lowercase().replace("__", ".");
                let same = known.values().find(|known| **known == key).cloned();
                let nearest = same.or_else(|| self.nearest_key(&key)).map(|key| variable(&key));
                faults.push(Fault::Unknown { key, set_by, nearest });
            } else if let Some(meant) = known.keys().find(|known| known.replace("__", "_") == name) {
                overlooked.push(format!("{name} is not read: sections and keys are divided by two underscores, {meant}"));
            }
        }
        overlooked
    }

    fn is_section(&self, name: &str) -> bool {
        self.0.keys().any(|key| sections(key).any(|section| section == name))
    }

    fn nearest_section(&self, name: &str) -> Option<String> {
        let depth = name.matches('.').count();
        let all = self.0.keys().flat_map(|key| sections(key)).filter(|section| section.matches('.').count() == depth);
        let alike = all.map(|section| (strsim::jaro_winkler(section, name), section));
        let (score, section) = alike.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (score >= ALIKE).then(|| format!("[{section}]"))
    }

    /// The key whose section and last word both resemble, else one with the same last word in another section.
    fn nearest_key(&self, name: &str) -> Option<String> {
        let (section, word) = split(name);
        let alike = self.0.keys().filter_map(|key| {
            let (its_section, its_word) = split(key);
            let (a, b) = (strsim::jaro_winkler(its_section, section), strsim::jaro_winkler(its_word, word));
            (a >= ALIKE && b >= ALIKE).then_some((a + b, key))
        });
        let nearest = alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, key)| key);
        nearest.or_else(|| self.0.keys().find(|key| split(key).1 == word)).cloned()
    }

    /// Every key, in alphabetical order.
    #[cfg(test)]
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The name of the environment variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

/// The sections that a key is in: `a` and `a.b` of `a.b.c`.
fn sections(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('.').map(|(end, _)| &key[..end])
}

fn read_table(path: &Path) -> Result<Table, Vec<Fault>> {
    let text =
        fs::read_to_string(path).map_err(|error| vec![Fault::Unreadable { path: path.to_owned(), reason: error.to_string() }])?;
    let (_, mut errors) = DeTable::parse_recoverable(&text);
    if errors.is_empty() {
        match text.parse() {
            Ok(table) => return Ok(table),
            // Numbers beyond 64 bits are found only here.
            Err(error) => errors.push(error),
        }
    }
    Err(errors.into_iter().map(|error| syntax(path, &text, &error)).collect())
}

/// The parser's own rendering shows the line, and a line may hold a secret.
fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Fault {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let reason = error.message().lines().collect::<Vec<_>>().join(", ");
    Fault::Syntax { path: path.to_owned(), line, column, reason }
}
