//! The profiles of clients, shared by connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::ja4::Ingredients;
use crate::evidence::Profile;

/// The profiles of the clients of one capture. It has thousands of connections of a few clients: each fingerprint is made once,
/// and kept once.
#[derive(Clone, Debug, Default)]
pub struct Profiles(Arc<Mutex<BTreeMap<Ingredients, Arc<Profile>>>>);

impl Profiles {
    /// The profile of a client that says this.
    pub(super) fn share(&self, mut said: Ingredients) -> Arc<Profile> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(profile) = known.get(&said) {
            return Arc::clone(profile);
        }
        let profile = Arc::new(said.profile());
        if said.len() <= LONGEST {
            if known.len() >= MOST {
                // So many are somebody's own making, and the next will be others.
                known.clear();
            }
            said.shrink_to_fit();
            known.insert(said, Arc::clone(&profile));
        }
        profile
    }
}

// A capture of the whole Internet has a few hundred that are not rare. With the longest of them, it is 4 MB.
const MOST: usize = 1024;
// OpenSSL 0.9.8 has about 100.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Version;

    fn with_suites(suites: impl IntoIterator<Item = u16>) -> Ingredients {
        Ingredients::new(Version::TLS12, suites.into_iter().collect(), vec![0, 16], b"", b"h2")
    }

    #[test]
    fn one_client_has_one_profile_in_whatever_order_it_says_it() {
        let profiles = Profiles::default();
        let said = |suites: [u16; 2], extensions: [u16; 3], protocol: &[u8]| {
            let said =
                Ingredients::new(Version::TLS13, suites.to_vec(), extensions.to_vec(), b"\0\x02\x04\x03", protocol);
            profiles.share(said)
        };
        let one = said([0x1302, 0x1301], [0, 16, 0x2a2a], b"h2");
        assert!(Arc::ptr_eq(&one, &said([0x1302, 0x1301], [0x3a3a, 16, 0], b"h2")));
        for other in [
            said([0xc02f, 0x1301], [0, 16, 0x2a2a], b"h2"),
            said([0x1302, 0x1301], [0, 23, 0x2a2a], b"h2"),
            said([0x1302, 0x1301], [0, 16, 0x2a2a], b"h3"),
        ] {
            assert_ne!(one.ja4, other.ja4);
        }
        assert_eq!(&one.suites[..], [0x1302, 0x1301]);
    }

    #[test]
    fn whoever_makes_up_clients_is_not_remembered() {
        let profiles = Profiles::default();
        let known = || profiles.0.lock().unwrap().len();
        (0..2 * MOST as u16 + 7).for_each(|suite| drop(profiles.share(with_suites([suite]))));
        assert!(known() <= MOST);
        let before = known();
        let long = profiles.share(with_suites(1..=2000));
        assert_eq!((known(), long.suites.len()), (before, 2000));
    }
}
