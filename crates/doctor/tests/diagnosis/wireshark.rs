//! Captures as files, made worse by the programs that people use for it: Wireshark's editcap, mergecap and reordercap.

use std::path::{Path, PathBuf};
use std::process::Command;

use raincheck_tests::program::run;
use raincheck_tests::scratch::Scratch;

/// A capture, and a place for what becomes of it.
pub(crate) struct Rewriting {
    scratch: Scratch,
    /// The capture as pcapng, without the secrets that it may hold: mergecap writes none that has any.
    pub(crate) whole: PathBuf,
    /// How many packets it has.
    packets: usize,
}

impl Rewriting {
    pub(crate) fn of(capture: &Path, packets: usize) -> Self {
        let scratch = Scratch::new();
        let whole = scratch.join("whole");
        // Where secrets come before the first interface, editcap 4.0 does not know the link by itself.
        let link: &[&str] =
            if capture.extension().is_some_and(|extension| extension == "pcapng") { &["-T", "ether"] } else { &[] };
        editcap(&[&["--discard-all-secrets", "-F", "pcapng"], link].concat(), capture, &whole, []);
        Self { scratch, whole, packets }
    }

    /// The capture as pcap.
    pub(crate) fn as_pcap(&self) -> PathBuf {
        let pcap = self.scratch.join("pcap");
        editcap(&["-F", "pcap"], &self.whole, &pcap, []);
        pcap
    }

    /// Both halves, a file each.
    pub(crate) fn halves(&self) -> Vec<PathBuf> {
        self.pieces("half", self.packets.div_ceil(2))
    }

    /// In twenty pieces, put together in another order, and then put right.
    pub(crate) fn shuffled_and_reordered(&self) -> PathBuf {
        let mut pieces = self.pieces("piece", self.packets.div_ceil(20));
        let turn = |index: usize| (index * 7919 + 3) % 101;
        let mut order = (0..pieces.len()).collect::<Vec<_>>();
        order.sort_by_key(|index| turn(*index));
        pieces = order.into_iter().map(|index| pieces[index].clone()).collect();
        let [shuffled, reordered] = ["shuffled", "reordered"].map(|name| self.scratch.join(name));
        succeeded(Command::new("mergecap").args(["-a", "-w"]).arg(&shuffled).args(pieces));
        succeeded(Command::new("reordercap").args([&shuffled, &reordered]));
        reordered
    }

    /// Every packet twice.
    pub(crate) fn doubled(&self) -> PathBuf {
        self.merged_with(self)
    }

    /// With another capture, by time.
    pub(crate) fn merged_with(&self, other: &Self) -> PathBuf {
        let merged = self.scratch.join("merged");
        succeeded(Command::new("mergecap").arg("-w").arg(&merged).args([&self.whole, &other.whole]));
        merged
    }

    /// With a snap length of 96 bytes, which is enough for the headers.
    pub(crate) fn cut_short(&self) -> PathBuf {
        let cut = self.scratch.join("cut");
        editcap(&["-s", "96"], &self.whole, &cut, []);
        cut
    }

    /// Without every tenth packet.
    pub(crate) fn without_every_tenth(&self) -> PathBuf {
        let thinned = self.scratch.join("thinned");
        editcap(&[], &self.whole, &thinned, (10..=self.packets).step_by(10));
        thinned
    }

    /// As if every other packet had come by another queue, whose clock is 20 µs late: few of them are where they were.
    pub(crate) fn two_queues(&self) -> PathBuf {
        let [one, other, merged] = ["one", "other", "queues"].map(|name| self.scratch.join(name));
        let every_other = || (2..=self.packets).step_by(2);
        editcap(&[], &self.whole, &one, every_other());
        editcap(&["-t", "0.00002", "-r"], &self.whole, &other, every_other());
        succeeded(Command::new("mergecap").arg("-w").arg(&merged).args([&one, &other]));
        merged
    }

    /// Of so many packets each, in order.
    fn pieces(&self, name: &str, packets: usize) -> Vec<PathBuf> {
        let directory = self.scratch.join(name);
        std::fs::create_dir(&directory).expect("a directory of its own");
        editcap(&["-c", &packets.to_string()], &self.whole, &directory.join("piece.pcapng"), []);
        let files = std::fs::read_dir(&directory).expect("the directory is there");
        let mut files = files.map(|file| file.expect("a file").path()).collect::<Vec<_>>();
        files.sort();
        files
    }
}

/// Leaves out packets by number, or with `-r` all others: of more than editcap takes, the first.
fn editcap(options: &[&str], from: &Path, to: &Path, packets: impl IntoIterator<Item = usize>) {
    let packets = packets.into_iter().take(MOST_SELECTIONS).map(|packet| packet.to_string());
    succeeded(Command::new("editcap").args(options).args([from, to]).args(packets));
}

fn succeeded(command: &mut Command) {
    run(command, b"").succeeded();
}

// editcap's MAX_SELECTIONS.
const MOST_SELECTIONS: usize = 512;
