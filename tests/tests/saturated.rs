//! The admin page and the stats socket answer while every worker is saturated with handshakes.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use raincheck_tests::client::Version;
use raincheck_tests::config::Listener;
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::hello::{Answered, Hello};
use raincheck_tests::key_file::Key;
use raincheck_tests::pki::KeyKind;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

const LIMIT: Duration = Duration::from_millis(100);
/// So many that chance leaves no worker without one: the kernel deals connections out by a hash.
const CLIENTS: usize = 256;
const ROUNDS: usize = 15;

/// What is asked, and whether the answer to it is a good one.
type Question = (&'static str, fn(&Edge) -> bool);

const QUESTIONS: [Question; 7] = [
    ("/metrics", |edge| edge.admin("/metrics").body.contains("raincheck_handshakes_total")),
    ("/healthz", |edge| edge.admin("/healthz").status == 200),
    ("/readyz", |edge| edge.admin("/readyz").status == 200),
    ("/status.json", |edge| edge.status().is_object()),
    ("show info", |edge| edge.stats("show info").contains("SslFrontendKeyRate")),
    ("show tls-keys", |edge| edge.stats("show tls-keys *").contains(" issuing ")),
    ("set ssl tls-key", |edge| {
        edge.stats(&format!("set ssl tls-key #0 {}", Key::random().line())).contains("TLS ticket key updated!")
    }),
];

#[test]
fn both_answer_within_a_tenth_of_a_second() {
    let site = Site::new();
    let app = Upstream::http();
    // Signing takes milliseconds, and the clients below do next to nothing: the workers have all the work.
    let slow = site.authority.server_with(&[NAME], KeyKind::SlowRsa);
    let edge = Edge::start(&site.scratch, site.config(Listener::new("web", &slow), app.address()));
    let address = edge.address("web");
    let (over, handshakes) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let hello = Hello::to(NAME);
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(hello.send(address), Answered::Full);
                    handshakes.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Told to stop in either case, or the scope would wait forever for its threads.
        let _stop = Stop(&over);
        until("the workers are warm", || (handshakes.load(Ordering::Relaxed) > CLIENTS as u64).then_some(()));
        let (start, before) = (Instant::now(), wanted_processor(edge.pid()));
        let mut slowest = [Duration::ZERO; QUESTIONS.len()];
        for _ in 0..ROUNDS {
            for ((question, ask), slowest) in QUESTIONS.iter().zip(&mut slowest) {
                let begin = Instant::now();
                assert!(ask(&edge), "{question}");
                *slowest = begin.elapsed().max(*slowest);
            }
            // So that the questions are spread over the load, a handshake or more to each.
            let done = handshakes.load(Ordering::Relaxed);
            until("the load goes on", || (handshakes.load(Ordering::Relaxed) > done + 10).then_some(()));
        }
        let span = start.elapsed().as_secs_f64();
        // The two that wanted it most are the workers.
        let share = |(thread, time): (&String, &Duration)| {
            (*time - before.get(thread).copied().unwrap_or_default()).as_secs_f64() / span
        };
        let mut busy: Vec<f64> = wanted_processor(edge.pid()).iter().map(share).collect();
        busy.sort_by(f64::total_cmp);
        assert!(busy[busy.len() - 2] > 0.9, "the workers had time to rest: {busy:?}");
        for ((question, _), slowest) in QUESTIONS.iter().zip(slowest) {
            assert!(slowest < LIMIT, "{question}: {slowest:?} at the slowest");
        }
    });
    // It has come through it.
    assert!(!site.raw(Version::Tls13).visit(address, NAME).resumed);
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long each thread of a process has run or has waited for a processor so far: all the time it did not rest
/// (`/proc/PID/task/TID/schedstat`: nanoseconds running, nanoseconds waiting).
fn wanted_processor(pid: u32) -> BTreeMap<String, Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .map(|thread| {
            let thread = thread.unwrap();
            let times = fs::read_to_string(thread.path().join("schedstat")).unwrap();
            let nanoseconds = times.split_whitespace().take(2).map(|time| time.parse::<u64>().unwrap()).sum();
            (thread.file_name().to_string_lossy().into_owned(), Duration::from_nanos(nanoseconds))
        })
        .collect()
}
