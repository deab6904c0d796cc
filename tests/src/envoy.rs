//! Envoy, which is not run: the shape of its file as its documentation has it, read by somebody else's YAML.

use std::path::Path;
use std::process::Command;

use crate::program;

/// The ticket keys of the secret `stek` in a file for its secret discovery service: a line for each, with the kind of data
/// source, the length in bytes, and the key's name. Panics where anything is not as it should be, or is there that should
/// not be.
pub fn read_secret(path: &Path) -> String {
    let script = "import base64, sys, yaml\n\
        [secret] = yaml.safe_load(open(sys.argv[1]))['resources']\n\
        assert secret.pop('@type') == 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'\n\
        assert secret.pop('name') == 'stek'\n\
        for key in secret.pop('session_ticket_keys').pop('keys'):\n\
        \x20   [(kind, key)] = key.items()\n\
        \x20   print(kind, len(base64.b64decode(key)), base64.b64decode(key)[:16].hex())\n\
        assert not secret\n";
    program::run(Command::new("/usr/bin/python3").args(["-c", script]).arg(path), b"").succeeded().stdout
}
