//! Which server takes the next connection: pure choices over numbers.
//!
//! Nothing is remembered from one choice to the next, so workers need not agree on anything, and servers may come, go
//! and change their weights in between.

use std::cmp::Ordering;

use crate::config::Balance;

/// What is known of a server that might take a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Connections open to it.
    pub open: usize,
    /// Its weight as it is now, in units of which [`WEIGHT_OF_ONE`] make 1. 0: it takes no new connections.
    pub weight: u32,
    /// Whether it serves only when no other can.
    pub backup: bool,
    /// A hash of its name, the same on every node and after every restart.
    pub key: u64,
}

/// What one connection brings to the choice; the same for all servers tried for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Grows by one with each connection.
    pub turn: usize,
    /// Any number, as long as nobody can guess it.
    pub random: u64,
    /// A hash of the client's address.
    pub source: u64,
}

/// Where in `candidates` the server stands that takes the connection. None if there is none: all were `tried` (places
/// in `candidates` too) or have no weight.
pub fn pick(balance: Balance, candidates: &[Candidate], choice: &Choice, tried: &[usize]) -> Option<usize> {
    let left = |backup: bool| {
        let is_left = move |&(place, server): &(usize, &Candidate)| {
            server.backup == backup && server.weight > 0 && !tried.contains(&place)
        };
        candidates.iter().enumerate().filter(is_left)
    };
    let servers = left(left(false).next().is_none());
    servers.clone().next()?;
    match balance {
        Balance::LeastConnections => least_connections(servers, choice.turn),
        // Turns that fell to the same server have a pattern, which the turns among the others may share: once that
        // server has failed, chance is fairer.
        Balance::RoundRobin if tried.is_empty() => round_robin(servers, choice.turn as u64),
        Balance::RoundRobin => round_robin(servers, choice.draw(tried.len())),
        Balance::RandomTwo => {
            let nth = 2 * tried.len();
            random_two(servers, [choice.draw(nth), choice.draw(nth + 1)])
        }
        Balance::SourceHash => source_hash(servers, choice.source),
    }
}

impl Choice {
    /// The `nth` of the numbers that one random number is good for, as independent as splitmix64's are (Steele, Lea and
    /// Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
    fn draw(&self, nth: usize) -> u64 {
        mix(self.random.wrapping_add((nth as u64 + 1).wrapping_mul(GOLDEN)))
    }
}

/// Those a connection may go to, each with its place among all candidates.
trait Servers<'a>: Iterator<Item = (usize, &'a Candidate)> + Clone {}

impl<'a, I: Iterator<Item = (usize, &'a Candidate)> + Clone> Servers<'a> for I {}

/// The least loaded one; of equals the heavier, and of equals in that too the first from `turn` on, so that an idle
/// upstream does not send everything to its first server.
fn least_connections<'a>(servers: impl Servers<'a>, turn: usize) -> Option<usize> {
    let from = turn % servers.clone().count();
    servers
        .clone()
        .skip(from)
        .chain(servers.take(from))
        .min_by(|(_, one), (_, other)| by_load(one, other).then(other.weight.cmp(&one.weight)))
        .map(|(place, _)| place)
}

/// The one whose turn it is. In a period, as many turns as all weights come to after division by what they have in
/// common, each server has exactly as many as its weight.
///
/// The weights undivided are events on a circle of [`INSTANTS`] instants: each server has as many as its weight, at
/// equal distances, the nth of n servers' first one n/nth of a distance after the circle begins, lest equals have all
/// of theirs at once. The order of the events is the order of turns: so a heavy server's turns lie as far apart as can
/// be, with those of light servers between them. The circle is a row of equal periods, and the first one is used. How
/// many events there are before an instant needs only a sum over the servers; the instant of a given turn is found by
/// halving, in 32 sums at most.
fn round_robin<'a>(servers: impl Servers<'a>, turn: u64) -> Option<usize> {
    let weights = || servers.clone().map(|(_, server)| u64::from(server.weight));
    let (count, all_weights) = (weights().count() as u64, weights().sum::<u64>());
    let period = all_weights / weights().fold(0, gcd);
    let turn = turn % period;
    if period == count {
        // All weigh the same, and have an event each, in their order: nothing to search for.
        return servers.map(|(place, _)| place).nth(turn as usize);
    }
    // A server's events before an instant: the distances since its first one, rounded up. A weight fits in 32 bits, so
    // this fits in 64, with nothing to spare.
    let delay = INSTANTS / count;
    let events = |nth: u64, server: &Candidate, instant: u64| {
        (u64::from(server.weight) * instant + (INSTANTS - 1 - nth * delay)) / INSTANTS
    };
    let all_events = |instant| (0..).zip(servers.clone()).map(|(nth, (_, server))| events(nth, server, instant)).sum();
    // Two instants, each with how many events there are before it; the turn's is between them.
    let (mut start, mut end) = ((0, 0), (INSTANTS, all_weights));
    while end.1 - start.1 > 1 && end.0 - start.0 > 1 {
        let middle = (start.0 + end.0) / 2;
        match all_events(middle) {
            before if before <= turn => start = (middle, before),
            before => end = (middle, before),
        }
    }
    // Several servers may have an event at the same instant, but none has two.
    (0..)
        .zip(servers)
        .filter(|&(nth, (_, server))| events(nth, server, end.0) > events(nth, server, start.0))
        .nth((turn - start.1) as usize)
        .map(|(_, (place, _))| place)
}

