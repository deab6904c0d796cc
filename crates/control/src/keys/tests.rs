use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use raincheck_keyring::{KeyName, KeySize, KeyState, NodeName, UnixTime};
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::https::Trust;
use crate::source::file;
use crate::source::http::HttpSource;
use crate::{KeyFileError, SourceFault, fresh_key};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn local_rotates_by_itself_and_keeps_what_the_schedule_retains() {
    let (keys, _events) = start(&KeySource::Local);
    let [next, issuing] = names(&keys)[..] else { panic!("a ring of two") };
    for rotations in 1..=30 {
        drive(&keys, HOUR).await;
        let ring = keys.load_full();
        assert_eq!(ring.len(), 2 + rotations.min(keys.schedule().retained()));
        match rotations {
            1 => assert_eq!(names(&keys)[1..], [next, issuing]),
            20 => assert_eq!(ring.find(issuing).map(|entry| entry.state), Some(KeyState::Retiring)),
            21 => assert!(ring.find(issuing).is_none()),
            _ => {}
        }
    }
}

#[test]
fn missed_rotations_leave_the_retiring_keys_that_are_still_of_use() {
    let (keys, _events) = start(&KeySource::Local);
    let rotate_after = |missed: u32| {
        let ago = HOUR * missed;
        let mut control = keys.control();
        control.last_rotation.wall = control.last_rotation.wall.saturating_sub(ago);
        drop(control);
        keys.rotate_if_due();
    };
    (0..30).for_each(|_| rotate_after(1));
    assert_eq!(keys.ring().len(), 2 + 20);
    rotate_after(6);
    assert_eq!(keys.ring().len(), 2 + 15);
    rotate_after(1000);
    assert_eq!(keys.ring().len(), 2);
}

#[test]
fn a_pushed_key_is_next_and_the_old_next_seals() {
    let (keys, events) = start(&KeySource::Local);
    let [next, issuing] = names(&keys)[..] else { panic!("a ring of two") };
    let pushed = fresh_key(KeySize::Bits256);
    let name = pushed.name();
    let changes = keys.push(pushed).expect("a key of a new name");
    assert_eq!(changes, [Change::Introduced(name), Change::Issuing(next), Change::Retired(issuing)]);
    assert_eq!(names(&keys), [name, next, issuing]);
    assert!(
        matches!(&events.try_iter().collect::<Vec<_>>()[..], [Event::Pushed { changes: told }] if *told == changes)
    );
}

#[tokio::test]
async fn a_file_put_in_place_by_rename_reaches_the_ring() {
    let file = Place::with(&[1, 2, 3]);
    let (keys, events) = start(&file.source());
    assert_eq!(names(&keys), [3, 2, 1].map(name));
    assert!(matches!(events.try_recv(), Ok(Event::FileLoaded { keys: 3, .. })));
    file.replace(&[2, 3, 4]);
    drive_until(&keys, || names(&keys) == [4, 3, 2].map(name)).await;
    let told: Vec<Event> = events.try_iter().filter(|event| !matches!(event, Event::FileOnDisk { .. })).collect();
    let [Event::FileLoaded { keys: 3, changes, .. }] = &told[..] else { panic!("{told:?}") };
    let expected =
        [Change::Introduced(name(4)), Change::Issuing(name(3)), Change::Retired(name(2)), Change::Wiped(name(1))];
    assert_eq!(changes[..], expected);
}

#[tokio::test]
async fn a_faulty_file_changes_nothing_until_it_is_mended() {
    let file = Place::with(&[1, 2, 3]);
    let (keys, events) = start(&file.source());
    events.try_iter().for_each(drop);
    std::fs::write(&file.path, "half a li").expect("a faulty file");
    let mut rejected = None;
    drive_until(&keys, || {
        rejected = rejected.take().or(events.try_iter().find(|event| matches!(event, Event::FileRejected { .. })));
        rejected.is_some()
    })
    .await;
    let Some(Event::FileRejected { error }) = rejected else { panic!("no rejection") };
    assert!(error.to_string().starts_with(&format!("{}:1: not base64; ", file.path.display())), "{error}");
    assert_eq!(names(&keys), [3, 2, 1].map(name));
    file.replace(&[4]);
    drive_until(&keys, || names(&keys) == [name(4)]).await;
}

