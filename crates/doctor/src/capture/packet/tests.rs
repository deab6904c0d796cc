use std::net::SocketAddr;

use super::*;

#[test]
fn each_link_has_its_headers() {
    let mac = [0x02; 12];
    let sll = [&[0, 4, 0, 1, 0, 6][..], &[0; 8]].concat();
    let sll2 = [0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 0, 0, 0, 0, 0, 0, 0, 0];
    let ethernet = |tags: &[u8]| [&mac[..], tags].concat();
    let cases: &[(&str, u16, Vec<u8>, Vec<u8>)] = &[
        ("Ethernet", 1, ethernet(&[0x08, 0x00]), ethernet(&[0x86, 0xdd])),
        ("802.1Q", 1, ethernet(&[0x81, 0, 0, 5, 0x08, 0x00]), ethernet(&[0x81, 0, 0, 5, 0x86, 0xdd])),
        ("802.1ad", 1, ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]), ethernet(&[0x88, 0xa8, 0, 5, 0x86, 0xdd])),
        ("QinQ", 1, ethernet(&[0x91, 0, 0, 5, 0x81, 0, 0, 6, 8, 0]), ethernet(&[0x91, 0, 0, 5, 0x86, 0xdd])),
        (
            "PPPoE",
            1,
            ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x21]),
            ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x57]),
        ),
        ("cooked", 113, [&sll[..], &[8, 0]].concat(), [&sll[..], &[0x86, 0xdd]].concat()),
        ("cooked, VLAN", 113, [&sll[..], &[0x81, 0, 0, 5, 8, 0]].concat(), [&sll[..], &[0x86, 0xdd]].concat()),
        ("cooked 2", 276, [&[8, 0][..], &sll2].concat(), [&[0x86, 0xdd][..], &sll2].concat()),
        ("loopback, big-endian", 0, vec![0, 0, 0, 2], vec![0, 0, 0, 24]),
        ("loopback, little-endian", 0, vec![2, 0, 0, 0], vec![28, 0, 0, 0]),
        ("OpenBSD's loopback", 108, vec![0, 0, 0, 2], vec![0, 0, 0, 24]),
        ("macOS' and Linux' loopback", 0, vec![2, 0, 0, 0], vec![30, 0, 0, 0]),
        ("PPP", 9, vec![0, 0x21], vec![0, 0x57]),
        ("PPP in HDLC", 50, vec![0xff, 3, 0, 0x21], vec![0xff, 3, 0, 0x57]),
        ("PPP, compressed", 9, vec![0xff, 3, 0x21], vec![0x57]),
        ("PPPoE alone", 51, vec![0x11, 0, 0, 1, 0, 42, 0, 0x21], vec![0x11, 0, 0, 1, 0, 42, 0, 0x57]),
        ("raw", 101, vec![], vec![]),
        ("raw, BSD", 12, vec![], vec![]),
        ("raw, OpenBSD", 14, vec![], vec![]),
    ];
    for (name, link, before_v4, before_v6) in cases {
        for (before, packet, address) in [
            (before_v4, ipv4(&tcp(b"hello")), "10.0.0.1:50000"),
            (before_v6, ipv6(6, &tcp(b"hello")), "[fd00::1]:50000"),
        ] {
            let frame = [&before[..], &packet].concat();
            let header = whole(*link, &frame).unwrap_or_else(|skip| panic!("{name}, {address}: {skip:?}"));
            assert_eq!(header.source, address.parse::<SocketAddr>().unwrap(), "{name}");
            assert_eq!(&frame[header.payload.clone()], b"hello", "{name}");
            // Cut anywhere: nobody can tell, or less of the same payload.
            for captured in 0..frame.len() {
                match read(LinkType(*link), &frame[..captured], frame.len()) {
                    Err(skip) => assert_eq!(skip, Skip::Cut, "{name}, {captured} bytes"),
                    Ok(cut) => {
                        assert!(frame[..captured].get(cut.payload.clone()).is_some_and(|payload| payload.len() < 5));
                        assert!(cut.length == 5, "{name}, {captured} bytes: {cut:?}");
                        assert_eq!(
                            Header { payload: header.payload.clone(), ..cut },
                            header,
                            "{name}, {captured} bytes"
                        );
                    }
                }
            }
        }
    }
    assert_eq!(whole(228, &ipv4(&tcp(b""))).map(|header| header.length), Ok(0));
    assert_eq!(whole(229, &ipv6(6, &tcp(b""))).map(|header| header.length), Ok(0));
}

