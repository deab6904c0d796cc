//! The client of etcd, against etcd: one member, three, some of them dead or cut off.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use raincheck_control::etcd::{Compare, Etcd, Event, KeyValue, LeaseId, Op, OpResponse, Order, Revision, Target, Txn};
use raincheck_control::https::{Client, Limits, Request, Trust};
use raincheck_control::{EndpointFault, Error, EtcdError, HttpsFault, WatchError};
use raincheck_tests::deadline::PATIENCE;
use raincheck_tests::etcd::{self, Cluster};
use raincheck_tests::pki::Authority;
use raincheck_tests::require;
use raincheck_tests::scratch::Scratch;
use raincheck_tests::upstream::Upstream;

/// No watch is made anew within a test that does not ask for it.
const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn keys_are_put_read_and_deleted() {
    require!("etcd");
    let scratch = Scratch::new();
    let server = etcd::Etcd::start(&scratch);
    let etcd = client(&[server.url()]);

    let (none, before) = etcd.get(b"a").await.unwrap();
    assert_eq!(none, None);
    let put = etcd.put(b"a", b"\0\xff1", None).await.unwrap();
    assert_eq!(put, before.next());
    let (found, at) = etcd.get(b"a").await.unwrap();
    let expected = KeyValue {
        key: b"a".to_vec(),
        value: b"\0\xff1".to_vec(),
        create_revision: put,
        mod_revision: put,
        lease: None,
    };
    assert_eq!((found.as_ref(), at), (Some(&expected), put));

    for key in [&b"p/1"[..], b"p/2", b"p0", b"o"] {
        etcd.put(key, b"x", None).await.unwrap();
    }
    let (found, _) = etcd.range_prefix(b"p/").await.unwrap();
    assert_eq!(keys(&found), ["p/1", "p/2"]);
    let deleted = etcd.delete(b"p/1").await.unwrap();
    assert_eq!(etcd.delete(b"p/1").await.unwrap(), deleted);
    etcd.delete_prefix(b"p/").await.unwrap();
    let (found, _) = etcd.range_prefix(b"").await.unwrap();
    assert_eq!(keys(&found), ["a", "o", "p0"]);

    let status = etcd.status().await.unwrap();
    assert!(status.has_leader && status.errors.is_empty() && status.version.starts_with("3."), "{status:?}");
    assert_eq!((status.origin, status.revision), (server.url(), deleted.next()));
}

#[tokio::test]
async fn many_keys_are_read_as_they_were_at_one_revision() {
    require!("etcd");
    let scratch = Scratch::new();
    let server = etcd::Etcd::start(&scratch);
    let etcd = client(&[server.url()]);
    let key = |number: usize| format!("k/{number:04}").into_bytes();
    let put = move |number, value: &str| Op::Put { key: key(number), value: value.into(), lease: None };
    // More than come in two answers.
    for first in (0..600).step_by(100) {
        let success = (first..first + 100).map(|number| put(number, "0")).collect();
        etcd.txn(&Txn { success, ..Txn::default() }).await.unwrap();
    }
    let writer = tokio::spawn({
        let etcd = etcd.clone();
        async move {
            for round in 1.. {
                let success = [0, 599].map(|number| put(number, &round.to_string())).to_vec();
                etcd.txn(&Txn { success, ..Txn::default() }).await.unwrap();
            }
        }
    });
    // Until the writer has been between two answers for sure.
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let (found, _) = etcd.range_prefix(b"k/").await.unwrap();
        assert_eq!(found.len(), 600);
        assert!(found.is_sorted_by(|a, b| a.key < b.key));
        assert_eq!(found[0].value, found[599].value);
        seen.push(found[0].value.clone());
        seen.dedup();
    }
    writer.abort();
}

