//! How much happens in a second, from totals that only grow. Pure but for [`sample`], which keeps the time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::observed::Observed;

/// Samples `observed` each second, for ever.
pub(super) async fn sample(observed: Arc<Observed>) {
    let mut second = interval(SECOND);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    second.tick().await; // the first is at once
    loop {
        second.tick().await;
        observed.sample();
    }
}

/// Numbers of one listener or server, or of all: counted since the start, or in a second.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Connections taken from clients, or made to the server.
    pub(super) connections: u64,
    /// Handshakes that ended well.
    pub(super) handshakes: u64,
    /// The full ones among them.
    pub(super) full: u64,
    /// Application bytes to clients; of a server, none are counted.
    pub(super) bytes_out: u64,
}

/// What happens in a second.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rates {
    /// In the last second.
    pub(super) now: Totals,
    /// In the second that had most of each.
    pub(super) highest: Totals,
}

impl Rates {
    /// What share of the last second's handshakes resumed, in percent, by HAProxy's formula:
    /// 100 · (1 - full / all), rounded; 0 where there were none.
    pub(super) fn reuse_percent(&self) -> u64 {
        let Totals { handshakes, full, .. } = self.now;
        if full >= handshakes { 0 } else { 100 - (100 * full + (handshakes - 1) / 2) / handshakes }
    }
}

/// A meter for each listener, or for each server, by name; and one for them all.
///
/// The whole is the sum of what each grew by: so one that a reload takes away does not make it shrink.
#[derive(Debug, Default)]
pub(super) struct Meters {
    each: HashMap<String, Meter>,
    all: Meter,
}

#[derive(Copy, Clone, Debug, Default)]
struct Meter {
    counted: Totals,
    last: Totals,
    highest: Totals,
}

impl Meters {
    /// Ends a second, or however long `elapsed` since the last one was.
    pub(super) fn tick(&mut self, each: impl Iterator<Item = (impl Into<String>, Totals)>, elapsed: Duration) {
        let mut before = std::mem::take(&mut self.each);
        let mut sum = Totals::default();
        for (name, totals) in each {
            let name = name.into();
            let mut meter = before.remove(&name).unwrap_or_default();
            let grown = totals.since(meter.counted);
            meter.tick(grown, elapsed);
            meter.counted = totals;
            sum = sum.plus(grown);
            self.each.insert(name, meter);
        }
        self.all.tick(sum, elapsed);
    }

    /// The rates of all together, whose totals are these `since` the last tick.
    pub(super) fn rates(&self, each: impl Iterator<Item = (impl AsRef<str>, Totals)>, since: Duration) -> Rates {
        let grown = each.map(|(name, totals)| totals.since(self.meter(name.as_ref()).counted));
        self.all.rates(grown.fold(Totals::default(), Totals::plus), since)
    }

    /// The same of one.
    pub(super) fn rates_of(&self, name: &str, totals: Totals, since: Duration) -> Rates {
        let meter = self.meter(name);
        meter.rates(totals.since(meter.counted), since)
    }

    fn meter(&self, name: &str) -> Meter {
        self.each.get(name).copied().unwrap_or_default()
    }
}

impl Meter {
    fn tick(&mut self, grown: Totals, elapsed: Duration) {
        self.last = grown.each(Totals::default(), |grown, _| per_second(grown, elapsed));
        self.highest = self.highest.each(self.last, u64::max);
    }

    /// As HAProxy reads its counters: what this second has so far, and of the one before it the share that is still
    /// less than a second ago.
    fn rates(&self, grown: Totals, since: Duration) -> Rates {
        let left = SECOND.saturating_sub(since);
        let now = grown.each(self.last, |grown, last| grown + (last as f64 * left.as_secs_f64()).round() as u64);
        Rates { now, highest: self.highest.each(grown, u64::max) }
    }
}

impl Totals {
    /// These and those.
    pub(super) fn plus(self, other: Self) -> Self {
        self.each(other, u64::wrapping_add)
    }

    fn since(self, earlier: Self) -> Self {
        self.each(earlier, u64::saturating_sub)
    }

    fn each(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            connections: f(self.connections, other.connections),
            handshakes: f(self.handshakes, other.handshakes),
            full: f(self.full, other.full),
            bytes_out: f(self.bytes_out, other.bytes_out),
        }
    }
}

fn per_second(count: u64, elapsed: Duration) -> u64 {
    // A tick that comes late had more time to count; one that comes early is not trusted to say what a second brings.
    (count as f64 / elapsed.max(SECOND).as_secs_f64()).round() as u64
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(connections: u64, handshakes: u64, full: u64) -> Totals {
        Totals { connections, handshakes, full, bytes_out: 10 * connections }
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_last_second_slides() {
        let mut meters = Meters::default();
        let listing = |totals| [("web", totals)].into_iter();
        assert_eq!(meters.rates(listing(totals(4, 4, 1)), at(500)).now, totals(4, 4, 1), "before the first tick");
        meters.tick(listing(totals(100, 80, 20)), at(1000));
        for (since, now) in [(0, 100), (250, 75), (1000, 0), (1500, 0)] {
            assert_eq!(meters.rates(listing(totals(100, 80, 20)), at(since)).now.connections, now, "{since} ms");
        }
        let rates = meters.rates_of("web", totals(110, 80, 20), at(500));
        assert_eq!((rates.now.connections, rates.now.handshakes, rates.now.full), (60, 40, 10));
        meters.tick(listing(totals(110, 80, 20)), at(1000));
        let rates = meters.rates(listing(totals(110, 80, 20)), at(1000));
        assert_eq!((rates.now, rates.highest), (Totals::default(), totals(100, 80, 20)));
    }

    #[test]
    fn a_late_tick_counts_for_its_time() {
        let mut meters = Meters::default();
        meters.tick([("web", totals(300, 0, 0))].into_iter(), at(3000));
        let rates = meters.rates_of("web", totals(300, 0, 0), at(0));
        assert_eq!((rates.now.connections, rates.highest.connections), (100, 100));
    }

    #[test]
    fn listeners_come_and_go() {
        let mut meters = Meters::default();
        meters.tick([("a", totals(5, 0, 0)), ("b", totals(7, 0, 0))].into_iter(), at(1000));
        let only_b = || [("b", totals(10, 0, 0))].into_iter();
        meters.tick(only_b(), at(1000));
        let rates = meters.rates(only_b(), at(0));
        assert_eq!((rates.now.connections, rates.highest.connections), (3, 12));
        assert_eq!(meters.rates_of("a", totals(0, 0, 0), at(0)), Rates::default());
    }

    #[test]
    fn the_reuse_percentage_is_haproxys() {
        let cases =
            [(0, 0, 0), (1, 1, 0), (1, 0, 100), (2, 1, 50), (3, 1, 67), (3, 2, 33), (1000, 1, 100), (200, 1, 100)];
        for (handshakes, full, percent) in cases {
            let rates = Rates { now: totals(0, handshakes, full), highest: Totals::default() };
            assert_eq!(rates.reuse_percent(), percent, "{full} of {handshakes}");
        }
    }
}
