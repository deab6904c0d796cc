use proptest::prelude::*;

use super::*;

/// Computed by another implementation (Python's hmac, and AES-GCM of OpenSSL), so that a change to
/// the format, or to what it is derived from, is noticed: tickets in the field would not open.
#[test]
fn known_answers() {
    let key = known_key();
    let with_chain = Session {
        policy: PolicyDigest(array(POLICY)),
        origin: ORIGIN,
        sealed_at: SEALED_AT,
        client_chain: vec![b"\x30\x03lea".to_vec(), b"\x30\x00".to_vec()],
        state: Zeroizing::new(b"what rustls wrote".to_vec()),
    };
    let empty = Session { client_chain: vec![], state: Zeroizing::new(vec![]), ..with_chain.duplicate() };
    for (session, known) in [(with_chain, WITH_CHAIN), (empty, EMPTY)] {
        let ticket = seal(&key, &array(SALT), &session).unwrap();
        assert_eq!(ticket, bytes(known));
        assert_eq!(ticket.capacity(), ticket.len(), "grew, and left a copy of the session");
        let Opened::Accepted { state, name, session: opened } = open_known(&ticket) else { panic!("refused") };
        assert_eq!((state, name), (KeyState::Issuing, key.name()));
        assert_same(&opened, &session);
    }
}

#[test]
fn a_ticket_opens_under_a_key_of_any_state() {
    let keys = || (0..4).map(TicketKey::sample).collect();
    let ring = Ring::from_lines(keys(), SEALED_AT).unwrap();
    for entry in ring.entries() {
        let ticket = seal(&entry.key, &[1; 32], &session(9)).unwrap();
        match open(&ring, &Schedule::default(), SEALED_AT, &policy(), &ticket) {
            Opened::Accepted { state, name, .. } => {
                assert_eq!((state, name), (entry.state, entry.key.name()));
            }
            refused => panic!("{refused:?}"),
        }
    }
}

#[test]
fn a_ticket_of_an_unknown_key_is_told_by_its_name() {
    let stranger = TicketKey::sample(9);
    let ticket = seal(&stranger, &[1; 32], &session(9)).unwrap();
    assert_eq!(refused(&ticket), (Some(stranger.name()), Refused::UnknownKey, None));
    // What another product sealed, and what nobody did.
    assert_eq!(refused(&[7; 200]), (Some([7; 16].into()), Refused::UnknownKey, None));
}

