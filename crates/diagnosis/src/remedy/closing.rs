//! Against ends of connections that cost sessions.

use crate::finding::Remedy;
use crate::product::Product::{Any, GnuTls, Go, HaProxy, Java, NodeJs, OpenSsl, Python, Raincheck, Rustls, SChannel};

pub(super) const UNCLEAN_CLOSE_INVALIDATES: &[Remedy] = &[
    Remedy::new(
        Java,
        "update the server to 17 or later, without `com.sun.net.ssl.requireCloseNotify`, and leave \
         `jdk.tls.server.enableSessionTicketExtension` at its default of true",
    ),
    Remedy::new(HaProxy, "check with `option httpchk`, which ends with close_notify, and not with `check-ssl` alone"),
    Remedy::new(OpenSsl, "in the server, call `SSL_shutdown` before `SSL_free`"),
    Remedy::new(Raincheck, "its checks end with close_notify and resume; nothing to set"),
];

pub(super) const CLIENT_CLOSES_UNCLEAN: &[Remedy] = &[
    Remedy::new(HaProxy, "check with `option httpchk`, and not with `check-ssl` alone"),
    Remedy::new(Python, "call `unwrap()` before `close()`"),
    Remedy::new(OpenSsl, "call `SSL_shutdown` before closing the socket"),
    Remedy::new(Go, "close the `tls.Conn`, not the `net.Conn` below it"),
    Remedy::new(Java, "with SSLEngine, call `closeOutbound()`, then `wrap()`, and send what comes out"),
    Remedy::new(SChannel, "in .NET, `await stream.ShutdownAsync()` before disposing of an SslStream"),
    Remedy::new(GnuTls, "call `gnutls_bye(session, GNUTLS_SHUT_WR)` before closing the socket"),
    Remedy::new(Rustls, "call `send_close_notify()`, then `write_tls()` until nothing is left"),
    Remedy::new(NodeJs, "end with `socket.end()`, not `socket.destroy()`"),
    Remedy::new(Raincheck, "as a client it sends close_notify and waits for the server's; nothing to set"),
];

pub(super) const CLOSE_NOT_ANSWERED: &[Remedy] = &[
    Remedy::new(Java, "start the server with `-Djdk.tls.acknowledgeCloseNotify=true`, or have it close both sides"),
    Remedy::new(OpenSsl, "in the server, call `SSL_shutdown` when `SSL_read` ends with `SSL_ERROR_ZERO_RETURN`"),
    Remedy::new(GnuTls, "in the server, call `gnutls_bye(session, GNUTLS_SHUT_WR)` when `gnutls_record_recv` gives 0"),
    Remedy::new(Rustls, "in the server, call `send_close_notify()` when a read gives 0, and send it"),
    Remedy::new(Python, "in the server, call `unwrap()` in place of `close()` when `recv()` gives nothing"),
    Remedy::new(Any, "have the client wait for close_notify or FIN, bounded, and take both for an end"),
    Remedy::new(Raincheck, "answers with close_notify once reading is done; nothing to set"),
];