/// The less loaded of two, each drawn as often as its weight says (Mitzenmacher, "The Power of Two Choices in
/// Randomized Load Balancing", 2001); of equals the first. Where connections are counted late, or by each node for
/// itself, the least loaded server of all would be everybody's choice at once.
fn random_two<'a>(servers: impl Servers<'a>, random: [u64; 2]) -> Option<usize> {
    let (first, server) = drawn(servers.clone(), random[0])?;
    let second = drawn(servers.filter(|(place, _)| *place != first), random[1]);
    second.filter(|(_, other)| by_load(other, server).is_lt()).map_or(Some(first), |(place, _)| Some(place))
}

/// The server that comes first in the order of `source`, and has room: a server that comes or goes, or whose weight
/// changes, takes along only what is its own.
///
/// The order is that of weighted rendezvous hashing: each server draws the time -ln(h) / weight, of which the smallest
/// falls to each server as often as its weight says (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables",
/// 2005). Room is what bounded loads leave it: with the connection, no more than 5/4 of its share of all connections,
/// rounded up (Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016). Of few connections
/// that is one each: a client alone in an idle upstream that opens several at a time finds them on several servers.
fn source_hash<'a>(servers: impl Servers<'a>, source: u64) -> Option<usize> {
    let weights: u128 = servers.clone().map(|(_, server)| u128::from(server.weight)).sum();
    let connections = 1 + servers.clone().map(|(_, server)| server.open as u128).sum::<u128>();
    // open + 1 is above a share rounded up exactly if open is not below the share. All cannot be full: their shares
    // come to more than all connections do.
    let is_full = |server: &Candidate| server.open as u128 * weights * 4 >= connections * u128::from(server.weight) * 5;
    let source = mix(source);
    let time = |server: &Candidate| -fraction(mix(server.key ^ source)).ln() / f64::from(server.weight);
    servers
        .map(|(place, server)| (is_full(server), time(server), place))
        .min_by(|(full, time, _), (other_full, other_time, _)| full.cmp(other_full).then(time.total_cmp(other_time)))
        .map(|(_, _, place)| place)
}

/// How loaded two would be if they took the connection: (open + 1) / weight, multiplied out.
fn by_load(one: &Candidate, other: &Candidate) -> Ordering {
    let scaled = |server: &Candidate, by: &Candidate| (server.open as u128 + 1) * u128::from(by.weight);
    scaled(one, other).cmp(&scaled(other, one))
}

/// One of `servers`, each as likely as its weight says.
fn drawn<'a>(mut servers: impl Servers<'a>, random: u64) -> Option<(usize, &'a Candidate)> {
    let weights: u64 = servers.clone().map(|(_, server)| u64::from(server.weight)).sum();
    // Below `weights`: the upper half of the product.
    let mut at = ((u128::from(random) * u128::from(weights)) >> 64) as u64;
    servers.find(|(_, server)| match at.checked_sub(server.weight.into()) {
        Some(beyond) => {
            at = beyond;
            false
        }
        None => true,
    })
}

/// A number above 0 and below 1, from the upper 52 bits: as many as leave room for the half that keeps it off both
/// ends.
fn fraction(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// Changes half of all bits, whichever bit of `hash` changes: what splitmix64 ends with.
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

/// What a weight of 1 is in [`Candidate::weight`]; fine enough for what a server is worth that has just come up.
pub const WEIGHT_OF_ONE: u32 = 256;

/// How finely the circle of turns is divided. No weight is greater, so no server has two events at one instant; and it
/// takes 65,536 servers of weight 256 until two periods share one.
const INSTANTS: u64 = 1 << 32;

/// 2^64 divided by the golden ratio: what splitmix64 counts by.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests;
