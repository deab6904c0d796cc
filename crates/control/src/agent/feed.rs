//! Making products hold the keys of a ring, and saying to the ring's source what they hold.

use std::convert::Infallible;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use raincheck_keyring::{Epoch, KeySize, Product, Ring, Slots};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::sink::{ProductKeys, Pushed, Sink};
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
pub(super) async fn run(keys: &Keys, outlets: Vec<Outlet>) -> Infallible {
    let holders = Arc::new(Holders { held: Mutex::new(vec![Epoch::NONE; outlets.len()]), keys: keys.clone() });
    let mut feeds = JoinSet::new();
    for (index, outlet) in outlets.into_iter().enumerate() {
        let holders = Arc::clone(&holders);
        feeds.spawn(async move { feed(outlet, &holders.keys, |epoch| holders.note(index, epoch)).await });
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
}

impl Holders {
    fn note(&self, index: usize, epoch: Epoch) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held[index] = epoch;
        if let Some(by_all) = held.iter().min() {
            self.keys.hold(*by_all);
        }
    }
}

/// Feeds one product, and looks after it: one that restarts has lost what it was given.
async fn feed(mut outlet: Outlet, keys: &Keys, holds: impl Fn(Epoch)) -> Infallible {
    let mut published = keys.published();
    let mut failures = 0;
    let mut complaint = None;
    loop {
        published.borrow_and_update();
        let ring = keys.load_full();
        let is_supplied = *keys.standing().borrow() == Standing::Supplied;
        let mut pause = EVERY;
        if let Some(product_keys) = outlet.product_keys(&ring).filter(|_| is_supplied) {
            match outlet.sink.push(&product_keys).await {
                Ok(pushed) => {
                    let is_new = matches!(pushed, Pushed::Keys(_));
                    if is_new {
                        sleep(outlet.sink.notices_after()).await;
                    }
                    holds(ring.epoch());
                    if complaint.take().is_some() || is_new {
                        keys.tell(Event::SinkHolds { sink: outlet.name.clone(), epoch: ring.epoch() });
                    }
                    failures = 0;
                }
                Err(error) => {
                    let text = Some(error.to_string());
                    if complaint != text {
                        keys.tell(Event::SinkFailed { sink: outlet.name.clone(), error });
                        complaint = text;
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
    /// What the product should hold; none as long as the ring is too young for that.
    fn product_keys(&self, ring: &Ring) -> Option<ProductKeys> {
        let slots = self.slots.fill(ring, self.product, self.size);
        ProductKeys::oldest_first(slots.into_iter().map(|slot| slot.key.into()).collect()).ok()
    }
}

/// How often a product is looked at that nothing new is for.
const EVERY: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MOST_DOUBLINGS: u32 = 5;
