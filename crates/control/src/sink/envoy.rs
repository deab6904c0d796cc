//! The sink `envoy`: a file for Envoy's secret discovery service.
//!
//! The keys stand in the file itself, as `inline_bytes`: Envoy watches the secret's file, by its being renamed into
//! place, but no file that is named in it. It is JSON, which is YAML as well, so that any name will do that Envoy does
//! not take for protobuf.

use raincheck_keyring::Layout;
use zeroize::Zeroizing;

use super::directory::Clock;
use super::file::{LONGEST_BASE64, lacks, push_base64};
use super::{FileFault, Lacks, ProductKeys, Pushed, SecretFile, SinkError};

/// A file that holds one secret.
#[derive(Debug)]
pub struct Envoy {
    file: SecretFile,
    secret: String,
}

impl Envoy {
    /// That file, with the secret of this name: the one in `session_ticket_keys_sds_secret_config`.
    ///
    /// # Errors
    /// Envoy goes by the name of a file to know what is in it: not `.pb` or `.pb_text`.
    pub fn new(file: SecretFile, secret: impl Into<String>) -> Result<Self, SinkError> {
        if file.path().extension().is_some_and(|end| end == "pb" || end == "pb_text") {
            return Err(SinkError::file(file.path(), FileFault::NotJson));
        }
        Ok(Self { file, secret: secret.into() })
    }

    pub(super) fn file(&self) -> &SecretFile {
        &self.file
    }

    pub(super) fn push(&self, keys: &ProductKeys) -> Result<Pushed, SinkError> {
        let changed = self.file.replace(&self.document(keys)?, Clock::True)?;
        Ok(if changed { Pushed::all(keys) } else { Pushed::Nothing })
    }

    pub(super) fn lacks(&self, keys: &ProductKeys) -> Result<Lacks, SinkError> {
        lacks(&self.file, &self.document(keys)?, keys)
    }

    fn document(&self, keys: &ProductKeys) -> Result<Zeroizing<Vec<u8>>, SinkError> {
        let head = format!(
            "{{\"resources\": [{{\n\
             \x20 \"@type\": \"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\",\n\
             \x20 \"name\": {},\n\
             \x20 \"session_ticket_keys\": {{\"keys\": [",
            quoted(&self.secret)
        );
        // In its full size from the start: if it grew, a copy would be left behind.
        let length = head.len() + keys.all().len() * (SEPARATOR.len() + KEY.len() + LONGEST_BASE64 + 2) + TAIL.len();
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        text.extend_from_slice(head.as_bytes());
        for (position, key) in keys.sealing_first().enumerate() {
            text.extend_from_slice(if position == 0 { &SEPARATOR[1..] } else { SEPARATOR });
            text.extend_from_slice(KEY);
            push_base64(&mut text, &Layout::Envoy.encode(key)?);
            text.extend_from_slice(b"\"}");
        }
        text.extend_from_slice(TAIL);
        Ok(text)
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

const SEPARATOR: &[u8] = b",\n    ";
const KEY: &[u8] = b"{\"inline_bytes\": \"";
const TAIL: &[u8] = b"\n  ]}\n}]}\n";

pub(super) const LIMIT: &str = "Envoy ends a TLS 1.2 session after session_timeout of DownstreamTlsContext, two hours unless \
    it is set; set it to what accept is (a TLS 1.3 session it ends after two days, for which there is no setting)";
