//! What is wrong with a configuration: everything at once, each with its place and the remedy.

use std::fmt;
use std::path::PathBuf;

/// All that is wrong with a configuration, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// None if nothing is wrong.
    pub(super) fn of(mut errors: Vec<ConfigError>) -> Option<Self> {
        errors.sort_by_key(|error| error.place.line());
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// Each of them; there is at least one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ConfigError> {
        self.0.iter()
    }
}

/// One a line.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// One thing that is wrong; shown as `file:line: key: what; remedy`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{what}")]
pub struct ConfigError {
    pub(super) place: Place,
    /// What is wrong, and the remedy.
    pub(super) what: String,
}

/// Where a setting was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file: the line, and the key with its table (`listener.bind`), where there is one.
    File { path: PathBuf, line: Option<usize>, key: Option<String> },
    /// On the command line, by this flag.
    Flag(&'static str),
}

impl Place {
    fn line(&self) -> Option<usize> {
        match self {
            Self::File { line, .. } => *line,
            Self::Flag(_) => None,
        }
    }
}

/// Ends in `: ` where something is to follow.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}: "),
            Self::File { path, line, key } => {
                write!(f, "{}:", path.display())?;
                if let Some(line) = line {
                    write!(f, "{line}:")?;
                }
                match key {
                    Some(key) => write!(f, " {key}: "),
                    None => f.write_str(" "),
                }
            }
        }
    }
}
