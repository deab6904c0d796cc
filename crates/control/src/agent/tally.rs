//! What an agent knows of its products.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use raincheck_keyring::Epoch;

use super::Outlet;

/// Of each product, by name.
pub(super) struct Tally(Mutex<BTreeMap<String, State>>);

/// How a product stands.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The newest ring it has had.
    pub(super) epoch: Option<Epoch>,
    /// How often it has been given keys.
    pub(super) pushes: u64,
    /// How often it could not be.
    pub(super) failures: u64,
    /// What is wrong at the moment.
    pub(super) error: Option<String>,
}

impl Tally {
    pub(super) fn of(outlets: &[Outlet]) -> Self {
        let tally = Self(Mutex::default());
        tally.begin_anew(outlets);
        tally
    }

    /// From now on these are the products. Those that were there before are known still.
    pub(super) fn begin_anew(&self, outlets: &[Outlet]) {
        let mut states = self.states();
        let before = std::mem::take(&mut *states);
        let state = |outlet: &Outlet| before.get(&outlet.name).cloned().unwrap_or_default();
        states.extend(outlets.iter().map(|outlet| (outlet.name.clone(), state(outlet))));
    }

    /// The product has what that ring has for it; `is_new` if it had to be given any of it.
    pub(super) fn holds(&self, name: &str, epoch: Epoch, is_new: bool) {
        if let Some(state) = self.states().get_mut(name) {
            state.epoch = Some(epoch);
            state.pushes += u64::from(is_new);
            state.error = None;
        }
    }

    /// The product could not be given its keys.
    pub(super) fn failed(&self, name: &str, error: &str) {
        if let Some(state) = self.states().get_mut(name) {
            state.failures += 1;
            state.error = Some(error.to_owned());
        }
    }

    pub(super) fn all(&self) -> BTreeMap<String, State> {
        self.states().clone()
    }

    /// A panic elsewhere cannot have left it half changed.
    fn states(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use raincheck_keyring::{KeySize, Product, Slots};

    use super::*;
    use crate::sink::{KeyFile, SecretFile, Sink};

    #[test]
    fn a_product_that_stays_is_known_after_a_reload_and_one_that_went_is_not() {
        let [one, two] = ["one", "two"].map(outlet);
        let epoch = Epoch { generation: 1, counter: 7 };
        let tally = Tally::of(&[one, two]);
        tally.holds("one", epoch, true);
        tally.failed("two", "no such directory");
        tally.begin_anew(&[outlet("one"), outlet("three")]);
        // Of what is no more nothing is noted.
        tally.failed("two", "no such directory");
        let states = tally.all();
        assert_eq!(states.keys().collect::<Vec<_>>(), ["one", "three"]);
        assert_eq!((states["one"].epoch, states["one"].pushes), (Some(epoch), 1));
        assert_eq!((states["three"].epoch, states["three"].failures), (None, 0));
    }

    #[test]
    fn an_error_lasts_until_the_product_holds_a_ring_again() {
        let tally = Tally::of(&[outlet("one")]);
        (0..3).for_each(|_| tally.failed("one", "no socket"));
        assert_eq!(tally.all()["one"].error.as_deref(), Some("no socket"));
        tally.holds("one", Epoch { generation: 1, counter: 2 }, false);
        let state = &tally.all()["one"];
        assert_eq!((state.failures, state.pushes, &state.error), (3, 0, &None));
    }

    fn outlet(name: &str) -> Outlet {
        Outlet {
            name: name.to_owned(),
            sink: Sink::File(KeyFile::new(SecretFile::new("/dev/shm/keys"))),
            product: Product::HaProxy,
            size: KeySize::Bits256,
            slots: Slots::new(3, 1, 1).expect("three of three"),
        }
    }
}
