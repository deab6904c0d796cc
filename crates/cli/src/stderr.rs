//! Standard error. Whoever reads it may be gone, or may have stopped reading: nothing here panics of the one, and what
//! serves never waits for the other.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_edge::writer::{Outlet, Writer};

use crate::failure::Failure;

/// Says a line, and waits until it is written: for what runs a moment, and for last words.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Says lines from a thread of its own, so that nobody waits. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Announcer(Arc<Mutex<State>>);

struct State {
    /// None once all has been said.
    outlet: Option<Outlet>,
    /// Lines there was no room for, since that was last said.
    lost: usize,
}

impl Announcer {
    /// Runs what has things to announce on standard error, and sees to it that the last of them are written.
    pub(crate) fn with(run: impl FnOnce(&Self) -> Result<(), Failure>) -> Result<(), Failure> {
        let (announcer, writer) = Self::start(io::stderr())?;
        let result = run(&announcer);
        announcer.finish(writer);
        result
    }

    /// An announcer, and the thread that writes for it.
    fn start(out: impl Write + Send + 'static) -> io::Result<(Self, Writer)> {
        let (outlet, writer) = Writer::start("stderr", QUEUE, out)?;
        Ok((Self(Arc::new(Mutex::new(State { outlet: Some(outlet), lost: 0 }))), writer))
    }

    pub(crate) fn say(&self, line: impl Display) {
        let mut state = self.state();
        state.own_up();
        state.hand_over(format!("{line}\n"));
    }

    /// Says nothing any more, and waits a moment for what there is to say.
    fn finish(&self, writer: Writer) {
        {
            let mut state = self.state();
            state.own_up();
            state.outlet = None;
        }
        writer.finish(LAST_WORDS);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hand_over(&mut self, line: String) {
        if self.outlet.as_ref().is_some_and(|outlet| outlet.hand_over(line).is_err()) {
            self.lost += 1;
        }
    }

    /// Says how much was lost, if there is room for that by now.
    fn own_up(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            self.hand_over(format!("stderr was not read: lines lost here: {lost}\n"));
            if self.lost > 0 {
                self.lost = lost;
            }
        }
    }
}

/// How many lines wait to be written at most. A start has one for each address.
const QUEUE: usize = 4096;

/// How long an end waits for lines to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes nothing until the sender is gone.
    struct Stuck(std::sync::mpsc::Receiver<()>, Arc<Mutex<String>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_and_what_was_lost_is_counted() {
        let (release, stuck) = std::sync::mpsc::channel();
        let written: Arc<Mutex<String>> = Arc::default();
        let (announcer, writer) = Announcer::start(Stuck(stuck, Arc::clone(&written))).unwrap();
        // One more may be in the writer's hands already.
        (0..QUEUE + 10).for_each(|index| announcer.say(index));
        let lost = announcer.state().lost;
        assert!((9..=10).contains(&lost), "{lost}");
        drop(release);
        let said = QUEUE + 10 - lost;
        while written.lock().unwrap().lines().count() < said {
            std::thread::yield_now();
        }
        announcer.say("after");
        announcer.finish(writer);
        announcer.say("too late");
        let written = written.lock().unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines[..said], (0..said).map(|index| index.to_string()).collect::<Vec<_>>());
        assert_eq!(lines[said..], [&format!("stderr was not read: lines lost here: {lost}"), "after"]);
    }
}