#[tokio::test]
async fn a_transaction_does_the_one_or_the_other() {
    require!("etcd");
    let scratch = Scratch::new();
    let server = etcd::Etcd::start(&scratch);
    let etcd = client(&[server.url()]);
    let lease = etcd.grant(Duration::from_secs(60)).await.unwrap();
    assert!(lease.ttl >= Duration::from_secs(60));

    let claim = Txn {
        compare: vec![Compare::absent("a")],
        success: vec![Op::Put { key: b"a".to_vec(), value: b"1".to_vec(), lease: Some(lease.id) }],
        failure: vec![Op::Get { key: b"a".to_vec() }],
    };
    let first = etcd.txn(&claim).await.unwrap();
    assert_eq!((first.succeeded, &first.responses[..], first.repeated), (true, &[OpResponse::Put][..], false));
    let second = etcd.txn(&claim).await.unwrap();
    assert!(!second.succeeded);
    let [OpResponse::Range(found)] = &second.responses[..] else { panic!("{second:?}") };
    assert_eq!((found[0].mod_revision, found[0].lease), (first.revision, Some(lease.id)));

    let at = first.revision;
    let compare = |target, order| Compare { key: b"a".to_vec(), target, order };
    let cases = [
        (compare(Target::CreateRevision(at), Order::Equal), true),
        (compare(Target::CreateRevision(at), Order::Greater), false),
        (Compare::unchanged("a", at), true),
        (Compare::unchanged("a", at.next()), false),
        (compare(Target::ModRevision(at.next()), Order::Less), true),
        (compare(Target::Value(b"1".to_vec()), Order::Equal), true),
        (compare(Target::Value(b"2".to_vec()), Order::Equal), false),
        (compare(Target::Value(b"2".to_vec()), Order::NotEqual), true),
        (compare(Target::Lease(Some(lease.id)), Order::Equal), true),
        (compare(Target::Lease(None), Order::Equal), false),
        (Compare::absent("b"), true),
    ];
    for (compare, expected) in cases {
        let txn = Txn { compare: vec![compare], ..Txn::default() };
        assert_eq!(etcd.txn(&txn).await.unwrap().succeeded, expected, "{txn:?}");
    }

    let rest = Txn {
        success: vec![
            Op::Put { key: b"p/1".to_vec(), value: Vec::new(), lease: None },
            Op::RangePrefix { prefix: b"p/".to_vec() },
            Op::DeletePrefix { prefix: b"q/".to_vec() },
            Op::Delete { key: b"a".to_vec() },
        ],
        ..Txn::default()
    };
    let done = etcd.txn(&rest).await.unwrap();
    let [OpResponse::Put, OpResponse::Range(found), OpResponse::Deleted(0), OpResponse::Deleted(1)] =
        &done.responses[..]
    else {
        panic!("{done:?}")
    };
    assert_eq!(keys(found), ["p/1"]);

    let twice = Txn { success: [b"1", b"2"].map(|value| put(b"a", value)).to_vec(), ..Txn::default() };
    let refused = etcd.txn(&twice).await.unwrap_err();
    assert!(matches!(&refused, EtcdError::Refused { message, .. } if message.contains("duplicate key")), "{refused:?}");
    assert!(!refused.may_have_happened());
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_takes_its_keys_along() {
    require!("etcd");
    let scratch = Scratch::new();
    let server = etcd::Etcd::start(&scratch);
    let etcd = client(&[server.url()]);
    let [short, kept] = [1, 3600].map(Duration::from_secs);
    let [short, kept] = [etcd.grant(short).await.unwrap(), etcd.grant(kept).await.unwrap()];
    etcd.put(b"l/kept", b"1", Some(kept.id)).await.unwrap();
    let put = etcd.put(b"l/short", b"1", Some(short.id)).await.unwrap();
    assert_eq!(etcd.keep_alive(short.id).await.unwrap(), short.ttl);
    let renewed = Instant::now();

    let mut watch = etcd.watch(b"l/", put.next(), NEVER).await.unwrap();
    let deleted = soon(watch.next()).await.unwrap();
    assert!(renewed.elapsed() >= short.ttl - Duration::from_millis(100));
    assert_eq!(deleted, [Event::Delete { key: b"l/short".to_vec(), mod_revision: put.next() }]);
    assert_eq!(etcd.keep_alive(short.id).await.unwrap_err(), EtcdError::LeaseNotFound);
    assert_eq!(etcd.put(b"l/short", b"1", Some(short.id)).await.unwrap_err(), EtcdError::LeaseNotFound);
    assert_eq!(etcd.revoke(short.id).await.unwrap_err(), EtcdError::LeaseNotFound);
    assert_eq!(etcd.keep_alive(LeaseId(77)).await.unwrap_err(), EtcdError::LeaseNotFound);

    etcd.revoke(kept.id).await.unwrap();
    assert_eq!(etcd.range_prefix(b"l/").await.unwrap().0, []);
}

#[tokio::test]
async fn a_watch_tells_what_happened_since_a_revision() {
    require!("etcd");
    let scratch = Scratch::new();
    let server = etcd::Etcd::start(&scratch);
    let etcd = client(&[server.url()]);
    etcd.put(b"w/a", b"0", None).await.unwrap();
    let (_, read) = etcd.range_prefix(b"w/").await.unwrap();
    let missed = etcd.put(b"w/a", b"1", None).await.unwrap();
    etcd.put(b"other", b"1", None).await.unwrap();

    let mut watch = etcd.watch(b"w/", read.next(), NEVER).await.unwrap();
    let events = soon(watch.next()).await.unwrap();
    assert!(matches!(&events[..], [Event::Put(put)] if put.value == b"1" && put.mod_revision == missed), "{events:?}");
    assert_eq!(watch.next_revision(), missed.next());

    let both = Txn { success: [b"w/b", b"w/c"].map(|key| put(key, b"2")).to_vec(), ..Txn::default() };
    let at = etcd.txn(&both).await.unwrap().revision;
    let events = soon(watch.next()).await.unwrap();
    assert_eq!(events.iter().map(Event::key).collect::<Vec<_>>(), [b"w/b", b"w/c"]);
    assert!(events.iter().all(|event| event.mod_revision() == at), "{events:?}");
    let at = etcd.delete(b"w/b").await.unwrap();
    assert_eq!(soon(watch.next()).await.unwrap(), [Event::Delete { key: b"w/b".to_vec(), mod_revision: at }]);
}

#[tokio::test]
async fn a_watch_that_is_quiet_is_made_anew_and_misses_nothing() {
    require!("etcd");
    let scratch = Scratch::new();
    let server = etcd::Etcd::start(&scratch);
    let etcd = client(&[server.url()]);
    let at = etcd.put(b"w/a", b"0", None).await.unwrap();
    let quiet = Duration::from_millis(50);
    let mut watch = etcd.watch(b"w/", at.next(), quiet).await.unwrap();
    let mut last = at;
    for round in 0..3 {
        // Nothing comes for several times as long.
        assert!(tokio::time::timeout(6 * quiet, watch.next()).await.is_err());
        let put = etcd.put(b"w/a", &[round], None).await.unwrap();
        let events = soon(watch.next()).await.unwrap();
        assert_eq!(events.iter().map(Event::mod_revision).collect::<Vec<_>>(), [put]);
        last = put;
    }
    server.freeze();
    let lost = soon(watch.next()).await.unwrap_err();
    server.thaw();
    let WatchError::Lost(EtcdError::NoEndpoint { faults }) = &lost else { panic!("{lost}") };
    assert!(
        matches!(&faults[..], [fault] if is(fault, |fault| matches!(fault, HttpsFault::TimedOut { .. }))),
        "{lost}"
    );
    assert_eq!(watch.next_revision(), last.next());
}

#[tokio::test]
async fn a_watch_over_a_compaction_is_told() {
    require!("etcd");
    let scratch = Scratch::new();
    let server = etcd::Etcd::start(&scratch);
    let etcd = client(&[server.url()]);
    let first = etcd.put(b"w/a", b"0", None).await.unwrap();
    etcd.put(b"w/a", b"1", None).await.unwrap();
    let latest = etcd.put(b"w/a", b"2", None).await.unwrap();
    compact(&server, latest).await;

    let mut watch = etcd.watch(b"w/", first, NEVER).await.unwrap();
    assert_eq!(soon(watch.next()).await.unwrap_err(), WatchError::Compacted(latest));
    // From there on it goes.
    let mut watch = etcd.watch(b"w/", latest, NEVER).await.unwrap();
    assert_eq!(soon(watch.next()).await.unwrap()[0].mod_revision(), latest);
}

#[tokio::test]
async fn a_member_that_dies_is_left_for_the_next() {
    require!("etcd");
    let scratch = Scratch::new();
    let mut cluster = Cluster::start(&scratch, 3);
    let etcd = client(&cluster.urls());
    let at = etcd.put(b"a", b"1", None).await.unwrap();
    assert_eq!(etcd.status().await.unwrap().origin, cluster.members[0].url());
    let mut watch = etcd.watch(b"a", at.next(), NEVER).await.unwrap();

    cluster.members[0].kill();
    let lost = soon(watch.next()).await.unwrap_err();
    assert!(matches!(lost, WatchError::Lost(_)), "{lost}");
    // The two that are left may have to elect a leader first.
    let put = until_ok(async || etcd.put(b"a", b"2", None).await).await;
    let kept = etcd.status().await.unwrap().origin;
    assert_ne!(kept, cluster.members[0].url());
    let mut watch = etcd.watch(b"a", watch.next_revision(), NEVER).await.unwrap();
    assert!(soon(watch.next()).await.unwrap()[0].mod_revision() <= put);

    // One that hangs costs its time, and is left too; the one that was dead is back.
    cluster.members[0].restart(&scratch);
    let frozen = cluster.members.iter().find(|member| member.url() == kept).unwrap();
    frozen.freeze();
    until_ok(async || etcd.put(b"a", b"3", None).await).await;
    assert_ne!(etcd.status().await.unwrap().origin, kept);
    frozen.thaw();
}

#[tokio::test]
async fn a_member_that_is_cut_off_from_its_leader_says_so() {
    require!("etcd");
    let scratch = Scratch::new();
    let cluster = Cluster::start(&scratch, 3);
    let [alone, others @ ..] = &cluster.members[..] else { panic!("three") };
    let etcd = client(&[alone.url()]);
    let at = etcd.put(b"a", b"1", None).await.unwrap();
    let mut watch = etcd.watch(b"a", at.next(), NEVER).await.unwrap();

    others.iter().for_each(etcd::Etcd::freeze);
    let lost = soon(watch.next()).await.unwrap_err();
    assert!(lost.to_string().contains("etcdserver: no leader"), "{lost}");
    let refused = [etcd.get(b"a").await.map(drop), etcd.put(b"a", b"2", None).await.map(drop)];
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(error.to_string().contains("etcdserver: no leader"), "{error}");
        assert!(!error.may_have_happened());
    }
    assert!(etcd.watch(b"a", at.next(), NEVER).await.is_err());
    let status = etcd.status().await.unwrap();
    assert!(!status.has_leader && !status.errors.is_empty(), "{status:?}");

    others.iter().for_each(etcd::Etcd::thaw);
    let put = until_ok(async || etcd.put(b"a", b"2", None).await).await;
    let mut watch = etcd.watch(b"a", watch.next_revision(), NEVER).await.unwrap();
    assert_eq!(soon(watch.next()).await.unwrap()[0].mod_revision(), put);
}

