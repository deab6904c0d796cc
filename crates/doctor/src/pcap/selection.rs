use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use raincheck_diagnosis::Timestamp;
use raincheck_diagnosis::session::{Endpoint, Filter};

/// Which connections of a capture to look at; all of them where nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those to this server.
    pub server: Option<Endpoint>,
    /// Those from this client.
    pub client: Option<Endpoint>,
    /// Those that ask for this name.
    pub server_name: Option<String>,
    /// Those that were seen at this time or later.
    pub from: Option<When>,
    /// Those that began before this time.
    pub until: Option<When>,
}

impl Selection {
    /// The selection in a capture whose first packet is from `first`.
    pub(super) fn filter(&self, first: Timestamp) -> Filter {
        Filter {
            server: self.server,
            client: self.client,
            server_name: self.server_name.as_deref().map(str::to_ascii_lowercase),
            from: self.from.map(|from| from.after(first)),
            until: self.until.map(|until| until.after(first)),
        }
    }
}

/// A time in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the first packet.
    After(Duration),
    /// By the clock of who captured.
    At(Timestamp),
}

impl When {
    fn after(self, first: Timestamp) -> Timestamp {
        match self {
            Self::After(after) => {
                let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
                Timestamp::from_nanoseconds(first.nanoseconds().saturating_add(after))
            }
            Self::At(at) => at,
        }
    }
}

impl FromStr for When {
    type Err = String;

    /// Seconds after the first packet (`90`, `1.5`), or a time in UTC (`2026-11-29T08:30:00Z`).
    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if let Some(after) = seconds {
            return Ok(Self::After(after));
        }
        let at = humantime::parse_rfc3339_weak(text).ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let at = at.and_then(|at| u64::try_from(at.as_nanos()).ok()).map(Timestamp::from_nanoseconds);
        at.map(Self::At).ok_or_else(|| {
            "a time is due: seconds after the first packet, as 90 or 1.5, or UTC, as 2026-11-29T08:30:00Z".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_first_packet_or_are_of_the_clock() {
        let first = Timestamp::from_nanoseconds(1_000_000_000);
        for (text, seconds) in
            [("0", 1.0), ("1.5", 2.5), ("90", 91.0), ("1970-01-01T00:00:02Z", 2.0), ("1970-01-01 00:01:00", 60.0)]
        {
            let selection = Selection { from: Some(text.parse().unwrap()), ..Selection::default() };
            let from = Timestamp::from_nanoseconds((seconds * 1e9) as u64);
            assert_eq!(selection.filter(first).from, Some(from), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in ["", "-1", "noon", "NaN", "inf", "2026-13-01T00:00:00Z"] {
            assert!(wrong.parse::<When>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_asked_for_in_lower_case() {
        let selection = Selection { server_name: Some("Shop.Example".to_owned()), ..Selection::default() };
        assert_eq!(selection.filter(Timestamp::default()).server_name.as_deref(), Some("shop.example"));
    }
}
