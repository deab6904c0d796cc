//! The stats socket's commands, as HAProxy has them: parsed, then answered.

mod check_status;
mod info;
mod order;
mod servers;
mod stat;
mod state;
mod tls_keys;

use self::order::{Order, Weight};
use super::observed::Observed;
use crate::upstream::Wanted;

/// A command, as it was typed. It borrows what it names: a key in it stays where it was received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Help,
    Prompt,
    Quit,
    ShowInfo,
    ShowStat(stat::Filter<'a>),
    /// The servers' states, of one upstream or of all.
    ShowServersState(Option<&'a str>),
    /// The connections to them, likewise.
    ShowServersConnections(Option<&'a str>),
    ShowBackend,
    /// For one server, by its upstream's name and its own.
    Server(&'a str, Order),
    ShowTlsKeys(Option<&'a str>),
    ShowVersion,
    SetTlsKey {
        /// The id or the file.
        which: Option<&'a str>,
        /// In base64.
        key: Option<&'a str>,
    },
    /// A form of `show info` or `show stat` that is HAProxy's, and not built here.
    OtherForm(&'a str),
    Unknown,
}

impl<'a> Command<'a> {
    /// The command in `text`, a line or a part of one between semicolons.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut words = text.split_ascii_whitespace();
        match [words.next(), words.next(), words.next()].map(Option::unwrap_or_default) {
            ["help", ..] => Self::Help,
            ["prompt", ..] => Self::Prompt,
            ["quit", ..] => Self::Quit,
            ["show", "info" | "stat", form] if OTHER_FORMS.contains(&form) => Self::OtherForm(form),
            ["show", "info", _] => Self::ShowInfo,
            ["show", "stat", proxy] => Self::ShowStat(stat::Filter::parse(proxy, words.next(), words.next())),
            ["show", "servers", "state"] => Self::ShowServersState(words.next()),
            ["show", "servers", "conn"] => Self::ShowServersConnections(words.next()),
            ["show", "backend", _] => Self::ShowBackend,
            ["set", "server", name] => Self::Server(name, Order::parse(words.next(), words.next())),
            ["set", "weight", name] => Self::Server(name, Order::SetWeight(Weight::parse(words.next()))),
            ["get", "weight", name] => Self::Server(name, Order::ShowWeight),
            ["enable", "server", name] => Self::Server(name, Order::State(Some(Wanted::Ready))),
            ["disable", "server", name] => Self::Server(name, Order::State(Some(Wanted::Maintenance))),
            ["show", "tls-keys", which] => Self::ShowTlsKeys((!which.is_empty()).then_some(which)),
            ["show", "version", _] => Self::ShowVersion,
            ["set", "ssl", "tls-key"] => Self::SetTlsKey { which: words.next(), key: words.next() },
            _ => Self::Unknown,
        }
    }
}

/// What a command comes to.
pub(super) enum Reply {
    /// Text, whole lines.
    Text(String),
    /// The prompt goes on, or off.
    TogglePrompt,
    /// The connection ends.
    Quit,
}

/// Answers `command`.
pub(super) fn run(command: Command<'_>, observed: &Observed) -> Reply {
    let snapshot = observed.snapshot();
    Reply::Text(match command {
        Command::Prompt => return Reply::TogglePrompt,
        Command::Quit => return Reply::Quit,
        Command::Help => help("The following commands are valid at this level:"),
        Command::ShowInfo => info::render(observed, &snapshot),
        Command::ShowStat(filter) => stat::render(&filter, observed, &snapshot),
        Command::ShowServersState(upstream) => servers::state(upstream, &snapshot),
        Command::ShowServersConnections(upstream) => servers::connections(upstream, &snapshot),
        Command::ShowBackend => servers::upstreams(&snapshot),
        Command::Server(name, order) => order::run(name, order, &snapshot),
        Command::ShowTlsKeys(which) => tls_keys::show(which, &snapshot),
        Command::ShowVersion => format!("{}\n", env!("CARGO_PKG_VERSION")),
        Command::SetTlsKey { which, key } => tls_keys::set(which, key, &snapshot),
        Command::OtherForm(form) => {
            format!("The form '{form}' is not known here; leave it out, or ask /status.json on the admin address.\n")
        }
        Command::Unknown => help("Unknown command. Please enter one of the following commands only:"),
    })
}

fn help(title: &str) -> String {
    let mut text = format!("{title}\n");
    for (command, what) in HELP {
        text.push_str(&format!("  {command:<40}: {what}\n"));
    }
    text
}

/// HAProxy's words, where they fit.
const HELP: [(&str, &str); 16] = [
    ("disable server <bk>/<srv>", "disable a server for maintenance"),
    ("enable server <bk>/<srv>", "enable a disabled server"),
    ("get weight <bk>/<srv>", "report a server's current weight"),
    ("set server <bk>/<srv> [opts]", "change a server's state (ready, drain, maint) or weight"),
    ("set ssl tls-key [id|file] <key>", "set the next TLS key for the <id> or <file> listed by show tls-keys"),
    ("set weight <bk>/<srv> <weight>[%]", "change a server's weight"),
    ("show backend", "list backends in the current running config"),
    ("show info", "report information about the running process"),
    ("show servers conn [<backend>]", "dump server connections status (all or for a single backend)"),
    ("show servers state [<backend>]", "dump volatile server information (all or for a single backend)"),
    ("show stat [<iid>|<proxy>] [<type> <sid>]", "report counters for each proxy and server"),
    ("show tls-keys [id|*]", "show tls keys references, or names, states and ages of the keys"),
    ("show version", "show version of the current process"),
    ("help", "list all commands"),
    ("prompt", "toggle interactive mode with prompt"),
    ("quit", "disconnect"),
];

const OTHER_FORMS: [&str; 3] = ["json", "typed", "desc"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart() {
        let key = Command::SetTlsKey { which: Some("#0"), key: Some("QUJD") };
        let cases = [
            ("show info", Command::ShowInfo),
            ("  show \t info float ", Command::ShowInfo),
            ("show info json", Command::OtherForm("json")),
            ("show stat typed", Command::OtherForm("typed")),
            ("show tls-keys", Command::ShowTlsKeys(None)),
            ("show tls-keys *", Command::ShowTlsKeys(Some("*"))),
            ("set ssl tls-key #0 QUJD", key),
            ("set ssl tls-key #0 QUJD more", key),
            ("set ssl tls-key /a/b", Command::SetTlsKey { which: Some("/a/b"), key: None }),
            ("set ssl tls-key", Command::SetTlsKey { which: None, key: None }),
            ("show servers state", Command::ShowServersState(None)),
            ("show servers state app", Command::ShowServersState(Some("app"))),
            ("show servers conn", Command::ShowServersConnections(None)),
            ("show servers conn #2", Command::ShowServersConnections(Some("#2"))),
            ("show servers", Command::Unknown),
            ("show backend", Command::ShowBackend),
            ("set server app/a:1 state drain", Command::Server("app/a:1", Order::State(Some(Wanted::Drain)))),
            ("set server app/a:1 state maint", Command::Server("app/a:1", Order::State(Some(Wanted::Maintenance)))),
            ("set server app/a:1 state", Command::Server("app/a:1", Order::State(None))),
            ("set server app/a:1 weight 5%", Command::Server("app/a:1", Order::SetWeight(Ok(Weight::Percent(5))))),
            ("set server app/a:1 health up", Command::Server("app/a:1", Order::Other)),
            ("set server", Command::Server("", Order::Other)),
            ("set weight app/a:1 5", Command::Server("app/a:1", Order::SetWeight(Ok(Weight::Absolute(5))))),
            ("get weight app/a:1", Command::Server("app/a:1", Order::ShowWeight)),
            ("enable server app/a:1", Command::Server("app/a:1", Order::State(Some(Wanted::Ready)))),
            ("disable server app/a:1", Command::Server("app/a:1", Order::State(Some(Wanted::Maintenance)))),
            ("show version\r", Command::ShowVersion),
            ("help show", Command::Help),
            ("prompt", Command::Prompt),
            ("quit", Command::Quit),
            ("", Command::Unknown),
            ("show", Command::Unknown),
            ("SHOW INFO", Command::Unknown),
            ("show infos", Command::Unknown),
        ];
        for (text, command) in cases {
            assert!(Command::parse(text) == command, "{text:?}");
        }
        let Command::ShowStat(filter) = Command::parse("show stat web 1 -1") else { panic!("not show stat") };
        assert_eq!(filter, stat::Filter::parse("web", Some("1"), Some("-1")));
    }

    #[test]
    fn help_is_laid_out_as_haproxys() {
        let text = help("Commands:");
        assert!(text.starts_with("Commands:\n"));
        for line in text.lines().skip(1) {
            assert_eq!((&line[..2], &line[42..44]), ("  ", ": "), "{line}");
        }
        assert!(text.contains("\n  prompt                                  : toggle interactive mode with prompt\n"));
    }
}
