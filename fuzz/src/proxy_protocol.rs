use raincheck_edge::proxy_protocol::{MAX_HEADER, Read, Tls, read, write_v1, write_v2};

/// The PROXY protocol header: what has been judged is not judged otherwise once more has come, nobody makes us wait for
/// more than the longest header, and addresses that were read are read again once written.
pub fn proxy_protocol(bytes: &[u8]) -> bool {
    let whole = read(bytes);
    for prefix in super::prefixes(bytes) {
        let judged = read(prefix);
        assert!(judged == Read::Incomplete || judged == whole, "{judged:?}, then {whole:?}");
    }
    match whole {
        Read::Incomplete => assert!(bytes.len() < MAX_HEADER),
        Read::Malformed => {}
        Read::Header { addresses, length } => {
            assert!(length <= MAX_HEADER);
            assert_eq!(read(&bytes[..length]), whole);
            assert_eq!(read(&bytes[..length - 1]), Read::Incomplete);
            if let Some(addresses) = addresses {
                for header in [write_v1(addresses), write_v2(addresses, Tls::default())] {
                    assert_eq!(read(&header), Read::Header { addresses: Some(addresses), length: header.len() });
                }
            }
        }
    }
    matches!(whole, Read::Header { .. })
}
