use super::*;
use crate::capture::tests::{FRAME, read, segments};
use crate::capture::{Capture, Error, Event, Notice};

#[test]
fn each_kind_of_packet_block_is_read() {
    for order in [Order::Little, Order::Big] {
        let file = File::new(order)
            .section()
            .interface(1, 0, &[])
            .enhanced(0, 1_000_001, FRAME, FRAME.len())
            .simple(FRAME, FRAME.len())
            .old_packet(0, 1_000_002, &FRAME[..60], FRAME.len());
        let (found, counts) = segments(file.bytes);
        // (packet, time, captured, length)
        let expected = [(1, 1_000_001_000, 10, 10), (2, 1_000_001_000, 10, 10), (3, 1_000_002_000, 6, 10)];
        assert_eq!(found, expected, "{order:?}");
        assert_eq!((counts.packets, counts.incomplete), (3, 1), "{order:?}");
    }
}

#[test]
fn each_section_has_its_byte_order_and_each_interface_its_link_and_clock() {
    let nanoseconds = [9, 0, 1, 0, 9, 0, 0, 0];
    let nanoseconds_big = [0, 9, 0, 1, 9, 0, 0, 0];
    let raw = &FRAME[14..];
    let file = File::new(Order::Little)
        .section()
        .interface(1, 0, &[])
        .interface(101, 0, &nanoseconds)
        .enhanced(1, 5, raw, raw.len())
        .enhanced(0, 5, FRAME, FRAME.len());
    let file = file.turned(Order::Big).section().interface(101, 0, &nanoseconds_big).enhanced(0, 7, raw, raw.len());
    // The second section has no second interface.
    let file = file.enhanced(1, 8, raw, raw.len());
    let (found, counts) = segments(file.bytes);
    assert_eq!(found, [(1, 5, 10, 10), (2, 5000, 10, 10), (3, 7, 10, 10)]);
    assert_eq!((counts.packets, counts.skipped.malformed), (4, 1));
}

#[test]
fn a_clock_counts_what_its_options_say() {
    let resolution = |value: u8| vec![9, 0, 1, 0, value, 0, 0, 0];
    let offset = |seconds: i64| [&[14, 0, 8, 0][..], &seconds.to_le_bytes()].concat();
    let name = || vec![2, 0, 3, 0, b'l', b'o', b'0', 0];
    let cases: &[(&str, Vec<u8>, u64, u64)] = &[
        ("microseconds, unless said", vec![], 3, 3000),
        ("seconds", resolution(0), 3, 3_000_000_000),
        ("milliseconds", resolution(3), 3, 3_000_000),
        ("nanoseconds", resolution(9), 3, 3),
        ("picoseconds", resolution(12), 3999, 3),
        ("less than anything", resolution(0x7f), u64::MAX, 0),
        ("halves", resolution(0x81), 3, 1_500_000_000),
        ("of 2^-32 s", resolution(0xa0), 1 << 31, 500_000_000),
        ("the smallest halves", resolution(0xff), u64::MAX, 0),
        ("whole seconds, as halves", resolution(0x80), 3, 3_000_000_000),
        ("later than can be said", resolution(0), u64::MAX, u64::MAX - 1),
        ("behind another option", [name(), resolution(9)].concat(), 3, 3),
        ("from another epoch on", [offset(100), resolution(9)].concat(), 3, 100_000_000_003),
        ("from before ours", [resolution(0), offset(-2)].concat(), 3, 1_000_000_000),
        ("before ours", [resolution(0), offset(-9)].concat(), 3, 0),
        ("behind the end of options", [vec![0, 0, 0, 0], resolution(9)].concat(), 3, 3000),
        ("in an option that has none", [vec![9, 0, 0, 0], vec![0; 4]].concat(), 3, 3000),
        ("in an option that is cut", vec![9, 0, 9, 0, 9, 0, 0, 0], 3, 3000),
    ];
    for (name, options, ticks, nanoseconds) in cases {
        let clock = Clock::of(Fields::new(options, Order::Little));
        assert_eq!(clock.time(*ticks).nanoseconds(), *nanoseconds, "{name}");
    }
}

