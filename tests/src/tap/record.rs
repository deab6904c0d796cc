//! TLS records, and the handshake messages in them while they are in clear.

/// One TLS record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The content type: 20 ChangeCipherSpec, 21 alert, 22 handshake, 23 application data.
    pub kind: u8,
    /// What it holds, encrypted or not.
    pub body: Vec<u8>,
}

/// The content type of ChangeCipherSpec.
pub const CHANGE_CIPHER_SPEC: u8 = 20;
/// The content type of alerts.
pub const ALERT: u8 = 21;
/// The content type of handshake messages.
pub const HANDSHAKE: u8 = 22;
/// The content type of application data, and of everything encrypted in TLS 1.3.
pub const APPLICATION_DATA: u8 = 23;
/// The handshake message ServerHello.
pub const SERVER_HELLO: u8 = 2;
/// The handshake message NewSessionTicket.
pub const NEW_SESSION_TICKET: u8 = 4;
/// The handshake message ServerHelloDone.
pub const SERVER_HELLO_DONE: u8 = 14;
/// The handshake message Certificate.
pub const CERTIFICATE: u8 = 11;

/// The whole records in the bytes of one direction; a rest that is no whole record is left out.
pub fn records(mut bytes: &[u8]) -> Vec<Record> {
    let mut found = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(body) = rest.get(..length) else { break };
        found.push(Record { kind: *kind, body: body.to_vec() });
        bytes = &rest[length..];
    }
    found
}

/// The handshake messages before this direction's ChangeCipherSpec, in order: type and body.
///
/// For TLS 1.2 that is the whole handshake but Finished; of TLS 1.3's server it is ServerHello.
pub fn handshake_messages(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let clear: Vec<u8> = records(bytes)
        .into_iter()
        .take_while(|record| record.kind != CHANGE_CIPHER_SPEC)
        .filter(|record| record.kind == HANDSHAKE)
        .flat_map(|record| record.body)
        .collect();
    let mut messages = Vec::new();
    let mut rest = clear.as_slice();
    while let [kind, a, b, c, more @ ..] = rest {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        let Some(body) = more.get(..length) else { break };
        messages.push((*kind, body.to_vec()));
        rest = &more[length..];
    }
    messages
}

/// The types of [`handshake_messages`].
pub fn handshake_types(bytes: &[u8]) -> Vec<u8> {
    handshake_messages(bytes).into_iter().map(|(kind, _)| kind).collect()
}

/// The ticket in a TLS 1.2 server's flight, if it has one.
pub fn ticket(server: &[u8]) -> Option<Vec<u8>> {
    let (_, body) = handshake_messages(server).into_iter().find(|(kind, _)| *kind == NEW_SESSION_TICKET)?;
    // Lifetime hint 4, length 2, the ticket (RFC 5077 §3.3).
    Some(body[6..].to_vec())
}

/// Whether a TLS 1.2 server's flight was an abbreviated one with a NewSessionTicket in it: an inline renewal.
pub fn renewed_inline(server: &[u8]) -> bool {
    let types = handshake_types(server);
    types.contains(&NEW_SESSION_TICKET) && !types.contains(&CERTIFICATE)
}

/// Whether a TLS 1.2 server's flight was an abbreviated one.
pub fn abbreviated(server: &[u8]) -> bool {
    let types = handshake_types(server);
    types.first() == Some(&SERVER_HELLO) && !types.contains(&CERTIFICATE)
}

/// The plaintext alerts: level and description.
pub fn alerts(bytes: &[u8]) -> Vec<(u8, u8)> {
    records(bytes)
        .into_iter()
        .take_while(|record| record.kind != CHANGE_CIPHER_SPEC)
        .filter(|record| record.kind == ALERT)
        .filter_map(|record| Some((*record.body.first()?, *record.body.get(1)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_a_flight() {
        let hello = [22, 3, 3, 0, 5, 2, 0, 0, 1, 9];
        let ticket = [22, 3, 3, 0, 6, 4, 0, 0, 2, 1, 2];
        let change = [20, 3, 3, 0, 1, 1];
        let finished = [22, 3, 3, 0, 2, 4, 4];
        let flight = [&hello[..], &ticket, &change, &finished].concat();
        assert_eq!(handshake_types(&flight), [2, 4]);
        assert!(renewed_inline(&flight));
        assert!(abbreviated(&flight));
        assert_eq!(handshake_messages(&flight)[0], (2, vec![9]));
        assert!(!renewed_inline(&[&hello[..], &change, &finished].concat()));
        assert_eq!(records(&flight).len(), 4);
        assert_eq!(alerts(&[21, 3, 3, 0, 2, 2, 70]), [(2, 70)]);
    }

    #[test]
    fn leaves_out_a_cut_record() {
        assert_eq!(records(&[23, 3, 3, 0, 4, 1, 2]), []);
    }
}
