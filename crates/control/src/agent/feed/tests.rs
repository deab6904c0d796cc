use std::path::Path;

use raincheck_keyring::Schedule;
use tempfile::TempDir;

use super::super::tally::State;
use super::*;
use crate::KeySource;
use crate::sink::{KeyFile, SecretFile};

#[tokio::test(start_paused = true)]
async fn a_product_that_has_its_keys_is_given_none_and_is_known_to_hold_them() {
    let (place, keys) = (Place::new(), keys());
    let states = place.fed(&keys, 1, |states| states.iter().all(|state| state.epoch.is_some())).await;
    assert_eq!(states.iter().map(|state| state.pushes).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(*keys.held().borrow(), keys.ring().epoch());
    // By another agent, which has the same ring.
    let states = place.fed(&keys, 1, |states| states.iter().all(|state| state.epoch.is_some())).await;
    assert_eq!(states.iter().map(|state| state.pushes).collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_is_too_young_for_a_product_does_not_wait_for_it() {
    let (place, keys) = (Place::new(), keys());
    let states = place.fed(&keys, 4, |states| states.iter().all(|state| state.error.is_some())).await;
    assert_eq!(*keys.held().borrow(), keys.ring().epoch());
    let error = states[0].error.clone().unwrap();
    assert!(error.starts_with("the ring has no next key for it so far"), "{error}");
    assert_eq!(states[0].epoch, None);
}

#[tokio::test(start_paused = true)]
async fn the_source_hears_of_a_ring_when_the_last_product_has_it() {
    let (place, keys) = (Place::new(), keys());
    std::fs::create_dir(place.0.path().join("two")).unwrap();
    let states = place.fed(&keys, 1, |states| states[0].epoch.is_some() && states[1].error.is_some()).await;
    let error = states[1].error.clone().unwrap();
    assert!(error.contains("directory"), "{error}");
    assert_eq!(*keys.held().borrow(), Epoch::NONE);
    std::fs::remove_dir(place.0.path().join("two")).unwrap();
    let states = place.fed(&keys, 1, |states| states[1].epoch.is_some()).await;
    assert_eq!(states[1].error, None);
    assert_eq!(*keys.held().borrow(), keys.ring().epoch());
}

#[tokio::test(start_paused = true)]
async fn a_product_that_has_lost_its_keys_is_given_them_again() {
    let (place, keys) = (Place::new(), keys());
    let file = place.0.path().join("one");
    let lost = std::sync::Once::new();
    let began = tokio::time::Instant::now();
    let states = place.fed(&keys, 1, |states| {
        if states.iter().all(|state| state.pushes == 1) {
            lost.call_once(|| std::fs::remove_file(&file).unwrap());
        }
        states[0].pushes == 2
    });
    assert_eq!(states.await[1].pushes, 1);
    assert!(file.exists() && began.elapsed() < EVERY + Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Keys made here, which two products are to hold before they rotate.
fn keys() -> Keys {
    let keys = Keys::start(&KeySource::Local, Schedule::default(), |_| {}).unwrap();
    keys.wait_for_sinks();
    keys
}

/// Where two products have their files.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new_in("/dev/shm").unwrap())
    }

    /// Feeds both until they stand as they should; gives how they stand.
    async fn fed(&self, keys: &Keys, stride: u64, enough: impl Fn(&[State]) -> bool) -> [State; 2] {
        let outlets = ["one", "two"].map(|name| outlet(self.0.path(), name, stride));
        let tally = Arc::new(Tally::of(&outlets));
        let stand = || tally.all().into_values().collect::<Vec<_>>();
        tokio::select! {
            never = run(keys, outlets.into(), &tally) => match never {},
            () = async { while !enough(&stand()) { sleep(Duration::from_millis(1)).await } } => {}
            () = sleep(PATIENCE) => panic!("they stand like this for good: {:?}", stand()),
        }
        stand().try_into().unwrap()
    }
}

fn outlet(directory: &Path, name: &str, stride: u64) -> Outlet {
    Outlet {
        name: name.to_owned(),
        sink: Sink::File(KeyFile::new(SecretFile::new(directory.join(name)))),
        product: Product::HaProxy,
        size: KeySize::Bits256,
        slots: Slots::new(3, stride, Schedule::default().retained()).unwrap(),
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
