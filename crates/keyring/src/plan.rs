//! What the key stores of a product lack, and in which order it is safe to bring it.
//!
//! Two rules, whatever the product: a key is in every store before any seals with it, and none seals
//! with it any more before it is taken out of any. Each function looks at where all the stores stand
//! and says what to do next; when that is done, ask again, until there is nothing to do. So it does
//! not matter what was done before, or by whom.
//!
//! A store that cannot be reached is left out of the question by the caller, once it has waited for
//! it long enough; the answer is then for the others.

use std::collections::BTreeSet;

use crate::key::KeyName;

/// HAProxy's slots, in its order: previous, issuing, next.
///
/// A key that is pushed overwrites the previous one; it becomes next, and the one that was next
/// seals.
pub type HaProxySlots = [KeyName; 3];

/// The slots that hold these keys, oldest first, as [`Slots::fill`](crate::Slots::fill) gives them.
/// Where there are fewer than three, the oldest stands in the slots in front as well, so that the
/// first one that follows it becomes next; `None` where there is none.
///
/// A single key is in all three, so that it is the one that seals.
pub fn in_haproxy(keys: &[KeyName]) -> Option<HaProxySlots> {
    let [oldest, ..] = keys else { return None };
    let mut slots = [*oldest; 3];
    let newest = &keys[keys.len().saturating_sub(slots.len())..];
    let free = slots.len() - newest.len();
    slots[free..].copy_from_slice(newest);
    Some(slots)
}

/// The keys that one HAProxy lacks.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Pushes<'a> {
    /// To be pushed, in this order.
    pub keys: &'a [KeyName],
    /// The key that seals between the first push and the second although it is not its turn: one of
    /// another fleet, or of an epoch that was lost with its maker. There is no way round it.
    pub promotes: Option<KeyName>,
}

/// What to push to a HAProxy that has the keys `observed`, so that it has those that are `wanted`:
/// nothing where it has them, one key after a rotation, all three after a restart with other keys.
pub fn pushes<'a>(observed: &HaProxySlots, wanted: &'a HaProxySlots) -> Pushes<'a> {
    let held = held(observed, wanted);
    let promoted = Some(observed[2]).filter(|next| held == 0 && !wanted[..2].contains(next));
    Pushes { keys: &wanted[held..], promotes: promoted }
}

/// What to push next to some of several HAProxies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushRound {
    /// The key.
    pub key: KeyName,
    /// To which of them: positions in what was asked about.
    pub to: Vec<usize>,
}

/// The next push where several HAProxies share keys; `None` where all have those that are `wanted`.
///
/// A push lets the key before it seal, so each key is pushed to none before all have the one
/// before: whoever is furthest behind comes first.
pub fn next_push(observed: &[HaProxySlots], wanted: &HaProxySlots) -> Option<PushRound> {
    let held: Vec<_> = observed.iter().map(|slots| held(slots, wanted)).collect();
    let least = *held.iter().min()?;
    let key = *wanted.get(least)?;
    let to = held.iter().enumerate().filter(|&(_, &held)| held == least).map(|(sink, _)| sink);
    Some(PushRound { key, to: to.collect() })
}

/// The keys in the file of a product that takes any number of them and is told which one seals:
/// nginx, Envoy, h2o.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileKeys {
    /// Seals and opens.
    pub sealing: KeyName,
    /// All that open, `sealing` among them.
    pub opening: BTreeSet<KeyName>,
}

/// What to write next into the files of several nodes that share keys, so that all have those that
/// are `wanted`: for each node, `None` where its file stays.
///
/// A rotation is one write: the key that is to seal has been in every file since the one before.
/// After anything else it takes up to three: keys are added, the sealing one is changed, old ones
/// are removed. A node without a file, `None` in `observed`, seals with nothing; it gets one that
/// needs no such change, once the others are that far.
pub fn next_files(observed: &[Option<FileKeys>], wanted: &FileKeys) -> Vec<Option<FileKeys>> {
    let files = || observed.iter().flatten();
    let everywhere = files().all(|file| file.opening.contains(&wanted.sealing));
    let sealing: BTreeSet<_> = files().map(|file| file.sealing).collect();
    let settled = everywhere && sealing.is_subset(&wanted.opening);
    let next = |file: &Option<FileKeys>| {
        let Some(file) = file else { return settled.then(|| wanted.clone()) };
        let still_sealing = file.opening.intersection(&sealing);
        let next = FileKeys {
            sealing: if everywhere { wanted.sealing } else { file.sealing },
            opening: wanted.opening.iter().chain(still_sealing).copied().collect(),
        };
        (*file != next).then_some(next)
    };
    observed.iter().map(next).collect()
}

/// How many of the keys that are wanted, oldest first, stand already at the new end of the slots.
fn held(observed: &HaProxySlots, wanted: &HaProxySlots) -> usize {
    (0..=wanted.len()).rev().find(|&held| observed.ends_with(&wanted[..held])).expect("nothing is held by everybody")
}

#[cfg(test)]
mod tests;
