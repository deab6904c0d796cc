use raincheck_doctor::capture::LinkType;
use raincheck_doctor::capture::packet::{Header, Skip, read};

/// A packet, behind its link type (2 bytes) and how much of it was not captured (2 bytes): its payload is inside it, and the
/// less of it was captured, the less is known, but nothing else.
pub fn packet(bytes: &[u8]) -> bool {
    let Some(([l0, l1, m0, m1], packet)) = bytes.split_first_chunk() else { return false };
    let link = LinkType(u16::from_be_bytes([*l0, *l1]));
    let original = packet.len() + usize::from(u16::from_be_bytes([*m0, *m1]));
    let whole = read(link, packet, original);
    let Ok(header) = whole else { return false };
    assert!(header.payload.len() <= header.length, "{header:?}");
    assert!(packet.get(header.payload.clone()).is_some(), "{header:?}");
    for prefix in super::prefixes(packet) {
        match read(link, prefix, original) {
            Ok(less) => {
                assert!(less.payload.len() <= header.payload.len(), "{less:?}, {header:?}");
                assert_eq!(Header { payload: header.payload.clone(), ..less }, header);
            }
            Err(skip) => assert_eq!(skip, Skip::Cut, "{} bytes of {header:?}", prefix.len()),
        }
    }
    true
}
