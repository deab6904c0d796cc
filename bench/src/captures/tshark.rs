//! tshark, asked for what a diagnosis of the same capture needs.

use std::path::Path;
use std::process::Command;

/// `tshark -T fields` of the packets of a capture that say something about sessions.
pub(crate) fn command(capture: &Path) -> Command {
    let mut command = Command::new("tshark");
    command.args(["-n", "-Y", "tls || tcp.flags.syn == 1 || tcp.flags.fin == 1 || tcp.flags.reset == 1"]);
    command.args(["-T", "fields"]).args(FIELDS.iter().flat_map(|field| ["-e", field])).arg("-r").arg(capture);
    command
}

/// Who, when, what was offered and issued, what came of it, how it ended.
pub(crate) const FIELDS: [&str; 31] = [
    "frame.number",
    "frame.time_epoch",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.stream",
    "tcp.flags.syn",
    "tcp.flags.fin",
    "tcp.flags.reset",
    "tls.record.content_type",
    "tls.record.length",
    "tls.handshake.type",
    "tls.handshake.length",
    "tls.handshake.version",
    "tls.handshake.extensions.supported_version",
    "tls.handshake.extensions_server_name",
    "tls.handshake.random",
    "tls.handshake.ciphersuite",
    "tls.handshake.session_id",
    "tls.handshake.session_ticket",
    "tls.handshake.session_ticket_lifetime_hint",
    "tls.handshake.extensions.psk.identity.identity",
    "tls.handshake.extensions.psk.identity.selected",
    "tls.handshake.extensions.psk.identity.obfuscated_ticket_age",
    "tls.early_data.max_early_data_size",
    "tls.resumed",
    "tls.alert_message.level",
    "tls.alert_message.desc",
];
