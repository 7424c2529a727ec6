//! Loading: the defaults, then a file, then the environment, then what they mean together.
//!
//! Nothing stops at the first mistake, so that `lookout check` tells an operator everything in one run.

use std::{env, path::Path};

use super::{Config, Faults, read, settings::Settings, validate};

/// A valid configuration and what is risky about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Allowed but risky combinations, one sentence each; printed by `lookout check`, logged by `serve`.
    pub warnings: Vec<String>,
}

impl Config {
    /// Every key at its default.
    pub fn defaults() -> Self {
        read::read(&Settings::defaults(), Path::new(""), &mut Vec::new())
    }

    /// The defaults, overlaid by `file`, overlaid by the `LOOKOUT__SECTION__KEY` among `variables` ([`environment`]).
    ///
    /// # Errors
    /// Every fault there is. Behind a file that cannot be parsed only the environment is checked, value by value.
    pub fn load(file: Option<&Path>, variables: impl Iterator<Item = (String, String)>) -> Result<Loaded, Faults> {
        let mut settings = Settings::defaults();
        let mut faults = Vec::new();
        let file_read = file.is_none_or(|path| settings.overlay_file(path, &mut faults));
        let mut warnings = settings.overlay_environment(variables, &mut faults);
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let config = read::read(&settings, folder, &mut faults);
        if file_read {
            validate::check_together(&config, &settings, &mut faults);
            warnings.extend(validate::warnings(&config));
        }
        let warnings = Faults::or(faults, warnings)?;
        Ok(Loaded { config, warnings })
    }
}

/// The variables of this process. One that is not Unicode is read with replacement characters instead of ending the process.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}
