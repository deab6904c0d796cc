use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::*;

/// A segment of 10 bytes over Ethernet and IPv4.
pub(super) const FRAME: &[u8] = &[
    2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, // Ethernet
    0x45, 0, 0, 50, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
    0xc3, 0x50, 1, 0xbb, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0, // TCP
    b'0', b'1', b'2', b'3', b'4', b'5', b'6', b'7', b'8', b'9',
];

/// A capture of these bytes.
pub(super) fn read(bytes: Vec<u8>) -> Capture {
    Capture::from_reader("capture", io::Cursor::new(bytes))
}

/// Of each segment: the packet, the time in nanoseconds, how much payload was captured and how much there was.
pub(super) fn segments(bytes: Vec<u8>) -> (Vec<(u64, u64, usize, usize)>, Counts) {
    let mut capture = read(bytes);
    let mut segments = Vec::new();
    while let Some(event) = capture.next().unwrap() {
        if let Event::Segment(segment) = event {
            let at = segment.at;
            segments.push((at.packet, at.time.nanoseconds(), segment.payload.len(), segment.length));
        }
    }
    assert_eq!(capture.notices(), []);
    (segments, *capture.counts())
}

/// A pcap file of so many times [`FRAME`], a second apart.
fn pcap(packets: u32) -> Vec<u8> {
    let mut file = header([0xd4, 0xc3, 0xb2, 0xa1], 1);
    for second in 0..packets {
        file.extend([second, 0, FRAME.len() as u32, FRAME.len() as u32].map(u32::to_le_bytes).concat());
        file.extend(FRAME);
    }
    file
}

/// The header of a little-endian pcap file.
fn header(magic: [u8; 4], link: u32) -> Vec<u8> {
    [&magic[..], &[2, 0, 4, 0], &[0; 8], &[0, 0, 4, 0], &link.to_le_bytes()].concat()
}

#[test]
fn each_dialect_of_pcap_is_read() {
    let little = |number: u32| number.to_le_bytes();
    let big = |number: u32| number.to_be_bytes();
    type Bytes = fn(u32) -> [u8; 4];
    let cases: [(u32, Bytes, usize, u64); 6] = [
        (0xa1b2_c3d4, little, 0, 5_000_007_000),
        (0xa1b2_c3d4, big, 0, 5_000_007_000),
        (0xa1b2_3c4d, little, 0, 5_000_000_007),
        (0xa1b2_3c4d, big, 0, 5_000_000_007),
        (0xa1b2_cd34, little, 8, 5_000_007_000),
        (0xa1b2_cd34, big, 8, 5_000_007_000),
    ];
    for (magic, number, more, time) in cases {
        // The upper half of the link's number tells of 4 bytes of a checksum behind each packet.
        let start = [magic, 0x0002_0004, 0, 0, 0x0004_0000, 0x4400_0001].map(number).concat();
        let packet =
            [&[5, 7, 60, FRAME.len() as u32].map(number).concat()[..], &vec![0xff; more], &FRAME[..60]].concat();
        let (found, _) = segments([start, packet.clone(), packet].concat());
        assert_eq!(found, [(1, time, 6, 10), (2, time, 6, 10)], "{magic:x}, {:x?}", number(magic));
    }
}

#[test]
fn a_file_that_is_cut_gives_what_comes_before() {
    let whole = pcap(3);
    let record = 16 + FRAME.len();
    for length in 24..whole.len() {
        let mut capture = read(whole[..length].to_vec());
        let packets = (length - 24) / record;
        for packet in 1..=packets as u64 {
            assert!(matches!(capture.next(), Ok(Some(Event::Segment(segment))) if segment.at.packet == packet));
        }
        assert_eq!(capture.next().unwrap(), None);
        let offset = 24 + packets * record;
        let cut = Notice::Cut { name: "capture".to_owned(), packets: packets as u64, offset: offset as u64 };
        assert_eq!(capture.notices(), if offset == length { &[][..] } else { std::slice::from_ref(&cut) });
        assert_eq!(capture.next().unwrap(), None, "and stays at its end");
    }
}

#[test]
fn a_packet_that_claims_too_much_ends_the_file() {
    let mut file = pcap(1);
    let offset = file.len() as u64;
    file.extend([9, 0, u32::MAX, u32::MAX].map(u32::to_le_bytes).concat());
    let mut capture = read(file);
    assert!(matches!(capture.next(), Ok(Some(Event::Segment(_)))));
    assert_eq!(capture.next().unwrap(), None);
    assert!(matches!(capture.notices(), [Notice::Broken { packets: 1, offset: at, .. }] if *at == offset));
    let said = capture.notices()[0].to_string();
    assert!(said.starts_with(&format!("capture cannot be read from byte {offset} on, behind packet 1:")), "{said}");
}

