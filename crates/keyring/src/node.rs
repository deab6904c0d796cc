//! What a member of a fleet is called.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// The name of a node: 1 to 64 letters, digits and `-_.`, so that it can stand in a URL, in a
/// store's key and in a log as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The name in letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NoNodeName;

    fn from_str(text: &str) -> Result<Self, NoNodeName> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_plain);
        is_name.then(|| Self(text.into())).ok_or(NoNodeName)
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no node's name.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
#[error("not a node's name, which is 1 to {LONGEST} letters, digits and - _ .")]
pub struct NoNodeName;

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_anywhere_as_it_is() {
        let longest = "x".repeat(LONGEST);
        for name in ["a", "edge-1.example_net", &longest] {
            assert_eq!(name.parse::<NodeName>().unwrap().as_str(), name);
        }
        for text in ["", "a/b", "a b", "ä", "a\n", &(longest.clone() + "x")] {
            assert_eq!(text.parse::<NodeName>(), Err(NoNodeName), "{text:?}");
        }
    }
}
