use super::*;

#[test]
fn what_is_written_is_what_the_gateway_reads() {
    let txn = Txn {
        compare: vec![
            Compare::absent("a"),
            Compare::unchanged("a", Revision(7)),
            Compare { key: b"a".to_vec(), target: Target::Value(b"1".to_vec()), order: Order::NotEqual },
            Compare { key: b"a".to_vec(), target: Target::Lease(Some(LeaseId(77))), order: Order::Less },
            Compare { key: b"a".to_vec(), target: Target::Lease(None), order: Order::Greater },
        ],
        success: vec![
            Op::Put { key: b"a".to_vec(), value: b"1".to_vec(), lease: Some(LeaseId(77)) },
            Op::Delete { key: b"a".to_vec() },
            Op::DeletePrefix { prefix: b"a".to_vec() },
        ],
        failure: vec![Op::Get { key: b"a".to_vec() }, Op::RangePrefix { prefix: b"a".to_vec() }],
    };
    let expected = json!({
        "compare": [
            { "key": "YQ==", "target": "CREATE", "result": "EQUAL", "create_revision": "0" },
            { "key": "YQ==", "target": "MOD", "result": "EQUAL", "mod_revision": "7" },
            { "key": "YQ==", "target": "VALUE", "result": "NOT_EQUAL", "value": "MQ==" },
            { "key": "YQ==", "target": "LEASE", "result": "LESS", "lease": "77" },
            { "key": "YQ==", "target": "LEASE", "result": "GREATER", "lease": "0" },
        ],
        "success": [
            { "request_put": { "key": "YQ==", "value": "MQ==", "lease": "77" } },
            { "request_delete_range": { "key": "YQ==" } },
            { "request_delete_range": { "key": "YQ==", "range_end": "Yg==" } },
        ],
        "failure": [
            { "request_range": { "key": "YQ==" } },
            { "request_range": { "key": "YQ==", "range_end": "Yg==" } },
        ],
    });
    assert_eq!(txn.to_json(), expected);
}

#[test]
fn no_value_is_shown() {
    let value = b"never seen".to_vec();
    let key_value = KeyValue {
        key: b"a\n".to_vec(),
        value: value.clone(),
        create_revision: Revision(1),
        mod_revision: Revision(2),
        lease: None,
    };
    let compare = Compare { key: b"a".to_vec(), target: Target::Value(value.clone()), order: Order::Equal };
    let put = Op::Put { key: b"a".to_vec(), value, lease: None };
    assert_eq!(format!("{key_value:?}"), "a\\n = 10 bytes, of 1, put at 2, None");
    for shown in [
        format!("{:?}", Event::Put(key_value.clone())),
        format!("{:?}", OpResponse::Range(vec![key_value])),
        format!("{:?}", Txn { compare: vec![compare], success: vec![put], failure: Vec::new() }),
    ] {
        assert!(shown.contains("10 bytes") && !shown.contains("never"), "{shown}");
        assert!(!shown.contains("110, 101"), "{shown}");
    }
}
