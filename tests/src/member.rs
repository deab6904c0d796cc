//! A node of a fleet in the test's own process, which so has every key the fleet has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use raincheck_control::{KeySource, Keys};
use raincheck_keyring::KeyName;
use tokio::sync::oneshot;

use crate::fleet::{Fleet, Schedule};

/// The node; it leaves when dropped, without a word.
pub struct Member {
    /// Its keys.
    pub keys: Keys,
    seen: Arc<Mutex<BTreeMap<KeyName, Vec<u8>>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Joins as a node of this name.
    pub fn join(fleet: &Fleet<'_>, schedule: Schedule, name: &str) -> Self {
        let source = KeySource::Etcd(fleet.source(name));
        let Schedule { rotate, accept } = schedule;
        let schedule = raincheck_keyring::Schedule::new(rotate, accept, accept * 10).unwrap();
        let keys = Keys::start(&source, schedule, |_| {}).unwrap();
        let seen: Arc<Mutex<BTreeMap<KeyName, Vec<u8>>>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn({
            let (keys, seen) = (keys.clone(), Arc::clone(&seen));
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    tokio::select! {
                        never = keys.run() => match never {},
                        () = note(&keys, &seen) => {}
                        _ = stopped => {}
                    }
                });
            }
        });
        Self { keys, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// The bytes of all keys there have been since it joined, by name: the cipher's, then the MAC's.
    pub fn seen(&self) -> BTreeMap<KeyName, Vec<u8>> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn note(keys: &Keys, seen: &Mutex<BTreeMap<KeyName, Vec<u8>>>) {
    let mut published = keys.published();
    loop {
        for entry in keys.ring().entries() {
            let bytes = [entry.key.expose_cipher(), entry.key.expose_mac()].concat();
            seen.lock().unwrap().insert(entry.key.name(), bytes);
        }
        if published.changed().await.is_err() {
            return;
        }
    }
}
