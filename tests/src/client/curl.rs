//! `curl`. In TLS 1.2 it speaks no tickets, only session IDs.

use std::process::Command;

use super::{Ending, Seen, Visit};
use crate::program;

/// Two connections of one process: each response ends its connection.
pub fn twice(visit: &Visit) -> [Seen; 2] {
    let Visit { address, name, ca, version } = visit;
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--verbose", "--header", "Connection: close"]).arg("--cacert").arg(ca);
    command.arg(format!("--tlsv{}", version.number())).args(["--tls-max", version.number()]);
    command.arg("--connect-to").arg(format!("{name}:443:{address}"));
    command.args([format!("https://{name}/1"), format!("https://{name}/2")]);
    let finished = program::run(&mut command, b"").succeeded();
    // It talks of one connection after the other, and "closes" each at its end.
    let talk: Vec<&str> = finished.stderr.split("* Closing connection ").collect();
    let [first, second, after] = talk[..] else { panic!("not two connections: {}", finished.output()) };
    let endings = [second, after];
    let seen = [first, second].into_iter().zip(endings).map(|(talk, after)| Seen {
        resumed: read_resumed(talk),
        answer: finished.stdout.clone(),
        // It says so when OpenSSL under it missed the close_notify; it sends its own right after "Closing".
        ending: if talk.contains("unexpected eof") || after.contains("unexpected eof") {
            Ending::Truncated
        } else {
            Ending::Clean
        },
    });
    seen.collect::<Vec<_>>().try_into().expect("made of two")
}

/// It announces the session it offers, and lists the handshake messages: an abbreviated handshake has no Certificate.
fn read_resumed(talk: &str) -> bool {
    assert!(talk.contains("SSL connection using TLS"), "no finished handshake: {talk}");
    talk.contains("SSL re-using session ID") && !talk.contains("(IN), TLS handshake, Certificate (11)")
}
