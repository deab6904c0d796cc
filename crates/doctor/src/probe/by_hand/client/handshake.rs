//! The messages of the handshake, and the keys that follow from them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use raincheck_diagnosis::Moment;
use raincheck_diagnosis::evidence::{Failure, Version};

use super::{Client, Greeting, Handshake, Phase, broken};
use crate::probe::by_hand::Ticket;
use crate::probe::by_hand::cipher::{Cipher, content};
use crate::probe::by_hand::message::{
    ClientHello, NewSessionTicket, ServerHello, binders_length, expected_tickets, kind, message, request_context,
};
use crate::probe::by_hand::suite::{Secret, Suite};

impl Client {
    pub(super) fn message(&mut self, whole: &[u8], now: Moment) -> Result<(), Failure> {
        let (kind, body) = (whole[0], &whole[4..]);
        self.phase = match (std::mem::replace(&mut self.phase, Phase::Over), kind) {
            (Phase::Hello(greeting), kind::SERVER_HELLO) => {
                let hello = ServerHello::parse(body).ok_or_else(|| broken("its ServerHello makes no sense"))?;
                if hello.is_retry {
                    self.retry(whole, &hello, greeting, now)?
                } else {
                    self.transcript.extend_from_slice(whole);
                    self.server_hello(&hello, *greeting)?
                }
            }
            (Phase::Handshake(handshake), kind::FINISHED) => self.finished(whole, handshake)?,
            (Phase::Handshake(mut handshake), _) => {
                match kind {
                    kind::ENCRYPTED_EXTENSIONS => {
                        self.seen.expected_tickets =
                            expected_tickets(body).ok_or_else(|| broken("its EncryptedExtensions make no sense"))?;
                    }
                    kind::CERTIFICATE_REQUEST => {
                        let context = request_context(body);
                        handshake.requested = context.map(<[u8]>::to_vec);
                    }
                    // Whose certificate it is, other probes have looked at.
                    kind::CERTIFICATE | kind::CERTIFICATE_VERIFY => {}
                    other => return Err(not_due(other)),
                }
                self.transcript.extend_from_slice(whole);
                Phase::Handshake(handshake)
            }
            (Phase::Open { suite, resumption }, kind::NEW_SESSION_TICKET) => {
                let new = NewSessionTicket::parse(body).ok_or_else(|| broken("its NewSessionTicket makes no sense"))?;
                if self.seen.tickets.len() < MOST_TICKETS {
                    let psk = suite.psk(&resumption, new.nonce);
                    let NewSessionTicket { lifetime, age_add, ticket, .. } = new;
                    self.seen.tickets.push(Ticket { ticket: ticket.into(), psk, suite, lifetime, age_add, at: now });
                }
                Phase::Open { suite, resumption }
            }
            (_, other) => return Err(not_due(other)),
        };
        Ok(())
    }

    /// Says hello.
    pub(super) fn greet(&mut self, greeting: &Greeting, now: Moment) {
        let Greeting { server_name, public, ask, ticket, retry, .. } = greeting;
        let hello = ClientHello {
            random: &self.random,
            server_name,
            shares: public,
            ask: *ask,
            cookie: retry.as_ref().map(|(cookie, _)| &cookie[..]),
            ticket: ticket.as_ref().map(|ticket| (ticket, ticket.shown_age(now))),
        };
        let start = self.transcript.len();
        self.transcript.extend(hello.encode());
        if let Some(ticket) = ticket {
            bind(&mut self.transcript, ticket);
        }
        let hello = self.transcript[start..].to_vec();
        self.send(content::HANDSHAKE, &hello);
    }

    /// A HelloRetryRequest, for a cookie: there is a share of every group that was offered (RFC 8446 §4.1.4).
    fn retry(
        &mut self,
        whole: &[u8],
        hello: &ServerHello<'_>,
        mut greeting: Box<Greeting>,
        now: Moment,
    ) -> Result<Phase, Failure> {
        let cookie = match (hello.cookie, &greeting.retry) {
            (Some(cookie), None) => cookie.to_vec(),
            _ => return Err(broken("it asks for another ClientHello, and has all that one could tell")),
        };
        let suite = Suite::find(hello.suite).ok_or_else(|| broken("it chose a suite that was not offered"))?;
        greeting.ticket.take_if(|ticket| !suite.resumes(ticket.suite));
        greeting.retry = Some((cookie, suite.id));
        // Of the first ClientHello, its hash is left (RFC 8446 §4.4.1).
        self.transcript = message(kind::MESSAGE_HASH, suite.hash(&self.transcript).as_ref());
        self.transcript.extend_from_slice(whole);
        self.greet(&greeting, now);
        Ok(Phase::Hello(greeting))
    }

