use raincheck_diagnosis::tls::KeyLog;

/// Hands the secrets of our own connections to who reads them from outside.
#[derive(Debug)]
pub(super) struct Secrets(pub(super) KeyLog);

impl rustls::KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.0.add(label, client_random, secret);
    }
}