#[test]
fn a_file_that_breaks_at_its_first_packet_is_an_error() {
    let mut capture = read([pcap(0), [9, 0, u32::MAX, u32::MAX].map(u32::to_le_bytes).concat()].concat());
    let error = capture.next().unwrap_err();
    assert!(matches!(error, Error::Broken { offset: 24, .. }), "{error}");
    assert_eq!(capture.next().unwrap(), None);
}

#[test]
fn compression_is_told_by_content() {
    let whole = pcap(5000);
    let halves = whole.split_at(whole.len() / 2);
    let cases = [
        ("gzip", gzip(&whole)),
        ("two gzip members", [gzip(halves.0), gzip(halves.1)].concat()),
        ("zstd", zstd::encode_all(&whole[..], 3).unwrap()),
        ("two zstd frames", [halves.0, halves.1].map(|half| zstd::encode_all(half, 3).unwrap()).concat()),
        (
            "zstd behind a frame to skip",
            [&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9], &zstd::encode_all(&whole[..], 3).unwrap()[..]].concat(),
        ),
    ];
    for (name, bytes) in &cases {
        let (found, _) = segments(bytes.clone());
        assert_eq!(found.len(), 5000, "{name}");
        let (packets, notices) = read_on(&bytes[..bytes.len() - 9]);
        assert!(
            matches!(notices[..], [Notice::Cut { packets: before, .. }] if before == packets && before > 0),
            "{name}: {notices:?}"
        );
    }
    let mut damaged = [gzip(&whole), vec![0x1f, 0x8b, 0xff, 0xff]].concat();
    damaged.extend([0xff; 32]);
    let (packets, notices) = read_on(&damaged);
    assert_eq!(packets, 5000);
    assert!(matches!(notices[..], [Notice::Broken { packets: 5000, .. }]), "{notices:?}");
}

#[test]
fn files_are_counted_on_through() {
    let directory = tempfile::tempdir().unwrap();
    let paths = [3, 2].map(|packets| {
        let path = directory.path().join(format!("{packets}.pcap"));
        fs::write(&path, pcap(packets)).unwrap();
        path
    });
    let mut capture = Capture::open(paths.iter().map(Source::named)).unwrap();
    let total = (pcap(3).len() + pcap(2).len()) as u64;
    assert_eq!((capture.progress().read(), capture.progress().total()), (0, Some(total)));
    for packet in 1..=5 {
        assert!(matches!(capture.next(), Ok(Some(Event::Segment(segment))) if segment.at.packet == packet));
    }
    assert_eq!(capture.next().unwrap(), None);
    assert_eq!(capture.progress().read(), total);
    let names = paths.map(|path| path.display().to_string());
    let located = (0..=5).map(|packet| capture.locate(packet)).collect::<Vec<_>>();
    let [first, second] = [&names[0][..], &names[1][..]];
    let expected = [None, Some((first, 1)), Some((first, 2)), Some((first, 3)), Some((second, 1)), Some((second, 2))];
    assert_eq!(located, expected);
}

#[test]
fn a_pipe_hands_on_each_packet_as_it_comes() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut capture = Capture::from_reader("pipe", reader);
    assert_eq!(capture.progress().total(), None);
    let file = pcap(3);
    let (start, packets) = file.split_at(24);
    writer.write_all(start).unwrap();
    for packet in packets.chunks(16 + FRAME.len()) {
        // Whoever waits for more than this packet waits for ever.
        writer.write_all(packet).unwrap();
        assert!(matches!(capture.next(), Ok(Some(Event::Segment(segment))) if segment.payload == b"0123456789"));
    }
    drop(writer);
    assert_eq!(capture.next().unwrap(), None);
}

