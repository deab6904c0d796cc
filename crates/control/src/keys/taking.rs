//! What a source brings, put into the place of the ring.

use std::path::{Path, PathBuf};

use raincheck_keyring::{Change, KeyState, Outdated, Ring, TicketKey};

use super::{Control, FILE_IS_CHECKED, Keys, Standing};
use crate::clock::Moment;
use crate::source::file::{KeyFile, Verdict};
use crate::{Error, Event, SourceFault};

impl Keys {
    /// Takes the ring of a fleet, unless the node has it already. A ring that is older is refused, and nothing changes.
    pub(crate) fn take_ring(&self, ring: Ring) -> Result<(), Outdated> {
        let events = {
            let mut control = self.control();
            if ring.epoch() == self.ring().epoch() && self.is_supplied() {
                control.hear(Moment::now());
                return Ok(());
            }
            let (ring, changes) = self.ring().succeeded_by(ring)?;
            self.taken(&mut control, ring, changes)
        };
        self.report(events);
        Ok(())
    }

    /// Takes keys that somebody offers as lines, oldest first, and that have no epoch. They are older than the node's if
    /// they would have a key seal that has retired: then nothing changes.
    pub(crate) fn take_lines(&self, keys: Vec<TicketKey>) -> Result<(), SourceFault> {
        let events = {
            let mut control = self.control();
            let now = Moment::now();
            let held = self.ring();
            let (ring, changes) = held.replaced_by(keys, now.wall).expect(FILE_IS_CHECKED);
            let name = ring.issuing().name();
            let was = held.find(name).filter(|entry| entry.key.is_same(ring.issuing())).map(|entry| entry.state);
            if was == Some(KeyState::Retiring) && self.is_supplied() {
                return Err(SourceFault::Stale { issuing: name });
            }
            if changes.is_empty() && self.is_supplied() {
                control.hear(now);
                return Ok(());
            }
            self.taken(&mut control, ring, changes)
        };
        self.report(events);
        Ok(())
    }

    /// Whether the ring is the source's. If not, even the ring that the node had last is news.
    pub(crate) fn is_supplied(&self) -> bool {
        *self.shared.standing.borrow() == Standing::Supplied
    }

    /// The source confirms that the ring is its newest.
    pub(crate) fn confirm(&self) {
        self.control().hear(Moment::now());
    }

    /// Counts what somebody brought that cannot be taken, and tells of it.
    pub(crate) fn refuse(&self, error: Error) {
        self.control().refused += 1;
        self.complain(error);
    }

    /// How often something was brought that could not be taken: older rings, forgeries, what is no ring.
    pub fn refused(&self) -> u64 {
        self.control().refused
    }

    /// Tells what is wrong with the source, unless that is what was told last.
    pub(crate) fn complain(&self, error: Error) {
        let is_new = {
            let mut control = self.control();
            let text = error.to_string();
            control.complaint.replace(text.clone()).is_none_or(|before| before != text)
        };
        if is_new {
            self.report([Event::SourceFailed { error }]);
        }
    }

    /// Acts on what the watch has to say of the file at `path`.
    pub(crate) fn judge(&self, path: &Path, verdict: Verdict) {
        let events = match verdict {
            Verdict::Nothing => return,
            Verdict::Faulty(fault) => {
                vec![Event::FileRejected { error: Error::KeyFile { path: path.to_owned(), fault } }]
            }
            Verdict::Sound(file) => self.take_file(&mut self.control(), path, file),
        };
        self.report(events);
    }

    /// Makes the ring what the file says, unless it was made from the same text already. Returns what there is to report
    /// once the lock is free.
    pub(super) fn take_file(&self, control: &mut Control, path: &Path, file: KeyFile) -> Vec<Event> {
        let is_new = control.fingerprint != Some(file.fingerprint);
        let warning = control.note(path, &file);
        let loaded = is_new.then(|| {
            let keys = file.keys.len();
            let replaced = self.ring().replaced_by(file.keys, Moment::now().wall);
            let (ring, changes) = replaced.expect(FILE_IS_CHECKED);
            self.publish(control, ring);
            self.shared.standing.send_replace(Standing::Supplied);
            Event::FileLoaded { path: path.to_owned(), keys, changes }
        });
        loaded.into_iter().chain(warning).collect()
    }

    /// Publishes a ring that the source brought. Returns what there is to report once the lock is free.
    fn taken(&self, control: &mut Control, ring: Ring, changes: Vec<Change>) -> Vec<Event> {
        control.hear(Moment::now());
        let (source, epoch) = (control.source.place(), ring.epoch());
        self.publish(control, ring);
        let was = self.shared.standing.send_replace(Standing::Supplied);
        let back = (was == Standing::Alone).then(|| Event::Back { source: source.clone() });
        back.into_iter().chain([Event::Taken { source, epoch, changes }]).collect()
    }
}

impl Control {
    /// Remembers that the source is well.
    pub(super) fn hear(&mut self, now: Moment) {
        self.heard = now;
        self.has_heard = true;
        self.complaint = None;
    }

    /// Remembers which file the ring is made from. Warns, once for each path, of keys on a disk.
    pub(super) fn note(&mut self, path: &Path, file: &KeyFile) -> Option<Event> {
        self.fingerprint = Some(file.fingerprint);
        let on_disk: Option<PathBuf> = (!file.in_memory).then(|| path.to_owned());
        let known = self.on_disk == on_disk;
        self.on_disk.clone_from(&on_disk);
        on_disk.filter(|_| !known).map(|path| Event::FileOnDisk { path })
    }
}
