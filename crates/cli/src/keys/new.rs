//! `raincheck keys new`

use std::io::{IsTerminal, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use raincheck_control::fresh_key;
use raincheck_keyring::{KeyName, KeySize, Layout, TicketKey};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::secrecy;

/// Make a fresh ticket key and print it, ready for a product
///
/// haproxy: a base64 line to append to a `tls-ticket-keys` file, which is also what `raincheck edge --ticket-keys` reads.
/// nginx: the bytes of a `ssl_session_ticket_key` file. envoy: a file for the secret discovery service. h2o: an entry of a
/// ticket file, good for a week.
///
/// The key is a secret: keep it on tmpfs, never on a disk.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// For which product
    #[arg(long, value_enum, default_value_t = Format::Haproxy)]
    format: Format,
    /// Of AES; envoy and h2o take 256 only
    #[arg(long, value_enum, default_value_t = Bits::B256)]
    bits: Bits,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Haproxy,
    Nginx,
    Envoy,
    H2o,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bits {
    #[value(name = "128")]
    B128,
    #[value(name = "256")]
    B256,
}

impl New {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        if matches!(self.format, Format::Nginx) && stdout.is_terminal() {
            return Err(Failure::Usage(anyhow!(
                "nginx reads a key's raw bytes, which are nothing for a terminal; write them to a file on tmpfs: \
                 raincheck keys new --format nginx > /run/nginx/ticket.key"
            )));
        }
        secrecy::try_to_keep_memory_here();
        let key = fresh_key(match self.bits {
            Bits::B128 => KeySize::Bits128,
            Bits::B256 => KeySize::Bits256,
        });
        stdout.write_all(&self.format.written(&key)?)?;
        stdout.flush()?;
        Ok(())
    }
}

impl Format {
    /// The key as the product reads it from a file.
    fn written(self, key: &TicketKey) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let layout = match self {
            Self::Haproxy => Layout::HaProxy,
            Self::Nginx => Layout::Nginx,
            Self::Envoy => Layout::Envoy,
            Self::H2o => Layout::H2o,
        };
        let raw = layout.encode(key).map_err(|error| Failure::Usage(error.into()))?;
        Ok(match self {
            Self::Haproxy => base64_line(&raw),
            Self::Nginx => raw,
            Self::Envoy => envoy_secret(&raw),
            Self::H2o => h2o_entry(key.name(), &raw[KeyName::LEN..], SystemTime::now()),
        })
    }
}

fn base64_line(raw: &[u8]) -> Zeroizing<Vec<u8>> {
    let base64 = Zeroizing::new(STANDARD.encode(raw));
    Zeroizing::new(format!("{}\n", *base64).into_bytes())
}

/// The bytes stand in the file itself: Envoy watches the secret's file, but not files that it names.
fn envoy_secret(raw: &[u8]) -> Zeroizing<Vec<u8>> {
    let base64 = Zeroizing::new(STANDARD.encode(raw));
    let secret = format!(
        "resources:\n\
         - \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n\
         \x20 name: stek\n\
         \x20 session_ticket_keys:\n\
         \x20   keys:\n\
         \x20   - inline_bytes: {}\n",
        *base64
    );
    Zeroizing::new(secret.into_bytes())
}

fn h2o_entry(name: KeyName, secret: &[u8], now: SystemTime) -> Zeroizing<Vec<u8>> {
    let not_before = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let not_after = not_before + LONGEST_LIFETIME;
    let key: Zeroizing<String> = Zeroizing::new(secret.iter().map(|byte| format!("{byte:02x}")).collect());
    let entry = format!(
        "- name: {name}\n\
         \x20 cipher: aes-256-cbc\n\
         \x20 hash: sha256\n\
         \x20 key: {}\n\
         \x20 not_before: {}\n\
         \x20 not_after: {}\n",
        *key,
        not_before.as_secs(),
        not_after.as_secs()
    );
    Zeroizing::new(entry.into_bytes())
}

/// No ticket is worth more than a week (RFC 9846 §4.6.1), so no key is needed for longer. h2o seals with the newest.
const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_holds_the_same_key_in_the_products_order() {
        let key = fresh_key(KeySize::Bits256);
        let text = |format: Format| {
            let written = format.written(&key).expect("every product takes 256 bits");
            String::from_utf8(written.to_vec()).expect("text")
        };
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(name));
            line.expect("the field").trim().to_owned()
        };
        let base64 = |text: &str| STANDARD.decode(text).expect("base64");

        let haproxy = base64(text(Format::Haproxy).trim_end());
        assert_same(&Layout::HaProxy.decode(&haproxy).expect("a key"), &key);
        let nginx = Format::Nginx.written(&key).expect("a key");
        assert_same(&Layout::Nginx.decode(&nginx).expect("a key"), &key);
        let envoy = base64(&field(&text(Format::Envoy), "inline_bytes:"));
        assert_same(&Layout::Envoy.decode(&envoy).expect("a key"), &key);
        let entry = text(Format::H2o);
        let h2o = field(&entry, "name:") + &field(&entry, "key:");
        assert_same(&Layout::H2o.decode(&unhex(&h2o)).expect("a key"), &key);
    }

    #[test]
    fn an_h2o_key_serves_from_now_on_for_a_week() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let key = fresh_key(KeySize::Bits256);
        let entry = h2o_entry(key.name(), &[0; 96], now);
        let entry = String::from_utf8_lossy(&entry);
        assert!(entry.ends_with("  not_before: 1700000000\n  not_after: 1700604800\n"), "{entry}");
    }

    fn assert_same(one: &TicketKey, other: &TicketKey) {
        assert!(one.is_same(other) && one.name() == other.name());
    }

    fn unhex(text: &str) -> Vec<u8> {
        let pairs = text.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hex")).collect()
    }
}
