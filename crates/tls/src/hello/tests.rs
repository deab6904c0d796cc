use super::*;

/// A ClientHello as `rustls` writes it: records, each with at most `fragment` bytes of it.
fn client_hello(body: &[u8], fragment: usize) -> Vec<u8> {
    let mut message = vec![CLIENT_HELLO];
    message.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend_from_slice(body);
    message
        .chunks(fragment)
        .flat_map(|part| [&[HANDSHAKE, 3, 1], &(part.len() as u16).to_be_bytes()[..], part].concat())
        .collect()
}

fn vec16(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u16).to_be_bytes()[..], &body].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(&[body])].concat()
}

fn body(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[2, 0xaa, 0xbb]); // session ID
    body.extend_from_slice(&vec16(&[&[0x13, 0x01], &[0xc0, 0x2b]]));
    body.extend_from_slice(&[1, 0]); // compression
    if !extensions.is_empty() {
        body.extend_from_slice(&vec16(&extensions.iter().map(Vec::as_slice).collect::<Vec<_>>()));
    }
    body
}

fn everything() -> (Vec<u8>, ClientHello) {
    let name = vec16(&[&[HOST_NAME], &vec16(&[b"Shop.Example"])]);
    let psk = [vec16(&[&vec16(&[b"identity"]), &[0; 4], &vec16(&[b"other"]), &[0; 4]]), vec16(&[&[1, 9]])].concat();
    let bytes = body(&[
        extension(SERVER_NAME, &name),
        extension(EXTENDED_MASTER_SECRET, &[]),
        extension(SESSION_TICKET, b"ticket"),
        extension(SUPPORTED_VERSIONS, &[4, 3, 4, 3, 3]),
        extension(PSK_KEY_EXCHANGE_MODES, &[1, PSK_DHE_KE]),
        extension(TICKET_REQUEST, &[2, 1]),
        extension(0xfafa, b"grease"),
        extension(PRE_SHARED_KEY, &psk),
    ]);
    let hello = ClientHello {
        server_name: Some("shop.example".into()),
        session_id: vec![0xaa, 0xbb],
        ticket: Some(b"ticket".to_vec()),
        offers_tls12: true,
        offers_tls13: true,
        psk_identities: 2,
        psk_with_dhe: true,
        ticket_request: true,
        extended_master_secret: true,
        cipher_suites: vec![0x1301, 0xc02b],
    };
    (bytes, hello)
}

#[test]
fn everything_is_read_however_it_is_cut() {
    let (body, hello) = everything();
    for fragment in [1, 7, 100, 16_384] {
        let bytes = client_hello(&body, fragment);
        assert_eq!(read(&bytes), Read::Hello(Box::new(hello.clone())), "fragments of {fragment}");
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Read::Incomplete, "{cut} bytes, fragments of {fragment}");
        }
    }
}

#[test]
fn a_hello_without_extensions_offers_what_it_has() {
    let expected = ClientHello {
        session_id: vec![0xaa, 0xbb],
        offers_tls12: true,
        cipher_suites: vec![0x1301, 0xc02b],
        ..ClientHello::default()
    };
    assert_eq!(read(&client_hello(&body(&[]), 100)), Read::Hello(Box::new(expected)));
}

#[test]
fn an_empty_ticket_extension_asks_for_one() {
    let Read::Hello(hello) = read(&client_hello(&body(&[extension(SESSION_TICKET, &[])]), 100)) else {
        panic!("not read");
    };
    assert_eq!(hello.ticket, Some(vec![]));
}

#[test]
fn what_lies_about_its_length_is_malformed() {
    let (mut body, _) = everything();
    let last = body.len() - 1;
    for bytes in [&body[..last], &body[..60], &body[..10]] {
        assert_eq!(read(&client_hello(bytes, 100)), Read::Malformed, "{} bytes", bytes.len());
    }
    body.push(0);
    assert_eq!(read(&client_hello(&body, 100)), Read::Malformed);
    for odd in [extension(SUPPORTED_VERSIONS, &[3, 3, 4, 3]), extension(SERVER_NAME, &[0, 9, 0])] {
        assert_eq!(read(&client_hello(&super::tests::body(&[odd]), 100)), Read::Malformed);
    }
}

#[test]
fn what_is_no_client_hello_is_malformed_at_once() {
    for bytes in [
        b"GET / HTTP/1.1\r\n".as_slice(),
        b"\x80\x2e\x01\x00\x02",                 // SSLv2
        b"\x17\x03\x03\x00\x01\x00",             // application data
        b"\x16\x02\x00\x00\x01\x01",             // SSL 2
        b"\x16\x03\x01\x00\x00",                 // an empty record
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", // ServerHello
        b"\x16\x03\x01\x00\x04\x01\x01\x00\x00", // 64 KiB and more
    ] {
        assert_eq!(read(bytes), Read::Malformed, "{bytes:x?}");
    }
}

#[test]
fn a_record_of_more_than_16_kib_is_too_long_wherever_it_comes() {
    for length in [0x4001_u16, 0x4100, 0x4800, 0xffff] {
        let header = [&[HANDSHAKE, 3, 1][..], &length.to_be_bytes()].concat();
        assert_eq!(read(&header), Read::TooLong, "{length}");
        let half = client_hello(&everything().0, 100);
        assert_eq!(read(&[&half[..105], &header].concat()), Read::TooLong, "{length}, as the second");
    }
    assert_eq!(read(&[HANDSHAKE, 3, 1, 0x40, 0]), Read::Incomplete);
}

#[test]
fn what_offers_no_tls12_is_too_old() {
    let with = |legacy: u8, extensions: &[Vec<u8>]| {
        let mut body = body(extensions);
        body[1] = legacy;
        read(&client_hello(&body, 100))
    };
    let versions = |listed: &[u8]| extension(SUPPORTED_VERSIONS, &[&[listed.len() as u8], listed].concat());
    for legacy in 0..3 {
        assert_eq!(with(legacy, &[]), Read::TooOld, "{legacy}");
    }
    assert!(matches!(with(4, &[]), Read::Hello(_)));
    // What is listed counts alone.
    assert_eq!(with(3, &[versions(&[3, 2, 3, 1])]), Read::TooOld);
    for listed in [[3, 3], [3, 4]] {
        assert!(matches!(with(1, &[versions(&listed)]), Read::Hello(_)), "{listed:?}");
    }
}
