use raincheck_tls::hello::{ClientHello, Read, read};
use rustls::server::Acceptor;

/// The ClientHello reader: what has been judged is not judged otherwise once more has come, and what rustls takes for a
/// ClientHello is one, with the same content.
pub fn client_hello(bytes: &[u8]) -> bool {
    let whole = read(bytes);
    for prefix in super::prefixes(bytes) {
        let judged = read(prefix);
        assert!(judged == Read::Incomplete || judged == whole, "{judged:?}, then {whole:?}");
    }
    // These two are not left to rustls, which sees nothing wrong with some of them.
    if matches!(whole, Read::TooLong | Read::TooOld) {
        return false;
    }
    if let Some(theirs) = read_by_rustls(bytes) {
        let Read::Hello(ours) = &whole else { panic!("rustls reads it: {whole:?}") };
        assert_eq!(theirs.cipher_suites, ours.cipher_suites);
        // rustls leaves out what is no host name, and the dot at the end of one.
        let name = ours.server_name.as_deref().map(|name| name.strip_suffix('.').unwrap_or(name));
        assert!(theirs.server_name.is_none() || theirs.server_name.as_deref() == name, "{theirs:?}, {ours:?}");
    }
    matches!(whole, Read::Hello(_))
}

/// As much of it as rustls shows.
fn read_by_rustls(mut bytes: &[u8]) -> Option<ClientHello> {
    let mut acceptor = Acceptor::default();
    while !bytes.is_empty() {
        acceptor.read_tls(&mut bytes).ok()?;
        if let Some(accepted) = acceptor.accept().ok()? {
            let hello = accepted.client_hello();
            return Some(ClientHello {
                server_name: hello.server_name().map(str::to_ascii_lowercase),
                cipher_suites: hello.cipher_suites().iter().map(|suite| u16::from(*suite)).collect(),
                ..ClientHello::default()
            });
        }
    }
    None
}