#[test]
fn what_cannot_be_read_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = |bytes: &[u8]| {
        let path = directory.path().join("x.pcap");
        fs::write(&path, bytes).unwrap();
        path
    };
    let path = file(b"").display().to_string();
    let cases: [(&[u8], &str); 11] = [
        (b"", "is empty;"),
        (&gzip(b""), "is empty;"),
        (b"\xd4\xc3", "is no capture (it is shorter than the header of one)"),
        (b"\xd4\xc3\xb2\xa1\x02\0", "cannot be read from byte 0 on: it ends within its header"),
        (b"CLIENT_RANDOM 00 00\n", "is no capture (it is a TLS key log); pcap and pcapng are read"),
        (b"12:00:00.0 IP 10.0.0.1.443 > ", "is no capture (it is text)"),
        (b"snoop\0\0\0\0\0\0\x02", "is no capture (it is in Solaris' snoop format)"),
        (&gzip(b"\0\x01\x02\x03 no capture"), "is no capture (it begins as none does)"),
        (&[&header([0xd4, 0xc3, 0xb2, 0xa1], 220), &pcap(1)[24..]].concat(), "was captured on USB (link type 220)"),
        (&[&header([0xd4, 0xc3, 0xb2, 0xa1], 127), &pcap(1)[24..]].concat(), "was captured on 802.11 radio"),
        (&header([0xd4, 0xc3, 0xb2, 0xa1], 253), "was captured on netlink"),
    ];
    for (bytes, words) in cases {
        let said = failure(&file(bytes));
        assert!(said.starts_with(&format!("{path} {words}")), "{said}");
    }
    let directory_said = failure(directory.path());
    assert!(directory_said.contains(" is a directory; name the captures in it"), "{directory_said}");
    let missing = failure(&directory.path().join("no.pcap"));
    assert!(missing.contains("no.pcap: No such file") && missing.ends_with("; check the path"), "{missing}");
    let forbidden = Error::Open { name: path, why: io::ErrorKind::PermissionDenied.into() }.to_string();
    assert!(forbidden.contains("permission denied; captures mostly belong to root"), "{forbidden}");
}

#[test]
fn a_file_with_no_packets_is_sound() {
    assert_eq!(segments(pcap(0)).0, []);
}

/// One connection in every format: each file was rewritten from the first.
#[test]
fn every_format_says_the_same() {
    let segments = |name: &str| {
        let mut capture = Capture::open([Source::File(testdata(name))]).unwrap();
        let mut segments = Vec::new();
        while let Some(event) = capture.next().unwrap() {
            if let Event::Segment(segment) = event {
                segments.push((segment.at.packet, segment.sequence, segment.flags, segment.payload.to_vec()));
            }
        }
        assert_eq!(capture.notices(), [], "{name}");
        segments
    };
    let expected = segments("11c_base_rotation_tls12.pcap");
    // As tshark counts.
    assert_eq!(expected.len(), 63);
    assert_eq!(expected.iter().map(|(.., payload)| payload.len()).sum::<usize>(), 6803);
    let rewritten = [
        "11s_link_loop.pcap",
        "11s_link_raw.pcap",
        "11s_link_sll.pcap",
        "11s_nanosecond.pcap",
        "11s_vlan.pcap",
        "11v_gzip.pcap.gz",
        "11v_nsecpcap.pcap",
        "11v_pcapng.pcapng",
        "11v_pcapng_with_embedded_keys.pcapng",
    ];
    for name in rewritten {
        assert_eq!(segments(name), expected, "{name}");
    }
}

#[test]
fn a_snap_length_and_the_end_of_a_file_cut() {
    let cases = [
        ("11p_gso_snaplen1600_truncated_tls12.pcap", 67, 4, None),
        ("11u_file_cut_mid_packet.pcap", 56, 0, Some(11130)),
    ];
    for (name, packets, incomplete, cut) in cases {
        let mut capture = Capture::open([Source::File(testdata(name))]).unwrap();
        while capture.next().unwrap().is_some() {}
        let counts = capture.counts();
        assert_eq!((counts.packets, counts.segments, counts.incomplete), (packets, packets, incomplete), "{name}");
        let name = testdata(name).display().to_string();
        let notice = cut.map(|offset| Notice::Cut { name, packets, offset });
        assert_eq!(capture.notices(), notice.as_slice());
    }
}

/// How many packets `bytes` give, and what is said about them.
fn read_on(bytes: &[u8]) -> (u64, Vec<Notice>) {
    let mut capture = read(bytes.to_vec());
    while capture.next().unwrap().is_some() {}
    (capture.counts().packets, capture.notices().to_vec())
}

/// What is said of a file that cannot be read.
fn failure(path: &Path) -> String {
    let mut capture = match Capture::open([Source::named(path)]) {
        Ok(capture) => capture,
        Err(error) => return error.to_string(),
    };
    loop {
        match capture.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("{} was read", path.display()),
            Err(error) => return error.to_string(),
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures").join(name)
}
