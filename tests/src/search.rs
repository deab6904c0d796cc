//! Looking for secrets where none may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// What is looked for: texts of sixteen bytes, each called something.
#[derive(Default)]
pub struct Search {
    needles: BTreeMap<[u8; LENGTH], String>,
    /// A bit for the first two bytes of each, so that most places are passed by at once.
    begins: Vec<bool>,
}

impl Search {
    /// Looks for nothing yet.
    pub fn new() -> Self {
        Self { needles: BTreeMap::new(), begins: vec![false; 1 << 16] }
    }

    /// Looks for these bytes too, at least sixteen, and for their hexadecimal digits and their base64, wherever in what is
    /// encoded they begin.
    pub fn all_of(&mut self, name: &str, secret: &[u8]) {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        self.this(&format!("{name} itself"), secret);
        self.this(&format!("{name} in hex"), hex.as_bytes());
        self.this(&format!("{name} in HEX"), hex.to_uppercase().as_bytes());
        for skipped in 0..3 {
            for (engine, what) in [(&STANDARD, "base64"), (&URL_SAFE, "base64url")] {
                self.this(&format!("{name} in {what}"), engine.encode(&secret[skipped..]).as_bytes());
            }
        }
    }

    /// Looks for the first sixteen of these bytes.
    pub fn this(&mut self, name: &str, text: &[u8]) {
        let needle = *text.first_chunk().unwrap();
        self.begins[begin(&needle)] = true;
        self.needles.insert(needle, name.to_owned());
    }

    /// What of it is in these bytes.
    pub fn within(&self, bytes: &[u8]) -> Vec<&str> {
        let windows = bytes.windows(LENGTH).filter(|window| self.begins[begin(window)]);
        windows.filter_map(|window| self.needles.get(window)).map(String::as_str).collect()
    }

    /// What of it is in the files in here, and in their directories, and how many files there are. What strace wrote is
    /// decoded.
    pub fn below(&self, directory: &Path) -> (Vec<(PathBuf, String)>, usize) {
        let (mut found, mut files) = (Vec::new(), 0);
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                let (below, count) = self.below(&path);
                found.extend(below);
                files += count;
            } else if kind.is_file() {
                files += 1;
                let bytes = read(&path);
                found.extend(self.within(&bytes).into_iter().map(|name| (path.clone(), name.to_owned())));
            }
        }
        (found, files)
    }
}

/// etcd makes its log larger than it is yet: without the zeros at the end.
fn read(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    let end =
        bytes.chunks(4096).rposition(|chunk| chunk.iter().any(|byte| *byte != 0)).map_or(0, |last| (last + 1) * 4096);
    bytes.truncate(end);
    if path.extension().is_some_and(|extension| extension == TRACE) { decode(&bytes) } else { bytes }
}

/// Each `\xNN` is one byte.
fn decode(trace: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(trace.len());
    let mut rest = trace;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.strip_prefix(b"x").and_then(|digits| digits.get(..2)).filter(|_| *first == b'\\');
        let byte = digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    bytes
}

fn begin(window: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([window[0], window[1]]))
}

const LENGTH: usize = 16;
/// How the name of a file ends that `strace -xx` writes.
pub const TRACE: &str = "trace";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_whatever_form() {
        let secret: Vec<u8> = (0..64).map(|at| (at * at * 7 + 13) as u8).collect();
        let mut search = Search::new();
        search.all_of("it", &secret);
        for before in 0..4 {
            let text = [&b"..."[..before.min(3)], &secret].concat();
            let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
            let forms = [
                text.clone(),
                hex.clone().into(),
                hex.to_uppercase().into(),
                STANDARD.encode(&text).into(),
                URL_SAFE.encode(&text).into(),
            ];
            for form in forms {
                assert!(!search.within(&form).is_empty(), "{}", String::from_utf8_lossy(&form));
                let traced: String = form.iter().map(|byte| format!("\\x{byte:02x}")).collect();
                assert!(!search.within(&decode(format!("write(3, \"{traced}\", 9) = 9").as_bytes())).is_empty());
            }
        }
        assert!(search.within(&secret.iter().rev().copied().collect::<Vec<_>>()).is_empty());
    }
}
