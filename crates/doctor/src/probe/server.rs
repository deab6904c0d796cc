//! A server, probed: the connections that show how its sessions resume, one experiment a file.
//!
//! An experiment decides here only what to do next; what follows from it all is for [`raincheck_diagnosis::diagnose`].

mod close;
mod early_data;
mod parallel;
mod policy;
mod resumption;
mod watch;
mod write_only;

use std::time::Duration;

use raincheck_diagnosis::diagnose::server::step;
use raincheck_diagnosis::evidence::{
    Answer, Connection, Ending, Examination, Experiment, Failure, Said, Stage, Trial, Way, WriteOnly,
};
use rustls::pki_types::ServerName;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::attempt::PATIENCE;
use super::{Attempt, Offer, Outcome, Pace, Protocol, Session, Speech, Target, Trust, Versions};

/// What to look for, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is spoken before TLS begins, if anything.
    pub starttls: Option<Protocol>,
    /// What to say once a handshake is over; nothing where `None`.
    pub request: Option<Vec<u8>>,
    /// Whether to act as a client that only writes, and may lose what it writes.
    pub intrusive: bool,
    /// For how long to see what becomes of sessions as they age; not at all where `None`.
    pub watch: Option<Duration>,
    /// Ends the watch once it is true.
    pub stop: Receiver<bool>,
}

/// What goes on.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A connection was made; what for, and what came of it.
    Step(&'a str),
    /// Something has changed at the server.
    Event(&'a str),
}

/// Finds out how a server's sessions resume. `progress` is told of each step.
pub async fn examine(target: &Target, trust: &Trust, plan: &Plan, progress: &dyn Fn(Progress<'_>)) -> Examination {
    let mut probe = Probe::new(target, trust, plan, progress);
    if probe.look().await {
        probe.experiments().await;
    }
    probe.into_examination()
}

/// An examination that is going on.
struct Probe<'a> {
    target: &'a Target,
    trust: &'a Trust,
    plan: &'a Plan,
    progress: &'a dyn Fn(Progress<'_>),
    pace: Pace,
    deadline: Instant,
    patience: Duration,
    /// How long to wait for answers.
    answer_within: Duration,
    trials: Vec<Trial>,
    write_only: Option<WriteOnly>,
    /// The sessions that each trial gained and that were not offered yet.
    sessions: Vec<Vec<Session>>,
}

/// A trial that is to be made.
struct Call {
    experiment: Experiment,
    way: Way,
    /// The trial whose session is offered.
    offered: Option<usize>,
    server_name: ServerName<'static>,
    /// How long to listen before anything is said.
    listen: Duration,
    ending: Ending,
}

