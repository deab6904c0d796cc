//! The agent: makes products hold the keys of a ring.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use raincheck_keyring::Schedule;

use crate::admin::answer_on;
use crate::reading::{self, Asked, Reading, Signals};
use crate::serve::{Error, Notice, open};
use crate::{Following, KeySource, Keys, Prepared};

mod admin;
mod feed;
mod tally;

pub use feed::Outlet;
use tally::Tally;

/// What an agent is to do.
#[derive(Debug)]
pub struct Setup {
    /// Where its keys come from.
    pub source: KeySource,
    /// How long each serves.
    pub schedule: Schedule,
    /// What it feeds; at least one.
    pub outlets: Vec<Outlet>,
    /// Where metrics, health and status are served; nowhere if none.
    pub admin: Option<SocketAddr>,
}

impl reading::Setup for Setup {
    fn keys(&self) -> (&KeySource, Schedule) {
        (&self.source, self.schedule)
    }
}

/// Runs an agent on this thread, until SIGTERM or SIGINT; SIGHUP reloads. The products keep the keys they have when it ends.
///
/// `reload` reads the configuration anew, on another thread. `notices` is told what an operator should know; it must not
/// block.
///
/// # Errors
/// What a start can fail of; nothing was done then.
pub fn run<E: Display>(
    setup: Setup,
    reload: impl Fn() -> Result<Setup, E> + Send + Sync + 'static,
    notices: impl Fn(Notice) + Send + Sync + 'static,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::System)?;
    let result = runtime.block_on(async {
        let mut signals = Signals::new().map_err(Error::System)?;
        let mut agent = Agent::start(setup, Arc::new(notices))?;
        let mut reading = Reading::new(reload);
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Reload => reading.begin(&agent.shared.keys),
                    Asked::End => return Ok(()),
                },
                read = reading.done() => agent.reload(read),
                never = agent.feeds.ended() => match never {},
                never = agent.following.ended() => match never {},
            }
        }
    });
    // Another thread may still read a configuration.
    runtime.shutdown_background();
    result
}

struct Agent {
    shared: Arc<Shared>,
    following: Following,
    feeds: Following,
    admin: Option<SocketAddr>,
}

/// What the admin address shows.
struct Shared {
    keys: Keys,
    source: ArcSwap<KeySource>,
    tally: Arc<Tally>,
    notices: Arc<dyn Fn(Notice) + Send + Sync>,
}

impl Agent {
    fn start(setup: Setup, notices: Arc<dyn Fn(Notice) + Send + Sync>) -> Result<Self, Error> {
        let Setup { source, schedule, outlets, admin } = setup;
        let opened = admin.as_ref().map(|address| open(*address, "the admin address")).transpose()?;
        let tally = Arc::new(Tally::of(&outlets));
        let observer = {
            let notices = Arc::clone(&notices);
            move |event| notices(Notice::Keys(event))
        };
        let keys = Keys::start(&source, schedule, observer)?;
        keys.wait_for_sinks();
        let shared = Arc::new(Shared { keys, source: ArcSwap::from_pointee(source), tally, notices });
        if let Some(opened) = opened {
            (shared.notices)(Notice::Admin(opened.address));
            tokio::spawn(answer_on(opened.listener, Arc::clone(&shared), admin::answer));
        }
        let following = shared.keys.follow();
        let feeds = feed(&shared, outlets);
        Ok(Self { shared, following, feeds, admin })
    }

    /// Everything that is new takes effect, or nothing.
    fn reload(&mut self, read: Result<(Setup, Prepared), String>) {
        let (setup, keys) = match read {
            Ok(read) => read,
            Err(error) => return (self.shared.notices)(Notice::ReloadFailed(error)),
        };
        self.shared.source.store(Arc::new(setup.source));
        self.shared.tally.begin_anew(&setup.outlets);
        keys.apply();
        // A product that is new holds nothing yet.
        self.shared.keys.wait_for_sinks();
        self.feeds = feed(&self.shared, setup.outlets);
        (self.shared.notices)(Notice::Reloaded);
        if setup.admin != self.admin {
            (self.shared.notices)(Notice::NeedsRestart { setting: "agent.admin" });
        }
    }
}

fn feed(shared: &Shared, outlets: Vec<Outlet>) -> Following {
    let (keys, tally) = (shared.keys.clone(), Arc::clone(&shared.tally));
    Following::new(async move { feed::run(&keys, outlets, &tally).await })
}