#[tokio::test]
async fn a_store_that_restarts_has_what_it_had() {
    require!("etcd");
    let scratch = Scratch::new();
    let mut server = etcd::Etcd::start(&scratch);
    let etcd = client(&[server.url()]);
    let lease = etcd.grant(Duration::from_secs(3600)).await.unwrap();
    let put = etcd.put(b"a", b"1", Some(lease.id)).await.unwrap();
    let mut watch = etcd.watch(b"a", put, NEVER).await.unwrap();
    assert_eq!(soon(watch.next()).await.unwrap()[0].mod_revision(), put);

    server.kill();
    assert!(matches!(soon(watch.next()).await, Err(WatchError::Lost(_))));
    let gone = etcd.get(b"a").await.unwrap_err();
    assert!(gone.to_string().contains(&format!("{}: cannot connect: ", server.url())), "{gone}");
    assert!(!gone.may_have_happened());

    server.restart(&scratch);
    let (found, at) = etcd.get(b"a").await.unwrap();
    assert_eq!((found.unwrap().mod_revision, at), (put, put));
    etcd.keep_alive(lease.id).await.unwrap();
    let mut watch = etcd.watch(b"a", watch.next_revision(), NEVER).await.unwrap();
    let put = etcd.put(b"a", b"2", None).await.unwrap();
    assert_eq!(soon(watch.next()).await.unwrap()[0].mod_revision(), put);

    server.kill();
    server.restart_empty(&scratch);
    let lost = etcd.watch(b"a", watch.next_revision(), NEVER).await.unwrap_err();
    assert_eq!(lost, WatchError::WentBack(Revision(1)));
}

