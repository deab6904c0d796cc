//! Captures as raincheck reads them.

use std::path::Path;

use raincheck_diagnosis::evidence::Connection;
use raincheck_diagnosis::tcp::{Connections, Limits};
use raincheck_diagnosis::tls::Reader;
use raincheck_doctor::capture::{Capture, Event, Source};

use crate::error::Error;

/// All connections of a capture, in the order they end.
pub(super) fn connections(path: &Path) -> Result<Vec<Connection>, Error> {
    let mut connections = Vec::new();
    let mut ended = |reader: &mut Reader| connections.push(reader.finish().clone());
    let mut capture = Capture::open([Source::named(path)])?;
    let mut tracked = Connections::new(Limits::default(), 0, Reader::new);
    while let Some(event) = capture.next()? {
        if let Event::Segment(segment) = event {
            tracked.read(&segment, &mut ended);
        }
    }
    tracked.finish(&mut ended);
    Ok(connections)
}
