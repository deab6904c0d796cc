//! What must hold of each parser, whatever bytes it is given.
//!
//! Each function takes the bytes, panics where something does not hold, and answers whether they were sound: whole and in
//! order. libFuzzer calls them from `targets/`; `tests/seeds.rs` calls them with what is in `seeds/`.

mod capture_file;
mod capture_whole;
mod client_hello;
mod fleet_store;
mod incident;
mod key_file;
mod packet;
mod proxy_protocol;
mod ring_document;
mod tcp_segments;
mod ticket_open;
mod tls_stream;

pub use capture_file::capture_file;
pub use capture_whole::capture_whole;
pub use client_hello::client_hello;
pub use fleet_store::fleet_store;
pub use key_file::key_file;
pub use packet::packet;
pub use proxy_protocol::proxy_protocol;
pub use ring_document::ring_document;
pub use tcp_segments::tcp_segments;
pub use ticket_open::ticket_open;
pub use tls_stream::tls_stream;

/// Makes a function of this crate a program: a fuzz target where cargo-fuzz builds it, and else one that calls the
/// function with the content of each file it is given.
#[macro_export]
macro_rules! target {
    ($check:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
            $check(bytes);
        });

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for path in std::env::args_os().skip(1) {
                let sound = $check(&std::fs::read(&path)?);
                println!("{}: {}", path.display(), if sound { "sound" } else { "broken" });
            }
            Ok(())
        }
    };
}

/// Prefixes of `bytes`, no more than a few dozen.
fn prefixes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).step_by(bytes.len() / 32 + 1).map(|length| &bytes[..length])
}
