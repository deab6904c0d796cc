use futures_util::future::join_all;
use raincheck_diagnosis::evidence::{Ending, Experiment, Said, Trial, Way};

use super::{Call, Probe};
use crate::probe::by_hand::Outcome;
use crate::probe::{Ask, ByHand, Session, Ticket};

impl Probe<'_> {
    /// Whether one session resumes on several connections at once.
    pub(super) async fn parallel(&mut self, way: Way) {
        match way {
            Way::Psk => self.one_ticket_by_hand().await,
            Way::Ticket | Way::SessionId => self.one_session(way).await,
        }
    }

    async fn one_session(&mut self, way: Way) {
        let Some(made) = self.make(Experiment::Parallel, way, Ending::Clean).await else {
            return;
        };
        let calls: Vec<(Call, Session)> = (0..AT_ONCE)
            .filter_map(|_| {
                Some((Call { offered: Some(made), ..self.call(Experiment::Parallel, way) }, self.session(made)?))
            })
            .collect();
        self.pace.step().await;
        let attempts = calls.into_iter().map(|(call, session)| {
            let attempt = self.attempt(&call, Some(session));
            async { (call, attempt.run(self.target, self.trust).await) }
        });
        for (call, outcome) in join_all(attempts).await {
            self.record(&call, outcome);
        }
    }

    /// The same with a ticket of TLS 1.3, which rustls offers once. The client that offers it more often shows no certificate.
    async fn one_ticket_by_hand(&mut self) {
        if self.trials.iter().any(|trial| trial.certificate_request.is_some()) {
            return;
        }
        self.pace.step().await;
        let full = self.by_hand(None).run(self.target).await;
        let ticket = full.tickets.first().cloned();
        let made = self.record_by_hand(None, full);
        let Some(ticket) = ticket else {
            return;
        };
        self.pace.step().await;
        let attempts = (0..AT_ONCE).map(|_| self.by_hand(Some(ticket.clone())).run(self.target));
        for outcome in join_all(attempts).await {
            self.record_by_hand(Some(made), outcome);
        }
    }

    fn by_hand(&self, ticket: Option<Ticket>) -> ByHand {
        ByHand {
            starttls: self.plan.starttls,
            ticket,
            ask: Some(ASK),
            request: self.plan.request.clone().unwrap_or_default(),
            listen: super::LISTEN,
            patience: self.patience,
            ..ByHand::new(self.target)
        }
    }

    fn record_by_hand(&mut self, offered: Option<usize>, outcome: Outcome) -> usize {
        let Outcome { connection, failure, tickets, answer, .. } = outcome;
        let said = match (&self.plan.request, answer.is_empty()) {
            (None, _) => Said::Nothing,
            (Some(_), true) => Said::Unanswered,
            (Some(_), false) => Said::Answered,
        };
        let trial = Trial {
            experiment: Experiment::Parallel,
            way: Way::Psk,
            offered,
            ending: Ending::Clean,
            certificate_request: None,
            said,
            gained: tickets.len(),
            unasked: 0,
            connection,
            failure,
        };
        self.keep(trial, Vec::new())
    }
}

// As many connections as a browser opens that finds a page with pictures.
const AT_ONCE: usize = 3;
// More than servers send that do not listen to it.
const ASK: Ask = Ask { new_session: 4, resumption: 2 };
