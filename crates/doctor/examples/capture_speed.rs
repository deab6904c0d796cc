//! How fast captures are read, from the page cache, on one core:
//!
//!     cargo run --release -p raincheck-doctor --example capture_speed [FILE...]
//!
//! Without files, of some that are made for it: packets as a network has them, as a kernel joins them, and small ones.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use raincheck_doctor::capture::{Capture, Event, Source};

fn main() -> Result<(), Box<dyn Error>> {
    let given = std::env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>();
    for path in &given {
        measure(path)?;
    }
    if given.is_empty() {
        let directory = tempfile::tempdir()?;
        for payload in [1448, 65_000, 100] {
            let path = directory.path().join(format!("payload-{payload}.pcap"));
            write(&path, payload)?;
            measure(&path)?;
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Reads a capture a few times, and prints the best.
fn measure(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut best = Duration::MAX;
    let (mut bytes, mut packets) = (0, 0);
    for _ in 0..5 {
        let started = Instant::now();
        let mut capture = Capture::open([Source::named(path)])?;
        let mut payload = 0;
        while let Some(event) = capture.next()? {
            if let Event::Segment(segment) = event {
                payload += segment.length;
            }
        }
        std::hint::black_box(payload);
        best = best.min(started.elapsed());
        (bytes, packets) = (capture.progress().read(), capture.counts().packets);
    }
    println!(
        "{:24} {:6.2} GB/s {:8.1} ns a packet of {} bytes",
        path.file_name().unwrap_or_default().display(),
        bytes as f64 / best.as_secs_f64() / 1e9,
        best.as_secs_f64() * 1e9 / packets as f64,
        bytes / packets.max(1),
    );
    Ok(())
}

/// Half a gigabyte of segments with so much payload.
fn write(path: &Path, payload: u16) -> Result<(), Box<dyn Error>> {
    let [hi, lo] = (payload + 52).to_be_bytes();
    let headers = [
        &[2; 12][..],
        &[8, 0],
        &[0x45, 0, hi, lo, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
        &[1, 0xbb, 0xc3, 0x50, 0, 0, 0, 7, 0, 0, 0, 9, 0x80, 0x18, 0xff, 0xff, 0, 0, 0, 0],
        &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1],
    ]
    .concat();
    let length = (headers.len() + usize::from(payload)) as u32;
    let record =
        [&[1, 2, length, length].map(u32::to_le_bytes).concat()[..], &headers, &vec![7; payload.into()]].concat();
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0])?;
    for _ in 0..(512 << 20) / record.len() {
        file.write_all(&record)?;
    }
    Ok(file.flush()?)
}
