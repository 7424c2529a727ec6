//! What is wrong with a configuration, each fault named by its key and by who set it.
//!
//! All faults travel together: an operator mends a file once, not once a mistake.

use std::{fmt, path::PathBuf};

/// Who set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The compiled-in `config.toml`.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by name.
    Environment(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Environment(name) => write!(f, "{}", name.escape_debug()),
        }
    }
}

/// One thing that is wrong. Every message is one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The configuration file cannot be read as text.
    #[error("{}: cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The configuration file is not TOML.
    #[error("{}: line {line}, column {column}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
        /// What the parser said.
        reason: String,
    },
    /// No such section or key.
    #[error("{} ({set_by}): unknown{}", key.escape_debug(), did_you_mean(.nearest))]
    Unknown {
        /// The name, dotted.
        key: String,
        /// Who set it.
        set_by: Source,
        /// The known name that it resembles, as it would be written there.
        nearest: Option<String>,
    },
    /// A value of another type than the key's.
    #[error("{key} ({set_by}): must be {expected}, is {found}")]
    WrongType {
        /// The key.
        key: String,
        /// Who set it.
        set_by: Source,
        /// What the key takes, with an example.
        expected: &'static str,
        /// The TOML type that was found.
        found: &'static str,
    },
    /// A value that the key cannot have.
    #[error("{key} ({set_by}): {reason}")]
    Impossible {
        /// The key.
        key: String,
        /// Who set it.
        set_by: Source,
        /// Why, with the value.
        reason: String,
    },
    /// Values that are possible alone but not together.
    #[error("{}: {reason}", each(.keys))]
    Conflict {
        /// The keys and who set each.
        keys: Vec<(&'static str, Source)>,
        /// Why not together.
        reason: String,
    },
}

impl Fault {
    /// The keys that this fault names; none when it concerns a file as a whole.
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Fault::Unreadable { .. } | Fault::Syntax { .. } => Vec::new(),
            Fault::Unknown { key, .. } | Fault::WrongType { key, .. } | Fault::Impossible { key, .. } => vec![key],
            Fault::Conflict { keys, .. } => keys.iter().map(|(key, _)| *key).collect(),
        }
    }
}

/// Everything that is wrong with a configuration, one line a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Faults {
    faults: Vec<Fault>,
    warnings: Vec<String>,
}

impl Faults {
    /// The warnings where there is no fault. Beside a fault those stay that do not speak of its keys, whose values are not known.
    pub(super) fn or(faults: Vec<Fault>, mut warnings: Vec<String>) -> Result<Vec<String>, Self> {
        if faults.is_empty() {
            return Ok(warnings);
        }
        let keys: Vec<&str> = faults.iter().flat_map(Fault::keys).collect();
        warnings.retain(|warning| !keys.iter().any(|key| warning.contains(key)));
        Err(Self { faults, warnings })
    }

    /// What is risky beside them, as in [`super::Loaded`].
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The faults, never empty: those of the file, of the environment, of single values, of values together.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(", did you mean {name}?")).unwrap_or_default()
}

fn each(keys: &[(&'static str, Source)]) -> String {
    keys.iter().map(|(key, set_by)| format!("{key} ({set_by})")).collect::<Vec<_>>().join(", ")
}
