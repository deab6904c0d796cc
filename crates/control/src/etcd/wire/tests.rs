use super::*;

/// As etcd 3.4.23 writes it.
const HEADER: &str = r#""header":{"cluster_id":"29100","member_id":"71928","revision":"7","raft_term":"2"}"#;

fn answer<A: DeserializeOwned>(rest: &str) -> A {
    read("http://a:1", StatusCode::OK, format!("{{{HEADER}{rest}}}").as_bytes()).expect(rest)
}

fn fault(status: u16, body: &str) -> Fault {
    read::<Headed>("http://a:1", StatusCode::from_u16(status).unwrap(), body.as_bytes()).map(drop).unwrap_err()
}

#[test]
fn a_prefix_ends_where_the_next_one_begins() {
    let cases: [(&[u8], &[u8], &[u8]); 6] = [
        (b"a", b"a", b"b"),
        (b"raincheck/web/", b"raincheck/web/", b"raincheck/web0"),
        (b"a\xff", b"a\xff", b"b"),
        (b"a\xfe\xff\xff", b"a\xfe\xff\xff", b"a\xff"),
        (b"\xff\xff", b"\xff\xff", b"\0"),
        (b"", b"\0", b"\0"),
    ];
    for (given, key, end) in cases {
        assert_eq!(prefix(given), json!({ "key": base64(key), "range_end": base64(end) }), "{given:?}");
    }
}

#[test]
fn what_is_zero_is_left_out() {
    let empty: Range = answer("");
    assert_eq!(empty.header.revision(), Revision(7));
    assert!(!empty.more && empty.key_values().is_empty());

    let range: Range =
        answer(r#","kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"3","version":"1"}],"count":"1""#);
    let expected = KeyValue {
        key: b"a".to_vec(),
        value: Vec::new(),
        create_revision: Revision(2),
        mod_revision: Revision(3),
        lease: None,
    };
    assert_eq!(range.key_values(), [expected]);

    let range: Range = answer(r#","kvs":[{"key":"YQ==","value":"MQ==","lease":"-9223372036854775808"}],"more":true"#);
    assert!(range.more);
    let [KeyValue { value, lease, .. }] = &range.key_values()[..] else { panic!("one") };
    assert_eq!((&value[..], *lease), (&b"1"[..], Some(LeaseId(i64::MIN))));
}

#[test]
fn answers_to_a_transaction_are_told_apart() {
    let range = r#"{"response_range":{"header":{"revision":"7"},"kvs":[{"key":"YQ=="}],"count":"1"}}"#;
    let txn: TxnAnswer = answer(&format!(
        r#","succeeded":true,"responses":[{{"response_put":{{"header":{{"revision":"7"}}}}}},{range},
           {{"response_delete_range":{{"header":{{"revision":"7"}},"deleted":"2"}}}},{{"response_delete_range":{{"header":{{}}}}}}]"#
    ));
    assert!(txn.succeeded);
    let responses: Vec<_> = txn.responses.into_iter().map(OpAnswer::read).collect();
    assert!(
        matches!(&responses[..], [OpResponse::Put, OpResponse::Range(one), OpResponse::Deleted(2), OpResponse::Deleted(0)]
            if one.len() == 1),
        "{responses:?}"
    );
    assert!(!answer::<TxnAnswer>("").succeeded);
}

#[test]
fn a_lease_that_is_gone_has_no_time_left() {
    assert_eq!(answer::<Lease>(r#","ID":"77","TTL":"5""#).ttl(), Duration::from_secs(5));
    assert_eq!(answer::<Lease>(r#","ID":"77""#).ttl(), Duration::ZERO);
}

#[test]
fn a_watch_says_what_happened() {
    let created: WatchAnswer = answer(r#","created":true"#);
    assert!(created.created && !created.canceled && created.events.is_empty());
    let compacted: WatchAnswer = answer(r#","canceled":true,"compact_revision":"4""#);
    assert_eq!(compacted.compacted(), Some(Revision(4)));
    let events: WatchAnswer = answer(
        r#","events":[{"kv":{"key":"YQ==","mod_revision":"7"}},{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"7"}}]"#,
    );
    let events: Vec<_> = events.events.into_iter().map(EventAnswer::read).collect();
    assert_eq!(events.iter().map(super::super::Event::key).collect::<Vec<_>>(), [b"a", b"a"]);
    assert_eq!(format!("{:?}", events[1]), "delete a at 7");
}

#[test]
fn a_refusal_is_the_endpoints_or_the_stores() {
    let plain = |code: u32, message: &str| format!(r#"{{"error":"{message}","message":"{message}","code":{code}}}"#);
    let endpoints = [
        (503, plain(14, "etcdserver: no leader"), false),
        (503, plain(14, "etcdserver: request timed out"), true),
        (500, plain(2, "context deadline exceeded"), true),
        (400, plain(11, "etcdserver: mvcc: required revision is a future revision"), false),
        (
            503,
            r#"{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"x"}}"#
                .to_owned(),
            false,
        ),
        // A stream that began well.
        (200, r#"{"error":{"grpc_code":14,"message":"etcdserver: no leader"}}"#.to_owned(), false),
        (404, "Not Found\n".to_owned(), false),
        (404, r#"{"code":5,"message":"Not Found","details":[]}"#.to_owned(), false),
        (200, "<!DOCTYPE html><html></html>".to_owned(), false),
        (200, "{}".to_owned(), false),
        (502, "<html>Bad Gateway</html>".to_owned(), false),
    ];
    for (status, body, may_have_happened) in endpoints {
        match fault(status, &body) {
            Fault::Endpoint(fault) => assert_eq!(fault.may_have_happened(), may_have_happened, "{body}"),
            Fault::Etcd(error) => panic!("{body}: {error}"),
        }
    }
    let stores = [
        (404, plain(5, "etcdserver: requested lease not found"), EtcdError::LeaseNotFound),
        (400, plain(11, "etcdserver: mvcc: required revision has been compacted"), EtcdError::Compacted),
        (
            403,
            plain(7, "etcdserver: permission denied"),
            EtcdError::Refused {
                origin: "http://a:1".into(),
                code: 7,
                message: "etcdserver: permission denied".into(),
            },
        ),
    ];
    for (status, body, expected) in stores {
        match fault(status, &body) {
            Fault::Etcd(error) => assert_eq!(error, expected),
            Fault::Endpoint(fault) => panic!("{body}: {fault}"),
        }
    }
}
