//! Making products hold the keys of a ring, and saying to the ring's source what they hold.

use std::convert::Infallible;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use raincheck_keyring::{Epoch, KeySize, Product, Ring, Slots};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::tally::Tally;
use crate::sink::{NoNextKey, ProductKeys, Pushed, Sink, SinkError};
use crate::{Event, Keys, Standing};

/// A product behind an agent, and which keys of the ring are made into its own.
#[derive(Debug)]
pub struct Outlet {
    /// What it is called in messages.
    pub name: String,
    /// How it takes keys.
    pub sink: Sink,
    /// Whose keys it takes.
    pub product: Product,
    /// Of which size.
    pub size: KeySize,
    /// How many, and for how long each.
    pub slots: Slots,
}

/// Hands the ring of `keys` to every outlet, for as long as the future is polled.
///
/// A rotation waits for the slowest outlet: the source hears of a ring when all of them hold it. Keys that the agent's node
/// has made for itself, because it has no source, are nobody's: the products go on with what they have.
pub(super) async fn run(keys: &Keys, outlets: Vec<Outlet>, tally: &Arc<Tally>) -> Infallible {
    let held = Mutex::new(vec![Epoch::NONE; outlets.len()]);
    let holders = Arc::new(Holders { held, keys: keys.clone(), tally: Arc::clone(tally) });
    let mut feeds = JoinSet::new();
    for (index, outlet) in outlets.into_iter().enumerate() {
        let holders = Arc::clone(&holders);
        feeds.spawn(async move { feed(outlet, index, &holders).await });
    }
    match feeds.join_next().await {
        Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
        Some(Ok(never)) => match never {},
        // Nothing to feed, or the runtime is going down.
        Some(Err(_)) | None => pending().await,
    }
}

/// Which ring each product holds.
struct Holders {
    held: Mutex<Vec<Epoch>>,
    keys: Keys,
    tally: Arc<Tally>,
}

impl Holders {
    /// Nobody needs to wait for this product any longer: it can open with whatever of that ring is for it.
    fn note(&self, index: usize, epoch: Epoch) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held[index] = epoch;
        if let Some(by_all) = held.iter().min() {
            self.keys.hold(*by_all);
        }
    }
}

/// Feeds one product, and looks after it: one that restarts has lost what it was given.
async fn feed(mut outlet: Outlet, index: usize, holders: &Holders) -> Infallible {
    let Holders { keys, tally, .. } = holders;
    let mut published = keys.published();
    let mut failures = 0;
    let mut complaint = None;
    let mut is_first = true;
    loop {
        published.borrow_and_update();
        let ring = keys.load_full();
        let is_supplied = *keys.standing().borrow() == Standing::Supplied;
        let mut pause = EVERY;
        if is_supplied {
            let given = outlet.give(&ring, is_first).await;
            // A ring that has nothing for the product yet need not wait for it.
            if matches!(given, Ok(_) | Err(SinkError::NoNextKey(_))) {
                holders.note(index, ring.epoch());
            }
            match given {
                Ok(pushed) => {
                    let is_new = pushed != Pushed::Nothing;
                    tally.holds(&outlet.name, ring.epoch(), is_new);
                    if complaint.take().is_some() || is_new {
                        keys.tell(Event::SinkHolds { sink: outlet.name.clone(), epoch: ring.epoch() });
                    }
                    (failures, is_first) = (0, false);
                }
                Err(error) => {
                    let text = error.to_string();
                    tally.failed(&outlet.name, &text);
                    if complaint.as_ref() != Some(&text) {
                        keys.tell(Event::SinkFailed { sink: outlet.name.clone(), error });
                        complaint = Some(text);
                    }
                    pause = FIRST_PAUSE.saturating_mul(1 << failures.min(MOST_DOUBLINGS)).min(EVERY);
                    failures += 1;
                }
            }
        }
        let _ = timeout(pause, published.changed()).await;
    }
}

impl Outlet {
    /// Makes the product hold what it should of that ring, and waits until it opens with it. Nobody knows how long ago an
    /// agent of before has given it to the product, so the first time is no exception.
    async fn give(&mut self, ring: &Ring, is_first: bool) -> Result<Pushed, SinkError> {
        let pushed = self.sink.push(&self.product_keys(ring)?).await?;
        if is_first || pushed != Pushed::Nothing {
            sleep(self.sink.notices_after()).await;
        }
        Ok(pushed)
    }

    /// What the product should hold; nothing as long as the ring is too young for that.
    fn product_keys(&self, ring: &Ring) -> Result<ProductKeys, NoNextKey> {
        let slots = self.slots.fill(ring, self.product, self.size);
        ProductKeys::oldest_first(slots.into_iter().map(|slot| slot.key.into()).collect())
    }
}

/// How often a product is looked at that nothing new is for.
const EVERY: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MOST_DOUBLINGS: u32 = 5;

#[cfg(test)]
mod tests;