#[tokio::test]
async fn over_tls_both_sides_show_their_certificate() {
    require!("etcd");
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "ca");
    let server = etcd::Etcd::start_with_tls(&scratch, &authority);
    let identity = authority.client("node");
    let certificate = Some((identity.chain, identity.key));
    let trusting = Trust { ca: Some(authority.file()), certificate: certificate.clone() };

    let etcd = client_with(&[server.url()], &trusting);
    let put = etcd.put(b"a", b"1", None).await.unwrap();
    let mut watch = etcd.watch(b"a", put, NEVER).await.unwrap();
    assert_eq!(soon(watch.next()).await.unwrap()[0].mod_revision(), put);

    let nameless = client_with(&[server.url()], &Trust { certificate: None, ..trusting });
    let error = nameless.get(b"a").await.unwrap_err();
    assert!(of_one(&error, |fault| matches!(fault, HttpsFault::Alert { .. })), "{error}");
    let strange = Authority::new(&scratch, "another");
    let mistrusting = client_with(&[server.url()], &Trust { ca: Some(strange.file()), certificate });
    let error = mistrusting.get(b"a").await.unwrap_err();
    assert!(of_one(&error, |fault| *fault == HttpsFault::UnknownAuthority), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_is_no_etcd_is_passed_over_and_named() {
    require!("etcd");
    let scratch = Scratch::new();
    let server = etcd::Etcd::start(&scratch);
    let web = Upstream::saying("<!DOCTYPE html><title>Welcome to nginx!</title>");
    let page = format!("http://{}", web.address());

    let etcd = client(&[page.clone(), server.url()]);
    etcd.put(b"a", b"1", None).await.unwrap();
    assert_eq!(etcd.status().await.unwrap().origin, server.url());
    // The one that works is kept.
    assert_eq!(web.received().len(), 1);
    client(&[page.clone(), server.url()]).watch(b"a", Revision(1), NEVER).await.unwrap();

    let alone = client(std::slice::from_ref(&page));
    let expected = EtcdError::NoEndpoint { faults: vec![EndpointFault::NotEtcd { origin: page, status: 200 }] };
    assert_eq!(alone.get(b"a").await.unwrap_err(), expected);
    assert_eq!(alone.watch(b"a", Revision(1), NEVER).await.unwrap_err(), WatchError::Lost(expected));
}

#[tokio::test]
async fn a_ca_that_cannot_be_read_is_named() {
    let trust = Trust { ca: Some("/nowhere/ca.pem".into()), certificate: None };
    let error = Etcd::new(vec!["https://10.0.0.1:2379".parse().unwrap()], &trust, PATIENCE).unwrap_err();
    assert!(matches!(error, Error::Trust { .. }) && error.to_string().starts_with("/nowhere/ca.pem: "), "{error}");
}

/// With a limit that an etcd that is well never needs, and a test can wait for.
fn client(urls: &[String]) -> Etcd {
    let scratch = Scratch::new();
    client_with(urls, &Trust { ca: Some(Authority::new(&scratch, "nobody").file()), certificate: None })
}

fn client_with(urls: &[String], trust: &Trust) -> Etcd {
    let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
    Etcd::new(urls, trust, Duration::from_secs(3)).unwrap()
}

fn put(key: &[u8], value: &[u8]) -> Op {
    Op::Put { key: key.to_vec(), value: value.to_vec(), lease: None }
}

fn keys(found: &[KeyValue]) -> Vec<&str> {
    found.iter().map(|found| std::str::from_utf8(&found.key).unwrap()).collect()
}

fn of_one(error: &EtcdError, expected: impl Fn(&HttpsFault) -> bool) -> bool {
    matches!(error, EtcdError::NoEndpoint { faults } if faults.len() == 1 && is(&faults[0], expected))
}

fn is(fault: &EndpointFault, expected: impl Fn(&HttpsFault) -> bool) -> bool {
    matches!(fault, EndpointFault::Https(error) if expected(&error.fault))
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("soon")
}

/// Again and again, until it works.
async fn until_ok<T>(work: impl AsyncFn() -> Result<T, EtcdError>) -> T {
    let start = Instant::now();
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
    }
}

/// Forgets what was before this revision.
async fn compact(server: &etcd::Etcd, revision: Revision) {
    let scratch = Scratch::new();
    let trust = Trust { ca: Some(Authority::new(&scratch, "nobody").file()), certificate: None };
    let url = format!("{}/v3/kv/compaction", server.url()).parse().unwrap();
    let request = Request::post_json(url, format!(r#"{{"revision":"{}"}}"#, revision.0));
    let limits = Limits { time: PATIENCE, bytes: 10_000 };
    assert_eq!(Client::new(&trust).unwrap().request(request, limits).await.unwrap().status, 200);
}