#[tokio::test]
async fn a_push_stays_until_the_file_says_something_else() {
    let file = Place::with(&[1, 2]);
    let (keys, _events) = start(&file.source());
    keys.push(key(9)).expect("a key of a new name");
    let touched = std::fs::read(&file.path).expect("the file");
    std::fs::write(&file.path, touched).expect("the same text");
    drive(&keys, Duration::from_secs(1)).await;
    keys.prepare(&file.source(), keys.schedule()).expect("a sound file").apply();
    assert_eq!(names(&keys), [9, 2, 1].map(name));
    file.replace(&[1, 2, 3]);
    drive_until(&keys, || names(&keys) == [3, 2, 1].map(name)).await;
}

#[test]
fn a_reload_changes_nothing_before_it_is_applied() {
    let file = Place::with(&[1, 2]);
    let (keys, events) = start(&file.source());
    file.replace(&[2, 3]);
    let schedule = Schedule { accept: HOUR, ..keys.schedule() };
    let prepared = keys.prepare(&file.source(), schedule).expect("a sound file");
    assert_eq!(names(&keys), [2, 1].map(name));
    assert_ne!(keys.schedule(), schedule);
    events.try_iter().for_each(drop);
    prepared.apply();
    assert_eq!(names(&keys), [3, 2].map(name));
    assert_eq!(keys.schedule(), schedule);
    assert!(matches!(events.try_recv(), Ok(Event::FileLoaded { keys: 2, .. })));
}

#[test]
fn a_reload_with_a_faulty_file_changes_nothing() {
    let file = Place::with(&[1, 2]);
    let (keys, _events) = start(&file.source());
    std::fs::write(&file.path, "").expect("an empty file");
    let error = keys.prepare(&file.source(), keys.schedule()).expect_err("an empty file");
    assert!(matches!(error, Error::KeyFile { fault: KeyFileError::Empty, .. }), "{error}");
    assert_eq!(names(&keys), [2, 1].map(name));
}

#[tokio::test(start_paused = true)]
async fn a_reload_from_file_to_local_keeps_the_keys_and_begins_to_rotate() {
    let file = Place::with(&[1, 2, 3]);
    let (keys, _events) = start(&file.source());
    let running = keys.clone();
    let run = tokio::spawn(async move { running.run().await });
    keys.prepare(&KeySource::Local, keys.schedule()).expect("nothing to read").apply();
    assert_eq!(keys.source_name(), "local");
    assert_eq!(names(&keys), [3, 2, 1].map(name));
    tokio::time::sleep(HOUR + Duration::from_secs(1)).await;
    assert_eq!(names(&keys)[1..], [3, 2, 1].map(name));
    run.abort();
}

