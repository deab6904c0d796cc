//! `gnutls-cli`.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use super::{Ending, Seen, Visit};
use crate::deadline::until;
use crate::program;

/// Two connections to a service that echoes.
///
/// Its plain `--resume` disconnects before a word is said, so before a held ticket can be there. Told `^resume^` after
/// the echo, it takes the session as it then is.
pub fn twice(visit: &Visit) -> [Seen; 2] {
    let mut command = Command::new("gnutls-cli");
    command.args(["--inline-commands", "--sni-hostname", &visit.name, "--verify-hostname", &visit.name]);
    command.arg("--x509cafile").arg(&visit.ca);
    command.arg(format!("--priority=NORMAL:-VERS-ALL:+VERS-TLS{}", visit.version.number()));
    command.args(["--port", &visit.address.port().to_string(), &visit.address.ip().to_string()]);
    let mut child = program::spawn(&mut command);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let said = Arc::new(Mutex::new(String::new()));
    let heard = said.clone();
    let reader = thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            heard.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    let says =
        |text: &str| until(&format!("gnutls-cli says {text:?}"), || said.lock().unwrap().contains(text).then_some(()));
    stdin.write_all(b"first\n").unwrap();
    says("\nfirst");
    stdin.write_all(b"^resume^\n").unwrap();
    says("Resume Handshake was completed");
    stdin.write_all(b"second\n").unwrap();
    says("\nsecond");
    // At the end of its input it says goodbye and waits for the server's close_notify.
    drop(stdin);
    let finished = program::finish(child, "gnutls-cli");
    reader.join().unwrap();
    let said = said.lock().unwrap().clone();
    let ending = if finished.status == Some(0) && !finished.stderr.contains("non-properly terminated") {
        Ending::Clean
    } else {
        Ending::Truncated
    };
    let (first, second) = said.split_once("- Disconnecting").unwrap_or_else(|| panic!("one connection: {said}"));
    [first, second].map(|talk| Seen {
        resumed: talk.contains("*** This is a resumed session"),
        answer: talk.to_owned(),
        ending,
    })
}
