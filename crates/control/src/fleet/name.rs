//! What a fleet is called.

use std::fmt;
use std::str::FromStr;

use raincheck_keyring::NodeName;
use thiserror::Error;

/// The name of a fleet: 1 to 64 letters, digits and `-_.`, as a node's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FleetName(NodeName);

impl FleetName {
    /// The name in letters.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for FleetName {
    type Err = NoFleetName;

    fn from_str(text: &str) -> Result<Self, NoFleetName> {
        text.parse().map(Self).map_err(|_| NoFleetName)
    }
}

impl fmt::Display for FleetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no fleet's name.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
#[error("not a fleet's name, which is 1 to 64 letters, digits and - _ .")]
pub struct NoFleetName;
