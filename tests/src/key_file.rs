//! A ticket key file, as operators write it: one base64 line a key, oldest first.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::pki::rename_into;
use crate::scratch::Scratch;

/// One key of a file. The tests need no more of it than its line and its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    bytes: Vec<u8>,
}

impl Key {
    /// A key of 80 bytes (name, AES-256, HMAC key) at random.
    pub fn random() -> Self {
        Self { bytes: random(80) }
    }

    /// A key of 48 bytes (name, AES-128, HMAC key) at random.
    pub fn random_of_48_bytes() -> Self {
        Self { bytes: random(48) }
    }

    /// A key of exactly these bytes, good or not.
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    /// Its bytes, as nginx wants them in a file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its line, without the newline.
    pub fn line(&self) -> String {
        STANDARD.encode(&self.bytes)
    }

    /// The key name as metrics and logs have it: 32 hex digits.
    pub fn name(&self) -> String {
        self.bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The secret part, in every form it could leak in: base64 of the line, and hex of each half.
    pub fn secrets(&self) -> Vec<String> {
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        let half = 16 + (self.bytes.len() - 16) / 2;
        vec![
            self.line(),
            STANDARD.encode(&self.bytes[16..]),
            STANDARD.encode(&self.bytes[16..half]),
            hex(&self.bytes[16..half]),
            hex(&self.bytes[half..]),
        ]
    }
}

/// A key file in the test's scratch directory.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// A file with these keys, oldest first.
    pub fn new(scratch: &Scratch, name: &str, keys: &[&Key]) -> Self {
        let file = Self { path: scratch.join(name) };
        file.replace(keys);
        file
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the whole file by rename.
    pub fn replace(&self, keys: &[&Key]) {
        let text: String = keys.iter().map(|key| key.line() + "\n").collect();
        self.replace_by_text(&text);
    }

    /// Replaces the whole file by rename with any text.
    pub fn replace_by_text(&self, text: &str) {
        rename_into(text.as_bytes(), &self.path);
    }
}

/// Bytes from the kernel's source.
pub fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}