#[test]
fn what_is_no_key_file_is_refused_at_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("missing");
    let fifo = directory.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).expect("a FIFO");
    let large = directory.path().join("large");
    std::fs::write(&large, vec![b'A'; file::LARGEST + 1]).expect("a large file");
    let cases = [
        (missing, "cannot be read: No such file"),
        (fifo, "not a regular file"),
        (directory.path().to_owned(), "not a regular file"),
        (large, "larger than"),
    ];
    for (path, expected) in cases {
        let error = Keys::start(&KeySource::File(path.clone()), schedule(), |_| {}).expect_err("no key file");
        let expected = format!("{}: {expected}", path.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn keys_on_a_disk_are_warned_of_once() {
    let mut control = Control::new(Arc::new(Source::Local), Moment::now());
    let file = |in_memory| KeyFile { keys: vec![key(1)], in_memory, fingerprint: [0; 32] };
    let mut warned = |path: &str, in_memory| control.note(Path::new(path), &file(in_memory)).is_some();
    let cases = [
        ("/a", true, false),
        ("/a", false, true),
        ("/a", false, false),
        ("/b", false, true),
        ("/b", true, false),
        ("/b", false, true),
    ];
    for (path, in_memory, expected) in cases {
        assert_eq!(warned(path, in_memory), expected, "{path} {in_memory}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_without_its_source_seals_alone_until_the_source_is_back() {
    let (keys, events) = start(&nobody());
    let lonely = async |span: Duration| drop(timeout(span, solitude::watch(&keys)).await);
    assert_eq!(*keys.standing().borrow(), Standing::Waiting);
    lonely(Duration::from_secs(4)).await;
    assert_eq!(*keys.standing().borrow(), Standing::Waiting);
    lonely(Duration::from_secs(2)).await;
    assert_eq!(*keys.standing().borrow(), Standing::Alone);
    keys.settled().await;
    let own = names(&keys);
    lonely(HOUR).await;
    assert_eq!(names(&keys)[1..], own, "it rotates by itself");

    // However often it has: the source's first ring is newer.
    keys.take_ring(fleet("1.3", &[1, 2, 3])).expect("newer than none");
    assert_eq!(names(&keys), [3, 2, 1].map(name));
    assert_eq!(*keys.standing().borrow(), Standing::Supplied);
    // 18 hours of acceptance and two rotations on: what has been sealed since opens nowhere else.
    lonely(19 * HOUR).await;
    keys.confirm();
    lonely(19 * HOUR).await;
    assert_eq!(*keys.standing().borrow(), Standing::Supplied);
    lonely(HOUR + HOUR / 2).await;
    assert_eq!(*keys.standing().borrow(), Standing::Alone);
    let ring = keys.load_full();
    assert!(ring.find(name(2)).is_some() && ring.issuing().name() != name(2));

    // It has not rotated meanwhile.
    keys.take_ring(fleet("1.3", &[1, 2, 3])).expect("what the node had last");
    assert_eq!(names(&keys), [3, 2, 1].map(name));
    assert_eq!(*keys.standing().borrow(), Standing::Supplied);
    let told: Vec<String> = events.try_iter().map(|event| event.to_string()).collect();
    let beginnings = [
        "no keys from https://127.0.0.1:1/ring",
        "rotated",
        "epoch 1.3",
        "no word from",
        "https://127.0.0.1:1/ring gives",
        "epoch 1.3",
    ];
    let beginnings = [&beginnings[..2], &["https://127.0.0.1:1/ring gives keys again"], &beginnings[2..]].concat();
    assert!(told.len() == 7 && told.iter().zip(beginnings).all(|(told, begins)| told.starts_with(begins)), "{told:#?}");
}

#[test]
fn an_older_ring_is_refused_and_the_same_one_confirms() {
    let (keys, _events) = start(&nobody());
    keys.take_ring(fleet("1.4", &[2, 3, 4])).expect("newer than none");
    keys.take_ring(fleet("1.4", &[2, 3, 4])).expect("the same");
    assert!(keys.take_ring(fleet("1.3", &[1, 2, 3])).is_err());
    assert_eq!(names(&keys), [4, 3, 2].map(name));
}

#[test]
fn a_key_that_is_pushed_to_a_node_of_a_fleet_stands_for_no_ring_of_the_fleet() {
    let (keys, _events) = start(&nobody());
    keys.take_ring(fleet("1.4", &[2, 3, 4])).expect("newer than none");
    for seed in [8, 9] {
        keys.push(key(seed)).expect("a new name");
    }
    assert_eq!(names(&keys)[..3], [9, 8, 4].map(name));
    assert_eq!(keys.held().borrow().to_string(), "1.4");
    // Nor is it handed on, where this node makes the next ring.
    assert!(keys.successor(keys.ring().epoch()).find(name(8)).is_none());
    keys.take_ring(fleet("1.5", &[2, 3, 4, 5])).expect("the source's next");
    assert_eq!(names(&keys), [5, 4, 3, 2].map(name));
}

#[test]
fn lines_that_would_turn_time_back_are_refused() {
    let (keys, _events) = start(&nobody());
    let take = |seeds: &[u8]| keys.take_lines(seeds.iter().map(|seed| key(*seed)).collect());
    take(&[1, 2, 3]).expect("the first");
    take(&[2, 3, 4]).expect("a rotation");
    take(&[2, 3, 4]).expect("the same");
    assert_eq!(take(&[1, 2, 3]), Err(SourceFault::Stale { issuing: name(2) }));
    assert_eq!(names(&keys), [4, 3, 2].map(name));
    take(&[7, 8, 9]).expect("all of them new");
}

#[tokio::test(start_paused = true)]
async fn rotation_waits_for_those_who_lack_the_next_key_and_not_for_ever() {
    let (keys, events) = start(&KeySource::Local);
    let [one, other]: [NodeName; 2] = ["one", "other"].map(|name| name.parse().expect("a name"));
    let first = keys.ring().epoch();
    keys.registered(one.clone(), first);
    keys.registered(other.clone(), Epoch::NONE);
    drive(&keys, HOUR + Duration::from_secs(1)).await;
    assert_eq!(keys.ring().epoch(), first);
    keys.acknowledged(&other, first);
    drive(&keys, Duration::from_secs(1)).await;
    let second = keys.ring().epoch();
    assert_eq!(second, first.next());
    keys.acknowledged(&one, second);
    drive(&keys, 2 * HOUR - Duration::from_secs(5)).await;
    assert_eq!(keys.ring().epoch(), second);
    drive(&keys, Duration::from_secs(10)).await;
    assert_eq!(keys.ring().epoch(), second.next());
    let told: Vec<_> = events.try_iter().collect();
    assert!(
        matches!(&told[..], [Event::Rotated { without: none, .. }, Event::Rotated { without, .. }]
        if none.is_empty() && *without == [other]),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_made_here_wait_for_the_products_here() {
    let (keys, _events) = start(&KeySource::Local);
    keys.wait_for_sinks();
    let first = keys.ring().epoch();
    drive(&keys, HOUR + Duration::from_secs(1)).await;
    assert_eq!(keys.ring().epoch(), first);
    keys.hold(first);
    drive(&keys, Duration::from_secs(1)).await;
    assert_eq!(keys.ring().epoch(), first.next());
    assert_eq!(*keys.held().borrow(), first);
}

#[tokio::test(start_paused = true)]
async fn a_promoted_server_goes_on_with_the_ring_and_the_one_before_stops() {
    let (standby, _events) = start(&nobody());
    assert_eq!(standby.promote(), Err(CannotPromote::NoRing));
    let (primary, told) = start(&KeySource::Local);
    let ring = Ring::decode(&primary.ring().expose_encoded()).expect("a ring");
    standby.take_ring(ring).expect("newer than none");
    let held = names(&standby);
    let epoch = standby.promote().expect("a standby with a ring");
    assert_eq!((epoch.generation, names(&standby)), (2, held.clone()));
    assert_eq!(standby.promote(), Err(CannotPromote::MakesKeys));
    drive(&standby, HOUR).await;
    assert_eq!(names(&standby)[1..], held);
    // A reload does not make it follow again.
    standby.prepare(&nobody(), schedule()).expect("a sound source").apply();
    assert_eq!(standby.source_name(), "local");

    let node: NodeName = "edge".parse().expect("a name");
    primary.registered(node.clone(), Epoch::NONE);
    primary.acknowledged(&node, epoch);
    drive(&primary, 3 * HOUR).await;
    assert_eq!(names(&primary), held);
    assert!(matches!(&told.try_iter().collect::<Vec<_>>()[..], [Event::Superseded { by, .. }] if *by == epoch));
    assert_eq!(primary.offered().unwrap_err(), Withheld::Superseded);
    // Unless it is promoted in its turn.
    let third = primary.promote().expect("a server that was superseded");
    assert!(third.generation == 3 && third > epoch && primary.offered().is_ok());
    drive(&primary, HOUR).await;
    assert_eq!(primary.ring().epoch(), third.next());
}

#[tokio::test(start_paused = true)]
async fn what_a_node_made_for_itself_is_for_others_once_it_is_to_make_keys() {
    let (keys, _events) = start(&nobody());
    assert_eq!((keys.offered().unwrap_err(), keys.ring().epoch()), (Withheld::NoRing, Epoch::NONE));
    let held = names(&keys);
    keys.prepare(&KeySource::Local, schedule()).expect("a sound source").apply();
    assert_eq!(*keys.standing().borrow(), Standing::Supplied);
    let ring = keys.offered().expect("a ring of its own");
    assert!(ring.epoch() > Epoch::NONE && names(&keys)[1..] == held);
    // For as long as any other key, too.
    drive(&keys, HOUR + Duration::from_secs(1)).await;
    assert_eq!(names(&keys)[2..], held);
}

#[tokio::test(start_paused = true)]
async fn what_a_standby_sealed_alone_opens_after_it_was_promoted() {
    let (standby, _events) = start(&nobody());
    standby.take_ring(fleet("1.4", &[2, 3, 4])).expect("newer than none");
    drop(timeout(21 * HOUR, solitude::watch(&standby)).await);
    assert_eq!(*standby.standing().borrow(), Standing::Alone);
    let held = names(&standby);
    standby.promote().expect("a standby with a ring");
    drive(&standby, HOUR + Duration::from_secs(1)).await;
    assert_eq!(names(&standby)[1..=held.len()], held);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_new_has_its_time_and_its_say() {
    let file = Place::with(&[1, 2, 3]);
    for source in [KeySource::Local, file.source()] {
        let (keys, _events) = start(&source);
        tokio::time::advance(30 * HOUR).await;
        let held = names(&keys);
        keys.prepare(&nobody(), schedule()).expect("a sound source").apply();
        drop(timeout(Duration::from_secs(4), solitude::watch(&keys)).await);
        assert_eq!((names(&keys), *keys.standing().borrow()), (held, Standing::Waiting));
        assert!(keys.offered().is_err() && *keys.held().borrow() == Epoch::NONE);
        // Whatever was counted here.
        keys.take_ring(fleet("1.2", &[4, 5, 6])).expect("newer than none");
        assert_eq!(names(&keys), [6, 5, 4].map(name));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_started_anew_goes_on_after_what_its_nodes_have() {
    let (server, told) = start(&KeySource::Local);
    let node: NodeName = "edge".parse().expect("a name");
    let held: Epoch = "1.57".parse().expect("an epoch");
    let keys = names(&server);
    assert!(server.heard(&node, held) && !server.heard(&node, held));
    assert_eq!((server.ring().epoch().to_string().as_str(), names(&server)), ("1.58", keys));
    assert!(matches!(&told.try_iter().collect::<Vec<_>>()[..], [Event::Following { held: of, .. }] if *of == held));
    // The node lacks that one, so a rotation waits, and comes after it.
    drive(&server, HOUR + HOUR / 2).await;
    assert_eq!(server.ring().epoch().counter, 58);
    assert!(!server.heard(&node, server.ring().epoch()));
    drive(&server, HOUR / 4).await;
    assert_eq!(server.ring().epoch().counter, 59);
}

#[test]
fn a_server_that_was_started_anew_before_it_rotated_goes_on_too() {
    let (server, told) = start(&KeySource::Local);
    let [node, other]: [NodeName; 2] = ["edge", "other"].map(|name| name.parse().expect("a name"));
    let first = server.ring().epoch();
    // From the server before, which began with that number too.
    assert!(server.heard(&node, first));
    assert_eq!(server.ring().epoch(), first.next());
    assert!(matches!(&told.try_iter().collect::<Vec<_>>()[..], [Event::Following { held, .. }] if *held == first));
    assert!(server.heard(&other, first) && !server.heard(&node, first.next()));
    assert_eq!(server.ring().epoch(), first.next());
}

#[test]
fn nothing_that_is_shown_holds_a_key() {
    let file = Place::with(&[1]);
    let (keys, events) = start(&file.source());
    let shown = format!("{keys:?} {:?}", events.try_iter().collect::<Vec<_>>());
    assert!(shown.contains(&name(1).to_string()), "{shown}");
    let secret: Vec<String> = key(1).expose_cipher().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!shown.contains(&secret.concat()) && !shown.contains(&secret.join(", ")), "{shown}");
}

fn start(source: &KeySource) -> (Keys, Receiver<Event>) {
    let (sender, events) = mpsc::channel();
    let keys = Keys::start(source, schedule(), move |event| drop(sender.send(event))).expect("a sound source");
    (keys, events)
}

fn schedule() -> Schedule {
    Schedule::new(HOUR, 18 * HOUR, 24 * HOUR).expect("a sound schedule")
}

/// A server that is never asked.
fn nobody() -> KeySource {
    KeySource::Http(HttpSource {
        urls: vec!["https://127.0.0.1:1/ring".parse().expect("a URL")],
        every: HOUR,
        node: "node".parse().expect("a name"),
        trust: Trust::default(),
    })
}

fn fleet(epoch: &str, seeds: &[u8]) -> Ring {
    let epoch: Epoch = epoch.parse().expect("an epoch");
    let now = UnixTime::from_millis(1_000_000);
    Ring::of_fleet(epoch, seeds.iter().map(|seed| (key(*seed), epoch, now)).collect()).expect("a ring")
}

/// Newest first.
fn names(keys: &Keys) -> Vec<KeyName> {
    keys.ring().entries().map(|entry| entry.key.name()).collect()
}

async fn drive(keys: &Keys, span: Duration) {
    let run = tokio::time::timeout(span, keys.run()).await;
    assert!(run.is_err(), "the source ended");
}

async fn drive_until(keys: &Keys, mut condition: impl FnMut() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        never = keys.run() => match never {},
        met = tokio::time::timeout(Duration::from_secs(1), met) => met.expect("within a second"),
    }
}

struct Place {
    _directory: TempDir,
    path: PathBuf,
}

impl Place {
    fn with(seeds: &[u8]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Self { path: directory.path().join("keys"), _directory: directory };
        place.replace(seeds);
        place
    }

    fn source(&self) -> KeySource {
        KeySource::File(self.path.clone())
    }

    fn replace(&self, seeds: &[u8]) {
        use base64::Engine;
        let line = |seed: &u8| {
            let raw = raincheck_keyring::Layout::HaProxy.encode(&key(*seed)).expect("a key of 80 bytes");
            base64::engine::general_purpose::STANDARD.encode(&*raw) + "\n"
        };
        let staged = self.path.with_extension("staged");
        std::fs::write(&staged, seeds.iter().map(line).collect::<String>()).expect("a staged file");
        std::fs::rename(staged, &self.path).expect("a rename");
    }
}

fn name(seed: u8) -> KeyName {
    key(seed).name()
}

/// The same key for the same seed.
fn key(seed: u8) -> TicketKey {
    let mut state = u32::from(seed) + 1;
    TicketKey::generate(KeySize::Bits256, |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
    })
    .expect("no pattern in it")
}
