//! The packets of a capture, kept, so that they can be made worse.

use std::net::SocketAddr;
use std::path::PathBuf;

use raincheck_diagnosis::Moment;
use raincheck_diagnosis::session::{Graph, Sessions};
use raincheck_diagnosis::tcp::{Connections, Limits, Opening, Segment};
use raincheck_diagnosis::tls::{KeyLog, Reader};
use raincheck_doctor::capture::{Capture, Event, Source};

/// A segment that outlives the buffer it was read into.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) header: Segment<'static>,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    pub(crate) fn at(&self) -> Moment {
        self.header.at
    }

    pub(crate) fn between(mut self, addresses: impl Fn(SocketAddr) -> SocketAddr) -> Self {
        self.header.source = addresses(self.header.source);
        self.header.destination = addresses(self.header.destination);
        self
    }

    fn segment(&self) -> Segment<'_> {
        Segment { payload: &self.payload, ..self.header }
    }
}

/// The packets of files that are one capture, and the secrets that are in it.
pub(crate) fn packets(files: &[PathBuf]) -> (Vec<Packet>, KeyLog) {
    let mut capture = Capture::open(files.iter().map(Source::named)).expect("a capture");
    let (mut packets, log) = (Vec::new(), KeyLog::recorded());
    while let Some(event) = capture.next().expect("a capture that can be read") {
        match event {
            Event::Segment(segment) => {
                packets.push(Packet { header: Segment { payload: &[], ..segment }, payload: segment.payload.to_vec() });
            }
            Event::Secrets(text) => log.read(text),
        }
    }
    (packets, log)
}

/// What packets show, to who has no secrets.
pub(crate) fn graph(packets: &[Packet]) -> Graph {
    read(packets, Reader::new)
}

/// What they show with the secrets of `log`.
pub(crate) fn graph_with(packets: &[Packet], log: &KeyLog) -> Graph {
    read(packets, |opening| Reader::with_key_log(opening, log.clone()))
}

fn read(packets: &[Packet], open: impl FnMut(Opening) -> Reader) -> Graph {
    let mut sessions = Sessions::new(1);
    let mut connections = Connections::new(Limits::default(), 1, open);
    for packet in packets {
        connections.read(&packet.segment(), |reader| sessions.add(reader.finish()));
    }
    connections.finish(|reader| sessions.add(reader.finish()));
    sessions.into_graph()
}
