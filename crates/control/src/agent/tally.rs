//! What an agent knows of its products.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use raincheck_keyring::Epoch;

use super::Outlet;
use crate::Event;

/// Of each product, by name.
pub(super) struct Tally(Mutex<BTreeMap<String, State>>);

/// How a product stands.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The newest ring it has had.
    pub(super) epoch: Option<Epoch>,
    /// How often it has been given keys.
    pub(super) pushes: u64,
    /// How often it could not be, but for the same reason once.
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

    pub(super) fn follow(&self, event: &Event) {
        let mut states = self.states();
        match event {
            Event::SinkHolds { sink, epoch } => {
                if let Some(state) = states.get_mut(sink) {
                    state.epoch = Some(*epoch);
                    state.pushes += 1;
                    state.error = None;
                }
            }
            Event::SinkFailed { sink, error } => {
                if let Some(state) = states.get_mut(sink) {
                    state.failures += 1;
                    state.error = Some(error.to_string());
                }
            }
            _ => {}
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