#[test]
fn what_is_no_tcp_is_left_out() {
    let mac = [2; 12];
    let cases: &[(&str, u16, Vec<u8>, Skip)] = &[
        ("ARP", 1, [&mac[..], &[8, 6], &[0; 46]].concat(), Skip::NotTcp),
        ("spanning tree", 1, [&mac[..], &[0, 38, 0x42, 0x42, 3], &[0; 43]].concat(), Skip::NotTcp),
        ("UDP", 101, ipv4_of(17, &[0; 8]), Skip::NotTcp),
        ("ICMPv6", 101, ipv6(58, &[0; 8]), Skip::NotTcp),
        ("AppleTalk", 0, vec![16, 0, 0, 0, 1, 2, 3, 4], Skip::NotTcp),
        ("LCP", 9, vec![0xff, 3, 0xc0, 0x21, 1, 2, 3, 4], Skip::NotTcp),
        ("radio", 127, ipv4(&tcp(b"hello")), Skip::UnknownLink),
        ("USB", 220, vec![], Skip::UnknownLink),
    ];
    for (name, link, frame, skip) in cases {
        assert_eq!(whole(*link, frame), Err(*skip), "{name}");
    }
}

#[test]
fn a_segment_is_read_whole() {
    let header = [
        &[0x01, 0xbb, 0xc3, 0x50][..],
        &[0xfe, 0xdc, 0xba, 0x98, 0x01, 0x23, 0x45, 0x67],
        &[0x80, 0x12, 0xff, 0xff, 0, 0, 0, 0],
        &[2, 4, 5, 0xb4, 4, 2, 1, 1, 1, 3, 3, 7],
    ]
    .concat();
    let frame = ipv4(&[&header[..], b"early"].concat());
    let segment = whole(101, &frame).unwrap().segment(Moment { packet: 4, ..Moment::default() }, &frame);
    let expected = Segment {
        at: Moment { packet: 4, ..Moment::default() },
        source: "10.0.0.1:443".parse().unwrap(),
        destination: "10.0.0.2:50000".parse().unwrap(),
        sequence: 0xfedc_ba98,
        acknowledgement: 0x0123_4567,
        flags: Flags { syn: true, ack: true, ..Flags::default() },
        payload: b"early",
        length: 5,
    };
    assert_eq!(segment, expected);
}

#[test]
fn each_flag_is_its_own() {
    let none = Flags::default();
    let cases = [
        (0x01, Flags { fin: true, ..none }),
        (0x02, Flags { syn: true, ..none }),
        (0x04, Flags { rst: true, ..none }),
        (0x10, Flags { ack: true, ..none }),
        (0xe8, none),
    ];
    for (bits, flags) in cases {
        let mut segment = tcp(b"");
        segment[13] = bits;
        assert_eq!(whole(101, &ipv4(&segment)).unwrap().flags, flags, "{bits:#x}");
    }
}

