//! `set server`, `set weight`, `get weight`, `enable server` and `disable server`

use super::servers;
use crate::server::Snapshot;
use crate::upstream::{Server, Wanted};

/// What one server is told, or asked. Words that make no sense are refused only where there is such a server, as HAProxy
/// does.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Order {
    State(Option<Wanted>),
    SetWeight(Result<Weight, &'static str>),
    ShowWeight,
    /// What `set server` knows in HAProxy alone, or not at all.
    Other,
}

/// A weight that a server is given.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Weight {
    Absolute(u32),
    /// Of the configured one.
    Percent(u32),
}

impl Order {
    /// From what follows the name of a server in `set server`.
    pub(super) fn parse(what: Option<&str>, value: Option<&str>) -> Self {
        match what {
            Some("state") => Self::State(match value {
                Some("ready") => Some(Wanted::Ready),
                Some("drain") => Some(Wanted::Drain),
                Some("maint") => Some(Wanted::Maintenance),
                _ => None,
            }),
            Some("weight") => Self::SetWeight(Weight::parse(value)),
            _ => Self::Other,
        }
    }

    fn carry_out(self, server: &Server) -> Result<String, &'static str> {
        match self {
            Self::State(wanted) => server.set_wanted(wanted.ok_or(STATES)?),
            Self::SetWeight(weight) => server.set_weight(weight?.beside(server.configured_weight())),
            Self::ShowWeight => return Ok(format!("{} (initial {})\n", server.weight(), server.configured_weight())),
            Self::Other => return Err(USAGE),
        }
        // HAProxy is silent where all is well.
        Ok(String::new())
    }
}

impl Weight {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, &'static str> {
        let text = text.ok_or("Require <weight> or <weight%>.")?;
        let sign = usize::from(text.starts_with(['-', '+']));
        let end = text[sign..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |digits| sign + digits);
        let (number, rest) = text.split_at(end);
        if number.len() == sign {
            return Err("Empty weight string empty or preceded by garbage");
        }
        // What is too large for the type is too large for a weight.
        let number = number.parse::<i64>().unwrap_or(if number.starts_with('-') { i64::MIN } else { i64::MAX });
        let number = u32::try_from(number.min(u32::MAX.into()));
        match (rest, number) {
            ("", Ok(weight)) if weight <= MOST_WEIGHT => Ok(Self::Absolute(weight)),
            ("", _) => Err("Absolute weight can only be between 0 and 256 inclusive."),
            ("%", Ok(percent)) => Ok(Self::Percent(percent)),
            ("%", Err(_)) => Err("Relative weight must be positive."),
            _ => Err("Trailing garbage in weight string"),
        }
    }

    /// What it is beside the configured one; `None` is that one, whatever a reload makes of it.
    fn beside(self, configured: u32) -> Option<u32> {
        match self {
            Self::Absolute(weight) => Some(weight),
            Self::Percent(100) => None,
            Self::Percent(percent) => {
                let weight = u64::from(configured) * u64::from(percent) / 100;
                Some(u32::try_from(weight).map_or(MOST_WEIGHT, |weight| weight.min(MOST_WEIGHT)))
            }
        }
    }
}

/// Does what `order` says with the server `name`: its upstream's name, a slash, and its own. Either may be a number behind a
/// `#`.
pub(super) fn run(name: &str, order: Order, snapshot: &Snapshot) -> String {
    let done = find(name, snapshot).and_then(|server| order.carry_out(server));
    done.unwrap_or_else(|refusal| format!("{refusal}\n"))
}

fn find<'a>(name: &str, snapshot: &'a Snapshot) -> Result<&'a Server, &'static str> {
    let (upstream, name) = split(name).ok_or("Require 'backend/server'.")?;
    let (_, upstream) = servers::find(upstream, snapshot).ok_or("No such backend.")?;
    let mut servers = (1..).zip(upstream.servers());
    let found = servers.find(|(number, server)| servers::is_called(name, *number, &server.name));
    found.map(|(_, server)| &**server).ok_or("No such server.")
}

/// The upstream's name, which has no slash, and the server's.
fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once('/').filter(|(upstream, server)| !upstream.is_empty() && !server.is_empty())
}

const STATES: &str = "'set server <srv> state' expects 'ready', 'drain' and 'maint'.";
const USAGE: &str = "usage: set server <backend>/<server> state | weight";
const MOST_WEIGHT: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_as_haproxy_reads_them() {
        let garbage = Err("Empty weight string empty or preceded by garbage");
        let trailing = Err("Trailing garbage in weight string");
        let absolute = Err("Absolute weight can only be between 0 and 256 inclusive.");
        let cases = [
            ("0", Ok(Weight::Absolute(0))),
            ("256", Ok(Weight::Absolute(256))),
            ("+5", Ok(Weight::Absolute(5))),
            ("257", absolute),
            ("-1", absolute),
            ("99999999999999999999", absolute),
            ("0%", Ok(Weight::Percent(0))),
            ("250%", Ok(Weight::Percent(250))),
            ("-5%", Err("Relative weight must be positive.")),
            ("x", garbage),
            ("%", garbage),
            ("-", garbage),
            ("5x", trailing),
            ("5%%", trailing),
        ];
        for (text, weight) in cases {
            assert_eq!(Weight::parse(Some(text)), weight, "{text}");
        }
        assert_eq!(Weight::parse(None), Err("Require <weight> or <weight%>."));
    }

    #[test]
    fn a_server_is_named_behind_its_upstream() {
        assert_eq!(split("app/10.0.0.11:8443"), Some(("app", "10.0.0.11:8443")));
        assert_eq!(split("a.b:c/[::1]:1/x"), Some(("a.b:c", "[::1]:1/x")));
        for name in ["", "app", "app/", "/", "/10.0.0.11:8443"] {
            assert_eq!(split(name), None, "{name}");
        }
    }

    #[test]
    fn a_percentage_is_of_the_configured_weight() {
        let cases = [
            (Weight::Absolute(7), 10, Some(7)),
            (Weight::Percent(100), 10, None),
            (Weight::Percent(25), 10, Some(2)),
            (Weight::Percent(50), 1, Some(0)),
            (Weight::Percent(200), 10, Some(20)),
            (Weight::Percent(3000), 10, Some(256)),
            (Weight::Percent(u32::MAX), 256, Some(256)),
        ];
        for (weight, configured, expected) in cases {
            assert_eq!(weight.beside(configured), expected, "{weight:?} of {configured}");
        }
    }
}