#[test]
fn a_refusal_has_one_reason_and_they_have_an_order() {
    let schedule = Schedule::default();
    let (ms, hour) = (Duration::from_millis(1), Duration::from_secs(3600));
    let other = PolicyDigest([9; 32]);
    let renewed = ORIGIN + 20 * hour;
    for (what, policy, sealed_at, now, why) in [
        ("fresh", policy(), ORIGIN, ORIGIN, None),
        ("at the end of its window", policy(), ORIGIN, (ORIGIN + 19 * hour).saturating_sub(ms), None),
        ("after it", policy(), ORIGIN, ORIGIN + 19 * hour, Some(Refused::Expired)),
        ("sealed by a clock ahead", policy(), ORIGIN + hour, ORIGIN, None),
        ("too far ahead", policy(), ORIGIN + hour + ms, ORIGIN, Some(Refused::Expired)),
        ("renewed", policy(), renewed, (ORIGIN + 24 * hour).saturating_sub(ms), None),
        ("renewed for too long", policy(), renewed, ORIGIN + 24 * hour, Some(Refused::ChainTooOld)),
        ("expired besides", policy(), ORIGIN, ORIGIN + 24 * hour, Some(Refused::ChainTooOld)),
        ("of another policy", other, ORIGIN, ORIGIN, Some(Refused::OtherPolicy)),
        ("and all the rest", other, ORIGIN, ORIGIN + 48 * hour, Some(Refused::OtherPolicy)),
    ] {
        let session = Session { policy, origin: ORIGIN, sealed_at, ..session(9) };
        assert_eq!(session.admit(&self::policy(), &schedule, now).err(), why, "{what}");
        let ticket = seal(&known_key(), &[1; 32], &session).unwrap();
        match (open(&known_ring(), &schedule, now, &self::policy(), &ticket), why) {
            (Opened::Accepted { .. }, None) => {}
            (Opened::Refused { name, why, session_age }, Some(expected)) => {
                assert_eq!((name, why), (Some(known_key().name()), expected), "{what}");
                assert_eq!(session_age, Some(now.since(ORIGIN)), "{what}");
            }
            (opened, _) => panic!("{what}: {opened:?}"),
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for known in [WITH_CHAIN, EMPTY] {
        let ticket = bytes(known);
        for bit in 0..8 * ticket.len() {
            let mut flipped = ticket.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let name = KeyName::from(*flipped[1..].first_chunk().unwrap());
            let in_name = NAME_AT.contains(&(bit / 8));
            let why = if in_name { Refused::UnknownKey } else { Refused::Forged };
            assert_eq!(refused(&flipped), (Some(name), why, None), "bit {bit}");
        }
    }
}

#[test]
fn every_length_but_its_own_is_refused() {
    let ticket = bytes(WITH_CHAIN);
    let name = Some(known_key().name());
    for length in (0..ticket.len() + 300).filter(|&length| length != ticket.len()) {
        let mut other = ticket.clone();
        other.resize(length, 0);
        let named = if length < NAME_AT.end { None } else { name };
        assert_eq!(refused(&other), (named, Refused::Forged, None), "{length} bytes");
    }
    for length in [LONGEST - 1, LONGEST, LONGEST + 1, 1 << 20] {
        let mut other = ticket.clone();
        other.resize(length, 0);
        assert_eq!(refused(&other), (name, Refused::Forged, None), "{length} bytes");
    }
}

#[test]
fn what_fits_is_sealed_and_one_byte_more_is_not() {
    let key = known_key();
    let most = LONGEST - 114;
    let ticket = seal(&key, &[1; 32], &session(most)).unwrap();
    assert_eq!(ticket.len(), LONGEST);
    assert!(matches!(open_known(&ticket), Opened::Accepted { session, .. } if session.state.len() == most));
    assert_eq!(seal(&key, &[1; 32], &session(most + 1)), Err(TicketTooLarge { length: LONGEST + 1, certificates: 0 }));

    let chain = |certificates| Session { client_chain: vec![vec![5; 7]; certificates], ..session(9) };
    let ticket = seal(&key, &[1; 32], &chain(255)).unwrap();
    assert!(matches!(open_known(&ticket), Opened::Accepted { session, .. } if session.client_chain.len() == 255));
    assert_eq!(
        seal(&key, &[1; 32], &chain(256)),
        Err(TicketTooLarge { length: 114 + 9 + 256 * 10, certificates: 256 })
    );
    // Longer than its length field, and never written there.
    let huge = Session { client_chain: vec![vec![0; 1 << 24]], ..session(0) };
    assert_eq!(seal(&key, &[1; 32], &huge).unwrap_err().certificates, 1);
}

#[test]
fn each_salt_has_its_own_key() {
    let [a, b] = [[1; 32], [2; 32]].map(|salt| seal(&known_key(), &salt, &session(64)).unwrap());
    let differing = a[CLEAR_LEN..].iter().zip(&b[CLEAR_LEN..]).filter(|(a, b)| a != b).count();
    assert!(differing > 100, "only {differing} bytes differ");
}

#[test]
fn what_opens_but_is_no_session_is_forged() {
    // Only who has the key can make one, and it must not bring the node down all the same.
    let mut plaintext = vec![0; FIXED_LEN + 20];
    plaintext[FIXED_LEN - 1] = 1;
    plaintext[FIXED_LEN..][..3].copy_from_slice(&[0, 0, 18]);
    let ticket = seal_raw(VERSION, &known_key(), &plaintext);
    assert_eq!(refused(&ticket), (Some(known_key().name()), Refused::Forged, None));
}

#[test]
fn another_version_is_not_opened_even_where_it_could_be() {
    let mut plaintext = Vec::new();
    session(9).encode(0, &mut plaintext);
    assert!(matches!(open_known(&seal_raw(VERSION, &known_key(), &plaintext)), Opened::Accepted { .. }));
    for version in [0, VERSION + 1, 255] {
        let ticket = seal_raw(version, &known_key(), &plaintext);
        assert_eq!(refused(&ticket), (Some(known_key().name()), Refused::Forged, None));
    }
}

#[test]
fn debug_keeps_the_secret() {
    let session = Session { state: Zeroizing::new(b"master secret".to_vec()), ..session(0) };
    let shown = format!("{session:?}");
    assert!(shown.contains("client_chain: 0") && !shown.contains("state"), "{shown}");
    let list = format!("{:?}", session.state.as_slice());
    assert!(!shown.contains(&list));
}

#[test]
fn reasons_have_the_names_of_the_metrics() {
    let reasons = [Refused::UnknownKey, Refused::OtherPolicy, Refused::Forged, Refused::Expired, Refused::ChainTooOld];
    let expected = ["unknown-key", "other-policy", "forged", "expired", "chain-too-old"];
    assert_eq!(reasons.map(Refused::as_str), expected);
    assert_eq!(reasons.map(|reason| reason.to_string()), expected);
}

proptest! {
    #[test]
    fn a_session_comes_back_as_it_went(
        policy: [u8; 32],
        salt: [u8; 32],
        times: (u64, u64),
        client_chain in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5),
        state in proptest::collection::vec(any::<u8>(), 0..1000),
    ) {
        let session = Session {
            policy: PolicyDigest(policy),
            origin: UnixTime::from_millis(times.0),
            sealed_at: UnixTime::from_millis(times.1),
            client_chain,
            state: Zeroizing::new(state),
        };
        let ticket = seal(&known_key(), &salt, &session).unwrap();
        prop_assert_eq!(ticket.len(), CLEAR_LEN + session.encoded_len() + 16);
        let opened = decrypt(&known_key(), &ticket).and_then(Session::decode).unwrap();
        assert_same(&opened, &session);
    }

    #[test]
    fn no_bytes_panic(
        ours: bool,
        mut ticket in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        if ours && ticket.len() >= NAME_AT.end {
            ticket[0] = VERSION;
            ticket[NAME_AT].copy_from_slice(known_key().name().as_bytes());
        }
        let (name, why, age) = refused(&ticket);
        prop_assert_eq!(name.is_none(), ticket.len() < NAME_AT.end);
        prop_assert!(matches!(why, Refused::Forged | Refused::UnknownKey));
        prop_assert_eq!(age, None);
    }

    #[test]
    fn no_plaintext_panics(
        mut plaintext in proptest::collection::vec(any::<u8>(), 0..200),
        certificates in 0u8..5,
    ) {
        if let Some(count) = plaintext.get_mut(FIXED_LEN - 1) {
            *count = certificates;
        }
        // Lengths that are likely to fit.
        for length in plaintext.iter_mut().skip(FIXED_LEN).take(2) {
            *length = 0;
        }
        if let Some(session) = Session::decode(Zeroizing::new(plaintext.clone())) {
            let mut encoded = Vec::new();
            session.encode(certificates, &mut encoded);
            prop_assert_eq!(encoded, plaintext);
        }
    }
}

impl Session {
    fn duplicate(&self) -> Self {
        Self { client_chain: self.client_chain.clone(), state: self.state.clone(), ..*self }
    }
}

fn session(state: usize) -> Session {
    Session {
        policy: policy(),
        origin: ORIGIN,
        sealed_at: SEALED_AT,
        client_chain: vec![],
        state: Zeroizing::new(vec![0xa5; state]),
    }
}

fn assert_same(a: &Session, b: &Session) {
    assert_eq!((a.policy, a.origin, a.sealed_at), (b.policy, b.origin, b.sealed_at));
    assert_eq!(a.client_chain, b.client_chain);
    assert_eq!(a.state, b.state);
}

fn open_known(ticket: &[u8]) -> Opened {
    open(&known_ring(), &Schedule::default(), SEALED_AT, &policy(), ticket)
}

#[track_caller]
fn refused(ticket: &[u8]) -> (Option<KeyName>, Refused, Option<Duration>) {
    match open_known(ticket) {
        Opened::Refused { name, why, session_age } => (name, why, session_age),
        Opened::Accepted { .. } => panic!("opened"),
    }
}

fn seal_raw(version: u8, key: &TicketKey, plaintext: &[u8]) -> Vec<u8> {
    let salt = [1; SALT_LEN];
    let clear = [&[version], &key.name().as_bytes()[..], &salt].concat();
    let mut sealed = plaintext.to_vec();
    derive(key, &salt).seal_in_place_append_tag(only_nonce(), Aad::from(&clear), &mut sealed).unwrap();
    [clear, sealed].concat()
}

fn known_ring() -> Ring {
    Ring::new(known_key(), None, ORIGIN).unwrap()
}

fn known_key() -> TicketKey {
    TicketKey::new((*b"open sesame name").into(), &bytes(CIPHER), &bytes(MAC)).unwrap()
}

fn policy() -> PolicyDigest {
    PolicyDigest(array(POLICY))
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

const ORIGIN: UnixTime = UnixTime::from_millis(1_790_000_000_000);
const SEALED_AT: UnixTime = UnixTime::from_millis(1_790_000_600_000);
const CIPHER: &str = "\
    aed9e5e9d5f579ffc08cd5eeae478bab4914913fabc15faf9cf0fb91d5e302d3";
const MAC: &str = "\
    8603dc51f1fb169518609e3361890cafbd1acff351af2e36e8cc6f501a2dd403";
const SALT: &str = "\
    2e3fce77cf8c4c7478a96d207c1c39715892cac84a18cbec9b634f4bc22b390b";
const POLICY: &str = "\
    f6f4fd33711c3574d7b86c403eaed05d1833f66cfe4349cfa19429f6b60d3a44";
const WITH_CHAIN: &str = "\
    016f70656e20736573616d65206e616d652e3fce77cf8c4c7478a96d207c1c39715892cac84a18cb\
    ec9b634f4bc22b390bb0bdf628d89ddd71fab62fe000ef766f156e62efe3b92319b7294af486c6c1\
    740bf66f285115a663187399522c7a163b7afe40f57d075358dd5c8ec237dad837cddf723e493a7f\
    a7de83053c82221ca579a56f13066aaf687210e716c0faaf";
const EMPTY: &str = "\
    016f70656e20736573616d65206e616d652e3fce77cf8c4c7478a96d207c1c39715892cac84a18cb\
    ec9b634f4bc22b390bb0bdf628d89ddd71fab62fe000ef766f156e62efe3b92319b7294af486c6c1\
    740bf66f285115a663187399522c7a163b7856bb78569a2ace4bd194a25a7fed821b";