#[test]
fn what_ip_has_ahead_of_tcp_is_passed() {
    let mut with_options = ipv4(&[&[1; 8][..], &tcp(b"hello")].concat());
    with_options[0] = 0x47;
    let authentication = |next: u8| [&[next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[0; 12]].concat();
    let extension = |next: u8| vec![next, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let unfragmented = vec![51, 0, 0, 0, 0, 0, 0, 9];
    let chain = [extension(43), extension(60), extension(44), unfragmented, authentication(6), tcp(b"hello")].concat();
    let cases = [
        ("options", with_options),
        ("authentication", ipv4_of(51, &[authentication(6), tcp(b"hello")].concat())),
        ("every extension", ipv6(0, &chain)),
    ];
    for (name, frame) in cases {
        let header = whole(101, &frame).unwrap_or_else(|skip| panic!("{name}: {skip:?}"));
        assert_eq!((&frame[header.payload], header.length), (&b"hello"[..], 5), "{name}");
    }
}

#[test]
fn of_fragments_the_first_is_a_segment() {
    let ipv4_fragment = |offset: [u8; 2], protocol| {
        let mut packet = ipv4_of(protocol, &tcp(b"hello"));
        packet[6..8].copy_from_slice(&offset);
        packet
    };
    let ipv6_fragment =
        |offset: [u8; 2]| ipv6(44, &[&[6, 0, offset[0], offset[1], 0, 0, 0, 9][..], &tcp(b"hello")].concat());
    for first in [ipv4_fragment([0x20, 0], 6), ipv6_fragment([0, 1])] {
        let header = whole(101, &first).unwrap();
        assert_eq!((&first[header.payload], header.length), (&b"hello"[..], 5));
    }
    for later in
        [ipv4_fragment([0x20, 4], 6), ipv4_fragment([0, 4], 6), ipv6_fragment([0, 0x21]), ipv6_fragment([0, 0x20])]
    {
        assert_eq!(whole(101, &later), Err(Skip::Fragment));
    }
    assert_eq!(whole(101, &ipv4_fragment([0, 4], 17)), Err(Skip::NotTcp));
}

#[test]
fn padding_is_no_payload() {
    let frame = [&[2; 12][..], &[8, 0], &ipv4(&tcp(b"")), &[0; 6]].concat();
    let header = whole(1, &frame).unwrap();
    assert_eq!((header.payload.len(), header.length), (0, 0));
}

#[test]
fn a_length_of_zero_is_as_long_as_the_frame() {
    let mut of_v4 = ipv4(&tcp(&[7; 1000]));
    of_v4[2..4].fill(0);
    let mut of_v6 = ipv6(6, &tcp(&[7; 1000]));
    of_v6[4..6].fill(0);
    // BIG TCP says its length in a hop-by-hop option (RFC 2675 §2), which adds nothing to what the frame tells.
    let jumbo = [&[6, 0, 0xc2, 4, 0, 0, 4, 4][..], &tcp(&[7; 1000])].concat();
    let mut of_jumbo = ipv6(0, &jumbo);
    of_jumbo[4..6].fill(0);
    for packet in [of_v4, of_v6, of_jumbo] {
        let frame = [&[2; 12][..], if packet[0] >> 4 == 4 { &[8, 0] } else { &[0x86, 0xdd] }, &packet].concat();
        let header = whole(1, &frame).unwrap();
        assert_eq!((header.payload.len(), header.length), (1000, 1000));
        let header = read(LinkType::ETHERNET, &frame[..frame.len() - 900], frame.len()).unwrap();
        assert_eq!((header.payload.len(), header.length), (100, 1000));
    }
}

#[test]
fn a_slice_that_was_never_said_to_be_one_is_cut_all_the_same() {
    // Packet brokers cut packets, and then say that this is how long they were.
    let frame = ipv4(&tcp(&[7; 1000]));
    let header = whole(101, &frame[..140]).unwrap();
    assert_eq!((header.payload.len(), header.length), (100, 1000));
    assert_eq!(whole(101, &frame[..30]), Err(Skip::Cut));
}

#[test]
fn lengths_that_lie_are_malformed() {
    let change = |packet: Vec<u8>, at: usize, value: u8| {
        let mut packet = packet;
        packet[at] = value;
        packet
    };
    let v4 = || ipv4(&tcp(b"hello"));
    let cases = [
        ("a version that is none", change(v4(), 0, 0x55)),
        ("a header of IPv4 that is too short", change(v4(), 0, 0x44)),
        ("a header of IPv4 that is longer than the packet", change(ipv4_of(6, &[0; 8]), 0, 0x4f)),
        ("a packet that is shorter than its header", change(v4(), 3, 19)),
        ("a packet without room for TCP", change(v4(), 3, 39)),
        ("a packet with room for nothing but ports", ipv4_of(6, &[0; 4])),
        ("a header of TCP that is too short", change(v4(), 20 + 12, 0x40)),
        ("a header of TCP that is longer than the packet", change(v4(), 20 + 12, 0x70)),
        (
            "an extension that is longer than the packet",
            ipv6(60, &[&[6, 9, 1, 12, 0, 0, 0, 0][..], &tcp(b"hello")].concat()),
        ),
        (
            "hop-by-hop options that come late",
            ipv6(60, &[&[0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0][..], &tcp(b"")].concat()),
        ),
        ("nothing", vec![]),
    ];
    for (name, frame) in cases {
        assert_eq!(whole(101, &frame), Err(Skip::Malformed), "{name}");
    }
    assert_eq!(whole(1, &[2; 13]), Err(Skip::Malformed));
}

/// Reads a frame that was captured whole.
fn whole(link: u16, frame: &[u8]) -> Result<Header, Skip> {
    read(LinkType(link), frame, frame.len())
}

fn tcp(payload: &[u8]) -> Vec<u8> {
    let header = [0xc3, 0x50, 0x01, 0xbb, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0];
    [&header[..], payload].concat()
}

fn ipv4(segment: &[u8]) -> Vec<u8> {
    ipv4_of(6, segment)
}

fn ipv4_of(protocol: u8, carried: &[u8]) -> Vec<u8> {
    let [hi, lo] = (20 + carried.len() as u16).to_be_bytes();
    let header = [0x45, 0, hi, lo, 0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    [&header[..], carried].concat()
}

fn ipv6(next: u8, carried: &[u8]) -> Vec<u8> {
    let [hi, lo] = (carried.len() as u16).to_be_bytes();
    let address = |last| [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    [&[0x60, 0, 0, 0, hi, lo, next, 64][..], &address(1), &address(2), carried].concat()
}