#[test]
fn a_simple_packet_is_as_long_as_its_interface_lets_it_be() {
    let file = File::new(Order::Little).section().interface(1, 60, &[]).simple(&FRAME[..60], FRAME.len());
    assert_eq!(segments(file.bytes).0, [(1, 0, 6, 10)]);
}

#[test]
fn secrets_come_in_whole_lines_ahead_of_what_they_decrypt() {
    let line = "CLIENT_RANDOM ".to_owned() + &"ab".repeat(80) + "\n";
    let log = line.repeat(10_000);
    let file = File::new(Order::Big)
        .section()
        .secrets(0x5747_4b4c, b"WireGuard's")
        .secrets(TLS_KEY_LOG, log.as_bytes())
        .interface(1, 0, &[])
        .enhanced(0, 1, FRAME, FRAME.len())
        .secrets(TLS_KEY_LOG, b"no end of line");
    let mut capture = read(file.bytes);
    let (mut before, mut after, mut pieces) = (Vec::new(), Vec::new(), 0);
    while let Some(event) = capture.next().unwrap() {
        match event {
            Event::Secrets(secrets) if pieces == 0 => {
                assert!(secrets.len() <= MOST_SECRETS && secrets.ends_with(b"\n"));
                before.extend_from_slice(secrets);
            }
            Event::Secrets(secrets) => after.extend_from_slice(secrets),
            Event::Segment(_) => pieces += 1,
        }
    }
    assert!(before == log.as_bytes());
    assert_eq!((pieces, &after[..]), (1, &b"no end of line"[..]));
}

#[test]
fn other_blocks_are_passed_however_long_they_are() {
    let file = File::new(Order::Little)
        .section()
        .block(4, &[0; 8])
        .interface(1, 0, &[])
        .block(0xbad, &vec![0; 3 * MOST_BLOCK])
        .block(JOURNAL, &[0; 40])
        .enhanced(0, 1, FRAME, FRAME.len())
        .block(5, &[0; 16]);
    let (found, counts) = segments(file.bytes);
    assert_eq!(found, [(2, 1000, 10, 10)]);
    assert_eq!((counts.packets, counts.skipped.not_tcp), (2, 1));
}

#[test]
fn a_link_that_cannot_be_read_leaves_the_others() {
    let file = File::new(Order::Little).section().interface(220, 0, &[]).interface(1, 0, &[]);
    let usb_only = File { bytes: file.bytes.clone(), order: Order::Little }.enhanced(0, 1, FRAME, FRAME.len());
    let both =
        file.enhanced(0, 1, FRAME, FRAME.len()).enhanced(0, 1, FRAME, FRAME.len()).enhanced(1, 2, FRAME, FRAME.len());

    let mut capture = read(both.bytes);
    assert!(matches!(capture.next(), Ok(Some(Event::Segment(segment))) if segment.at.packet == 3));
    assert_eq!(capture.next().unwrap(), None);
    assert_eq!(capture.notices(), [Notice::Link { name: "capture".to_owned(), link: LinkType(220) }]);
    assert_eq!(capture.counts().skipped.unknown_link, 2);

    let error = read(usb_only.bytes).next().unwrap_err();
    assert!(matches!(error, Error::Link { link: LinkType(220), .. }), "{error}");
}