    fn server_hello(&mut self, hello: &ServerHello<'_>, greeting: Greeting) -> Result<Phase, Failure> {
        let Greeting { shares, ticket: offered, retry, .. } = greeting;
        if hello.version != Version::TLS13 {
            return Err(Failure::Version(hello.version));
        }
        let suite = Suite::find(hello.suite)
            .filter(|suite| retry.is_none_or(|(_, named)| suite.id == named))
            .ok_or_else(|| broken("it chose a suite that was not offered"))?;
        let psk = match (hello.ticket, &offered) {
            (None, _) => None,
            (Some(0), Some(ticket)) if suite.resumes(ticket.suite) => Some(&ticket.psk),
            (Some(_), _) => return Err(broken("it resumed what was not offered")),
        };
        self.seen.resumed = Some(psk.is_some());
        let (group, share) = hello.share.ok_or_else(|| broken("its ServerHello has no key share"))?;
        let shared = shares.agree(group, share).ok_or_else(|| broken("its key share is of no use"))?;
        let secret = suite.next(&suite.early(psk), Some(&shared));
        let client = self.traffic(suite, &secret, "c hs traffic", "CLIENT_HANDSHAKE_TRAFFIC_SECRET");
        let server = self.traffic(suite, &secret, "s hs traffic", "SERVER_HANDSHAKE_TRAFFIC_SECRET");
        self.receiving = Some(Cipher::new(suite, &server));
        Ok(Phase::Handshake(Handshake { suite, secret, client, server, requested: None }))
    }

    fn finished(&mut self, whole: &[u8], handshake: Handshake) -> Result<Phase, Failure> {
        let Handshake { suite, secret, client, server, requested } = handshake;
        let expected = suite.verify_data(&server, &self.transcript);
        verify_slices_are_equal(expected.as_ref(), &whole[4..])
            .map_err(|_| broken("its Finished does not go with the handshake"))?;
        self.transcript.extend_from_slice(whole);
        let secret = suite.next(&secret, None);
        let sending = self.traffic(suite, &secret, "c ap traffic", "CLIENT_TRAFFIC_SECRET_0");
        let receiving = self.traffic(suite, &secret, "s ap traffic", "SERVER_TRAFFIC_SECRET_0");

        let mut flight = Vec::new();
        if let Some(context) = requested {
            // context, with its length | no certificates
            let length = u8::try_from(context.len()).expect("it was read with a length of one byte");
            flight = message(kind::CERTIFICATE, &[&[length], &context[..], &[0, 0, 0]].concat());
        }
        self.transcript.extend_from_slice(&flight);
        let finished = message(kind::FINISHED, suite.verify_data(&client, &self.transcript).as_ref());
        self.transcript.extend_from_slice(&finished);
        flight.extend(finished);
        self.sending = Some(Cipher::new(suite, &client));
        self.send(content::HANDSHAKE, &flight);

        self.sending = Some(Cipher::new(suite, &sending));
        self.receiving = Some(Cipher::new(suite, &receiving));
        let resumption = suite.derive(&secret, "res master", &self.transcript);
        self.transcript = Vec::new();
        Ok(Phase::Open { suite, resumption })
    }

    /// Derives the secret of one direction, which a key log has under the name `logged`.
    fn traffic(&self, suite: &Suite, secret: &Secret, label: &str, logged: &str) -> Secret {
        let derived = suite.derive(secret, label, &self.transcript);
        self.log.add(logged, &self.random, derived.expose_bytes());
        derived
    }
}

/// Puts the binder of `ticket` at the end of `transcript`, which ends with a ClientHello (RFC 8446 §4.2.11.2).
fn bind(transcript: &mut [u8], ticket: &Ticket) {
    let Ticket { suite, psk, .. } = ticket;
    let key = suite.derive(&suite.early(Some(psk)), "res binder", &[]);
    let (covered, _) = transcript.split_at(transcript.len() - binders_length(ticket));
    let binder = suite.verify_data(&key, covered);
    let start = transcript.len() - suite.hash_length();
    transcript[start..].copy_from_slice(binder.as_ref());
}

fn not_due(kind: u8) -> Failure {
    Failure::Protocol(format!("it sent a handshake message of type {kind}, which was not due"))
}

// As many as RFC 9149 lets a client ask for.
const MOST_TICKETS: usize = 255;