impl<'a> Probe<'a> {
    fn new(target: &'a Target, trust: &'a Trust, plan: &'a Plan, progress: &'a dyn Fn(Progress<'_>)) -> Self {
        Self {
            target,
            trust,
            plan,
            progress,
            pace: Pace::default(),
            deadline: Instant::now() + LIMIT,
            patience: PATIENCE,
            answer_within: PATIENCE,
            trials: Vec::new(),
            write_only: None,
            sessions: Vec::new(),
        }
    }

    async fn experiments(&mut self) {
        let mut resuming = Vec::new();
        for way in Way::ALL {
            if self.resumption(way).await == Answer::Yes {
                resuming.push(way);
            }
        }
        for &way in &resuming {
            self.close(way).await;
        }
        // Nothing of the rest depends on where a session is kept: one way for each version shows it.
        resuming.dedup_by_key(|way| way.version());
        for &way in &resuming {
            self.parallel(way).await;
            self.policy(way).await;
        }
        self.early_data().await;
        if self.plan.intrusive {
            self.write_only().await;
        }
        if let Some(length) = self.plan.watch {
            self.watch(&resuming, length, &mut self.plan.stop.clone()).await;
        }
    }

    fn into_examination(self) -> Examination {
        let Self { target, trials, write_only, .. } = self;
        Examination { name: target.name.clone(), address: target.address, trials, write_only }
    }

    fn say(&self, step: &str) {
        (self.progress)(Progress::Step(step));
    }

    fn event(&self, event: &str) {
        (self.progress)(Progress::Event(event));
    }

    /// A first connection. False where no other would tell more.
    async fn look(&mut self) -> bool {
        let call = self.call(Experiment::Look, Way::Psk);
        let look = self.make_as(call).await;
        look.is_some_and(|look| {
            !matches!(
                self.trials[look].failure,
                Some(
                    Failure::Unreachable(_)
                        | Failure::NotTls(_)
                        | Failure::Certificate(_)
                        | Failure::Dialogue(_)
                        | Failure::TimedOut(Stage::Connecting)
                )
            )
        })
    }

    fn call(&self, experiment: Experiment, way: Way) -> Call {
        let server_name = self.target.server_name.clone();
        Call { experiment, way, offered: None, server_name, listen: Duration::ZERO, ending: Ending::Clean }
    }

    /// Makes a session in a full handshake. `None` if that gave none.
    async fn make(&mut self, experiment: Experiment, way: Way, ending: Ending) -> Option<usize> {
        let made = self.make_as(Call { ending, ..self.call(experiment, way) }).await?;
        self.has_session(made).then_some(made)
    }

    /// The same for any call, more than once where a connection was broken off. `None` only if there was no time left.
    async fn make_as(&mut self, call: Call) -> Option<usize> {
        let Call { experiment, way, server_name, listen, ending, .. } = call;
        let mut made = None;
        for _ in 0..TRIES {
            let server_name = server_name.clone();
            made = Some(self.run(Call { experiment, way, offered: None, server_name, listen, ending }, None).await?);
            let last = self.trials.last()?;
            let broken = matches!(last.failure, Some(Failure::Reset(_) | Failure::Ended(_)));
            if last.connection.is_established() || !broken {
                break;
            }
        }
        made
    }

    /// Offers a session that trial `made` gained, or one like it where that has been offered before. `None` if there is none.
    async fn offer(&mut self, experiment: Experiment, way: Way, made: usize, ending: Ending) -> Option<usize> {
        self.offer_as(Call { offered: Some(made), ending, ..self.call(experiment, way) }).await
    }

    async fn offer_as(&mut self, call: Call) -> Option<usize> {
        let session = self.session(call.offered?)?;
        self.run(call, Some(session)).await
    }

    fn has_session(&self, made: usize) -> bool {
        !self.sessions[made].is_empty()
    }

    /// A session to offer. One of TLS 1.2 can be offered again, one of TLS 1.3 cannot.
    fn session(&mut self, made: usize) -> Option<Session> {
        let sessions = &mut self.sessions[made];
        match sessions.last()? {
            Session::Tls12(session) => Some(Session::Tls12(session.clone())),
            Session::Tls13(_) => sessions.pop(),
        }
    }

    /// Makes one connection. `None` once time is up.
    async fn run(&mut self, call: Call, session: Option<Session>) -> Option<usize> {
        if Instant::now() > self.deadline {
            return None;
        }
        self.pace.step().await;
        let outcome = self.attempt(&call, session).run(self.target, self.trust).await;
        Some(self.record(&call, outcome))
    }

    fn attempt(&self, call: &Call, session: Option<Session>) -> Attempt {
        let versions = match (call.experiment, call.way) {
            (Experiment::Look, _) => Versions::Any,
            (_, Way::Psk) => Versions::Tls13,
            (_, Way::Ticket | Way::SessionId) => Versions::Tls12,
        };
        let offer = match (call.way, session) {
            (Way::SessionId, None) => Offer::NoTickets,
            (Way::SessionId, Some(session)) => Offer::SessionId(session),
            (_, None) => Offer::Nothing,
            (_, Some(session)) => Offer::Session(session),
        };
        let speech = match &self.plan.request {
            None => Speech::Nothing(call.listen.max(LISTEN)),
            Some(request) => Speech::Ask { after: call.listen, request: request.clone() },
        };
        Attempt {
            server_name: call.server_name.clone(),
            starttls: self.plan.starttls,
            offer,
            early: call.experiment == Experiment::EarlyData,
            speech,
            ending: call.ending,
            patience: self.patience,
            answer_within: self.answer_within,
            ..Attempt::new(self.target, versions)
        }
    }

    fn record(&mut self, call: &Call, outcome: Outcome) -> usize {
        let Outcome { connection, failure, gained, unasked, certificate_request, answer, .. } = outcome;
        match failure {
            Some(Failure::TimedOut(Stage::Answer)) => self.answer_within = HASTE,
            Some(Failure::TimedOut(_)) => self.patience = HASTE,
            _ => {}
        }
        let usable = is_usable(call.way, &connection);
        let said = match (&self.plan.request, answer.is_empty()) {
            (None, _) => Said::Nothing,
            (Some(_), true) => Said::Unanswered,
            (Some(_), false) => Said::Answered,
        };
        let trial = Trial {
            experiment: call.experiment,
            way: call.way,
            offered: call.offered,
            ending: call.ending,
            certificate_request,
            said,
            gained: if usable { gained.len() } else { 0 },
            unasked: if usable { unasked } else { 0 },
            connection,
            failure,
        };
        self.keep(trial, if usable { gained } else { Vec::new() })
    }

    fn keep(&mut self, trial: Trial, sessions: Vec<Session>) -> usize {
        self.trials.push(trial);
        self.sessions.push(sessions);
        let trial = self.trials.len() - 1;
        self.say(&step(&self.trials, trial));
        trial
    }
}

/// Whether the sessions that a connection gained can be resumed in this way: one of TLS 1.2 may have no ticket.
fn is_usable(way: Way, connection: &Connection) -> bool {
    way != Way::Ticket || !connection.tickets.is_empty() || connection.agreed().is_resumed()
}

// How long all may take that is not a watch.
const LIMIT: Duration = Duration::from_secs(60);
// How often a connection is made anew that was broken off.
const TRIES: usize = 3;
// How long to listen to a server that is told nothing.
const LISTEN: Duration = Duration::from_millis(300);
// How long a server may take that took too long before.
const HASTE: Duration = Duration::from_secs(1);