#[test]
fn a_block_that_lies_ends_the_file() {
    let start = || File::new(Order::Little).section().interface(1, 0, &[]).enhanced(0, 1, FRAME, FRAME.len());
    let raw = |bytes: &[u8]| [&start().bytes[..], bytes].concat();
    let enhanced = |captured: u32| {
        let mut body = vec![0; 20 + 8];
        body[12..16].copy_from_slice(&captured.to_le_bytes());
        start().block(ENHANCED_PACKET, &body).bytes
    };
    let secrets = |length: u32| {
        start().block(SECRETS, &[&TLS_KEY_LOG.to_le_bytes()[..], &length.to_le_bytes(), &[0; 8]].concat()).bytes
    };
    let mut other_end = start().enhanced(0, 1, FRAME, FRAME.len()).bytes;
    *other_end.last_mut().unwrap() ^= 1;
    let cases = [
        ("no length", raw(&[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("a length below the least", raw(&[6, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0])),
        ("an odd length", raw(&[99, 0, 0, 0, 13, 0, 0, 0, 0, 13, 0, 0, 0])),
        ("4 GiB", raw(&[6, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
        ("another length at its end", other_end),
        ("a packet that is longer than its block", enhanced(9)),
        ("a packet of 4 GiB", enhanced(u32::MAX)),
        ("a packet block without a packet", start().block(ENHANCED_PACKET, &[0; 16]).bytes),
        ("an interface block without a link", start().block(INTERFACE, &[]).bytes),
        ("secrets that are longer than their block", secrets(9)),
        ("a section without byte order", raw(&[10, 13, 13, 10, 28, 0, 0, 0, 1, 2, 3, 4])),
    ];
    for (name, bytes) in cases {
        let mut capture = read(bytes);
        assert!(matches!(capture.next(), Ok(Some(Event::Segment(_)))), "{name}");
        assert!(matches!(capture.next(), Ok(None)), "{name}");
        let offset = start().bytes.len() as u64;
        assert!(
            matches!(capture.notices(), [Notice::Broken { packets: 1, offset: at, .. }] if *at == offset),
            "{name}: {:?}",
            capture.notices()
        );
    }
}

#[test]
fn a_file_that_breaks_before_its_first_packet_is_an_error() {
    let mut capture = Capture::from_reader("capture", &[10, 13, 13, 10, 28, 0, 0, 0, 1, 2, 3, 4, 0, 0][..]);
    let error = capture.next().unwrap_err();
    assert!(matches!(error, Error::Broken { offset: 0, .. }), "{error}");
}

/// A pcapng file in the making.
struct File {
    bytes: Vec<u8>,
    order: Order,
}

impl File {
    fn new(order: Order) -> Self {
        Self { bytes: Vec::new(), order }
    }

    /// Goes on in another byte order.
    fn turned(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    fn section(self) -> Self {
        let body = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat();
        self.block(SECTION, &body)
    }

    fn interface(self, link: u16, snap_length: u32, options: &[u8]) -> Self {
        let body = [&self.u16(link)[..], &[0, 0], &self.u32(snap_length), options].concat();
        self.block(INTERFACE, &body)
    }

    fn enhanced(self, interface: u32, ticks: u32, frame: &[u8], original: usize) -> Self {
        let start = [interface, 0, ticks, frame.len() as u32, original as u32].map(|number| self.u32(number)).concat();
        self.block(ENHANCED_PACKET, &[&start, frame].concat())
    }

    fn old_packet(self, interface: u16, ticks: u32, frame: &[u8], original: usize) -> Self {
        let start = [0, ticks, frame.len() as u32, original as u32].map(|number| self.u32(number)).concat();
        let body = [&self.u16(interface)[..], &[0xff, 0xff], &start, frame].concat();
        self.block(PACKET, &body)
    }

    fn simple(self, frame: &[u8], original: usize) -> Self {
        let body = [&self.u32(original as u32)[..], frame].concat();
        self.block(SIMPLE_PACKET, &body)
    }

    fn secrets(self, kind: u32, secrets: &[u8]) -> Self {
        let body = [&self.u32(kind)[..], &self.u32(secrets.len() as u32), secrets].concat();
        self.block(SECRETS, &body)
    }

    fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let length = self.u32((BLOCK_HEADER + body.len() + padding.len() + BLOCK_TRAILER) as u32);
        self.bytes.extend([&self.u32(kind)[..], &length, body, &padding, &length].concat());
        self
    }

    fn u32(&self, number: u32) -> [u8; 4] {
        if self.order == Order::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn u16(&self, number: u16) -> [u8; 2] {
        if self.order == Order::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }
}
