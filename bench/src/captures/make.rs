//! Makes captures as large as one likes from real ones: their chains of sessions, copied again and again, many at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use raincheck_diagnosis::Side;
use serde::Serialize;

use super::file;
use super::template::{Packet, Template};
use crate::error::Error;

/// `raincheck-bench capture`
#[derive(Args)]
pub(crate) struct Make {
    /// Where it is written
    out: PathBuf,
    /// What it is made of
    #[arg(long, value_enum, default_value = "handshakes")]
    mix: Mix,
    /// At least so many bytes
    #[arg(long, default_value_t = 0)]
    size: u64,
    /// At least so many connections
    #[arg(long, default_value_t = 0)]
    connections: u64,
    /// Another one makes other sessions
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What a capture is made of.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Mix {
    /// Connections as they were captured: handshakes, and a few bytes in each
    Handshakes,
    /// The same, with 256 KiB of data in each
    Data,
    /// Connections that never end
    Open,
}

/// What was made.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Made {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) connections: u64,
}

impl Make {
    pub(crate) fn run(&self) -> Result<String, Error> {
        let made = make(&self.out, self.mix, Least { bytes: self.size, connections: self.connections }, self.seed)?;
        Ok(format!("{made}\n"))
    }
}

impl Made {
    pub(crate) fn gigabytes(&self) -> f64 {
        self.bytes as f64 / 1e9
    }
}

/// How much there is to be, at least.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Least {
    pub(crate) bytes: u64,
    pub(crate) connections: u64,
}

/// Writes a capture, the same for the same arguments.
pub(crate) fn make(out: &Path, mix: Mix, least: Least, seed: u64) -> Result<Made, Error> {
    let templates = templates(mix, seed)?;
    let failed = || format!("write {}", out.display());
    let file = File::create(out).map_err(Error::system(failed()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let made = write(&mut out, &templates, least, seed).map_err(Error::system(failed()))?;
    out.flush().map_err(Error::system(failed()))?;
    Ok(made)
}

fn templates(mix: Mix, seed: u64) -> Result<Vec<Template>, Error> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut templates = Vec::new();
    for (network, name) in (1..).zip(TEMPLATES) {
        let template = Template::read(&directory.join(name).with_extension("pcap"), network)?;
        templates.push(match mix {
            Mix::Handshakes => template,
            Mix::Data => template.with_data(RECORDS, &mut random),
            Mix::Open => template.without_ends(),
        });
    }
    Ok(templates)
}

/// Copies the templates in turn, a new one every [`EVERY`], until there is enough of them; the last are finished then.
fn write(out: &mut impl Write, templates: &[Template], least: Least, seed: u64) -> std::io::Result<Made> {
    let mut made = Made { bytes: file::write_header(out)?, ..Made::default() };
    // What comes next of each copy that is not finished: when, which copy, which packet.
    let mut next = BinaryHeap::<Reverse<(Duration, u32, usize)>>::new();
    let mut copies = 0u32;
    let mut frame = Vec::new();
    loop {
        while made.bytes < least.bytes || made.connections < least.connections {
            let (start, template) = (EVERY * copies, &templates[copies as usize % templates.len()]);
            if next.peek().is_some_and(|Reverse((at, ..))| *at < start) {
                break;
            }
            next.push(Reverse((start, copies, 0)));
            made.bytes += template.size();
            made.connections += u64::from(template.connections);
            copies += 1;
        }
        let Some(Reverse((at, number, index))) = next.pop() else { break };
        let template = &templates[number as usize % templates.len()];
        let packet = &template.packets[index];
        Stamp::new(number, seed).put(packet, &mut frame);
        file::write_packet(out, at, &frame)?;
        made.packets += 1;
        if let Some(after) = template.packets.get(index + 1) {
            next.push(Reverse((EVERY * number + after.at, number, index + 1)));
        }
    }
    Ok(made)
}

/// What sets a copy of a template apart from others.
struct Stamp {
    client: Ipv4Addr,
    /// How far the sequence numbers of each side are moved.
    client_numbers: u32,
    server_numbers: u32,
    /// What is laid over what is unique: the same wherever that is, so that what is offered is what was issued.
    mask: [u8; 8],
}

impl Stamp {
    fn new(number: u32, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ u64::from(number) << 32);
        Self {
            client: Ipv4Addr::from_bits(CLIENTS.to_bits() + number),
            client_numbers: random.u32(..),
            server_numbers: random.u32(..),
            mask: random.u64(..).to_ne_bytes(),
        }
    }

    fn put(&self, packet: &Packet, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&packet.frame.bytes);
        for range in &packet.unique {
            into[range.clone()].iter_mut().zip(self.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        }
        let mut frame = packet.frame.within(into);
        match packet.sender {
            Side::Client => {
                frame.set_source(self.client);
                frame.move_numbers(self.client_numbers, self.server_numbers);
            }
            Side::Server => {
                frame.set_destination(self.client);
                frame.move_numbers(self.server_numbers, self.client_numbers);
            }
        }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, packets, connections } = self;
        write!(f, "{bytes} bytes, {packets} packets, {connections} connections")
    }
}

/// Captures whose every connection is there from its beginning to its end.
const TEMPLATES: [&str; 32] = [
    "01_java11_engine_tls12_sid_rst",
    "01_java17_socket_tls12_sid_clean",
    "01_java17_engine_tls12_ticket_clean",
    "01_java17_socket_tls13_clean",
    "01_java17_socket_tls13_stateful_clean",
    "02a_nginx_rotate_tls12_inline_renewal",
    "04b_fleet_shared_keys_direct_tls12",
    "04d_fleet_shared_keys_direct_tls13",
    "05d_chromium156_parallel_rotation_tls12",
    "09_client_gnutls_cli_tls12_rotation",
    "09_client_gnutls_cli_tls13_rotation",
    "09_client_haproxy_tls13_rotation",
    "09_client_java11_tls12_rotation",
    "09_client_java17_tls12_rotation",
    "09_client_java17_tls13_rotation",
    "09_client_nginx_upstream_tls12_rotation",
    "09_client_nginx_upstream_tls13_rotation",
    "09_client_node_agent_tls12_rotation",
    "09_client_node_agent_tls13_rotation",
    "09_client_openssl_tls12_rotation",
    "09_client_openssl_tls13_rotation",
    "09_client_python_tls12_rotation",
    "09_client_python_tls13_rotation",
    "09_client_rustls_tls12_rotation",
    "09_client_rustls_tls13_rotation",
    "09a_tls12_session_id_nginx_cache",
    "09c_tls12_ticket_nginx",
    "09d_tls13_psk_nginx",
    "09f_tls13_hello_retry_request",
    "09r_mutual_tls_full_and_resumed",
    "09u_server_go_server_tls12_tls13",
    "09w_server_apache2_tls12_tls13",
];
/// How often a chain begins: about a thousand connections a second.
const EVERY: Duration = Duration::from_millis(5);
/// How many records make 256 KiB of data.
const RECORDS: usize = 16;
/// The first client; sixteen million follow.
const CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);

#[cfg(test)]
mod tests;
