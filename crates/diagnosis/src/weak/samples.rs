//! Tickets of many servers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Guess, guess_each};
use crate::Finding;
use crate::evidence::KeyName;
use crate::session::Sample;

/// The findings that the keys of some of these can be guessed, a server each. At most `most` keys are tried.
///
/// Tickets under one key name are under one key: what is known of one of them holds for all, and where it was guessed the
/// others are tried too, for a finding says what was seen.
pub(crate) fn weak_ticket_keys(samples: &[Sample], most: usize) -> Vec<Finding> {
    let (mut first, again) = by_name(samples);
    first.truncate(most);
    let mut found = guessed(&first);
    let names = found.iter().filter_map(|(sample, _)| KeyName::of(&sample.ticket)).collect::<BTreeSet<_>>();
    let named = |sample: &&Sample| KeyName::of(&sample.ticket).is_some_and(|name| names.contains(&name));
    found.extend(guessed(&again.into_iter().filter(named).collect::<Vec<_>>()));
    let mut servers = BTreeMap::new();
    for (sample, finding) in found {
        servers.entry(sample.server).or_insert(finding);
    }
    servers.into_values().collect()
}

/// The first ticket under each name, and the others.
///
/// A name that anybody can guess is none: whoever left it at zero may have done so with the key or not.
fn by_name(samples: &[Sample]) -> (Vec<&Sample>, Vec<&Sample>) {
    let mut names = BTreeSet::new();
    samples.iter().partition(|sample| match KeyName::of(&sample.ticket) {
        Some(name) => Guess::is_any(name.as_bytes()) || names.insert(name),
        None => true,
    })
}

fn guessed<'a>(samples: &[&'a Sample]) -> Vec<(&'a Sample, Finding)> {
    let tickets = samples.iter().map(|sample| &*sample.ticket).collect::<Vec<_>>();
    let guesses = samples.iter().zip(guess_each(&tickets));
    guesses.filter_map(|(sample, guessed)| Some((*sample, guessed?.finding(sample.server, &sample.ticket)))).collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

    use super::*;

    const WEAK: [u8; 32] = [0; 32];
    const STRONG: [u8; 32] = *b"5f0ee1a9c72d4b8836bd5e90a1c4f377";

    fn server(number: u8) -> SocketAddr {
        ([192, 0, 2, number], 443).into()
    }

    /// A ticket with this name and a MAC under this key.
    fn sample(number: u8, name: &[u8; 16], key: [u8; 32]) -> Sample {
        let mut ticket = [&name[..], &[number; 64]].concat();
        let mac = sign(&Key::new(HMAC_SHA256, &key), &ticket);
        ticket.extend(mac.as_ref());
        Sample { server: server(number), ticket: ticket.into() }
    }

    fn peers(samples: &[Sample], most: usize) -> Vec<SocketAddr> {
        weak_ticket_keys(samples, most).into_iter().flat_map(|finding| finding.peers).collect()
    }

    #[test]
    fn a_name_is_tried_once_and_what_is_found_holds_for_all_who_show_it() {
        let (one, other) = (b"no guess, but one", b"no guess, another");
        let [one, other] = [one, other].map(|name| name.first_chunk().unwrap());
        let samples = [sample(1, other, STRONG), sample(2, other, STRONG), sample(3, one, WEAK), sample(4, one, WEAK)];
        let (first, again) = by_name(&samples);
        assert_eq!(first, [&samples[0], &samples[2]]);
        assert_eq!(again, [&samples[1], &samples[3]]);
        assert_eq!(peers(&samples, 2), [server(3), server(4)]);
        assert_eq!(peers(&samples, 1), [], "one key is tried");
    }

    #[test]
    fn whoever_shows_the_name_without_the_key_is_not_found() {
        let name = b"no guess, I hope";
        assert_eq!(peers(&[sample(1, name, WEAK), sample(2, name, STRONG)], 9), [server(1)]);
    }

    #[test]
    fn a_name_that_anybody_can_guess_is_none() {
        assert_eq!(peers(&[sample(1, &[0; 16], STRONG), sample(2, &[0; 16], WEAK)], 9), [server(2)]);
    }
}
