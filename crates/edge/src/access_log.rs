//! One line of JSON per connection, written when it ends. Workers hand their lines over in batches, and a batch that the
//! writer has no room for is counted and dropped.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::counters::Count;
use crate::writer::{Outlet, Writer};

/// Where a worker's lines go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AccessLog {
    batches: Outlet,
    dropped: Arc<Count>,
}

impl AccessLog {
    /// A log that writes to `out` on a thread of its own.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(out: impl Write + Send + 'static) -> std::io::Result<(Self, Writer)> {
        let (batches, writer) = Writer::start("access-log", QUEUE, out)?;
        Ok((Self { batches, dropped: Arc::default() }, writer))
    }

    /// Adds a line. `fill` appends fields, each with [`Line::text`] or [`Line::number`].
    pub fn write(&self, fill: impl FnOnce(&mut Line<'_>)) {
        let full = LINES.with_borrow_mut(|lines| {
            lines.push('{');
            fill(&mut Line { lines, is_first: true });
            lines.push_str("}\n");
            lines.len() >= BATCH
        });
        if full {
            self.flush();
        }
    }

    /// Hands over this thread's lines. Each worker does so many times a second, and at its end.
    pub fn flush(&self) {
        let lines = LINES.take();
        if !lines.is_empty() && self.batches.hand_over(lines).is_err() {
            self.dropped.increment();
        }
    }

    /// How many batches were lost because the writer was too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped.value()
    }
}

/// A line that is being written.
#[derive(Debug)]
pub struct Line<'a> {
    lines: &'a mut String,
    is_first: bool,
}

impl Line<'_> {
    /// Adds a field with a string.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.display(name, value)
    }

    /// Adds a field with a string, of whatever can be displayed.
    pub fn display(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        self.name(name);
        self.lines.push('"');
        let _ = write!(Escaped(self.lines), "{value}");
        self.lines.push('"');
        self
    }

    /// Adds a field with a number, or anything else that is valid JSON as displayed.
    pub fn number(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        self.name(name);
        let _ = write!(self.lines, "{value}");
        self
    }

    /// Adds a field with seconds, to the millisecond.
    pub fn seconds(&mut self, name: &str, duration: Duration) -> &mut Self {
        self.number(name, format_args!("{}.{:03}", duration.as_secs(), duration.subsec_millis()))
    }

    /// Adds a field with milliseconds, to the microsecond.
    pub fn milliseconds(&mut self, name: &str, duration: Duration) -> &mut Self {
        let microseconds = duration.as_micros();
        self.number(name, format_args!("{}.{:03}", microseconds / 1000, microseconds % 1000))
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.lines.push(',');
        }
        let _ = write!(self.lines, "\"{name}\":");
    }
}

/// Writes the inside of a JSON string (RFC 8259 §7).
struct Escaped<'a>(&'a mut String);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for char in text.chars() {
            match char {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                char if char.is_control() => write!(self.0, "\\u{:04x}", u32::from(char))?,
                char => self.0.push(char),
            }
        }
        Ok(())
    }
}

thread_local! {
    static LINES: RefCell<String> = const { RefCell::new(String::new()) };
}

/// How many bytes make a batch.
const BATCH: usize = 32 * 1024;

/// How many batches wait for the writer at most.
const QUEUE: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_json_and_arrive() {
        let sink = Sink::default();
        let (log, writer) = AccessLog::start(sink.clone()).unwrap();
        log.write(|line| {
            line.text("sni", "a\"\\\n.example").number("bytes_in", 7);
        });
        log.flush();
        drop(log);
        writer.finish(Duration::from_secs(10));
        let written = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(value, serde_json::json!({"sni": "a\"\\\n.example", "bytes_in": 7}));
    }
}
