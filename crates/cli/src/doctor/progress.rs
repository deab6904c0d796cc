//! How far reading has come, on a terminal.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use raincheck_doctor::capture;

/// A bar that follows the reading of captures, until it is dropped. Where standard error is no terminal, there is none.
pub(super) struct Progress {
    bar: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    pub(super) fn of(read: &capture::Progress) -> Self {
        Self { bar: std::io::stderr().is_terminal().then(|| draw(read.clone())) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.bar.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}

fn draw(read: capture::Progress) -> (Sender<()>, JoinHandle<()>) {
    let (end, ended) = mpsc::channel();
    let bar = match read.total() {
        Some(total) => ProgressBar::new(total).with_style(style(WITH_TOTAL)),
        None => ProgressBar::no_length().with_style(style(WITHOUT_TOTAL)),
    };
    let thread = thread::spawn(move || {
        while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            bar.set_position(read.read());
        }
        bar.finish_and_clear();
    });
    (end, thread)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates below are sound")
}

const TICK: Duration = Duration::from_millis(100);
const WITH_TOTAL: &str = "{bar:40} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} to go";
const WITHOUT_TOTAL: &str = "{spinner} {decimal_bytes}, {decimal_bytes_per_sec}";
