//! Against tickets that come too early or too late, or last too long or not long enough.

use crate::finding::Remedy;
use crate::product::Product::{
    Any, Apache, Envoy, GnuTls, Go, H2o, HaProxy, Java, Nginx, NodeJs, OpenSsl, Python, Raincheck, Rustls,
};

const PYTHON_WITHOUT_TICKETS: Remedy = Remedy::new(Python, "in the server, `context.num_tickets = 0`");

const RUSTLS_WITHOUT_TICKETS: Remedy = Remedy::new(Rustls, "in the server, `ServerConfig::send_tls13_tickets = 0`");

const JAVA_WITHOUT_TICKETS: Remedy =
    Remedy::new(Java, "start the server with `-Djdk.tls.server.newSessionTicketCount=0`");

pub(super) const EAGER_TICKETS: &[Remedy] = &[
    Remedy::new(OpenSsl, "in the server, `SSL_CTX_set_num_tickets(ctx, 0)`, and `SSL_new_session_ticket(ssl)` later"),
    PYTHON_WITHOUT_TICKETS,
    Remedy::new(GnuTls, "in the server, `GNUTLS_NO_AUTO_SEND_TICKET`, and `gnutls_session_ticket_send` later"),
    RUSTLS_WITHOUT_TICKETS,
    JAVA_WITHOUT_TICKETS,
    Remedy::new(Raincheck, "holds its tickets until the application's first write; nothing to set"),
];

pub(super) const WRITE_ONLY_DATA_LOST: &[Remedy] = &[
    Remedy::new(OpenSsl, "in the server, `SSL_CTX_set_num_tickets(ctx, 0)`"),
    PYTHON_WITHOUT_TICKETS,
    Remedy::new(Any, "have the client shut down its socket for writing after close_notify, and read to the end"),
    Remedy::new(
        GnuTls,
        "in the server, `GNUTLS_NO_AUTO_SEND_TICKET`; in a client, `gnutls_bye(session, GNUTLS_SHUT_RDWR)`",
    ),
    RUSTLS_WITHOUT_TICKETS,
    JAVA_WITHOUT_TICKETS,
    Remedy::new(Raincheck, "holds tickets until the application writes, and reads to the end; nothing to set"),
];

pub(super) const CLOSED_BEFORE_TICKETS: &[Remedy] = &[
    Remedy::new(HaProxy, "check with `option httpchk`, or `ssl-max-ver TLSv1.2` on the server line"),
    Remedy::new(
        OpenSsl,
        "in the client, `SSL_read` before `SSL_shutdown`, and take what `SSL_CTX_sess_set_new_cb` is given",
    ),
    Remedy::new(NodeJs, "use the session of the `'session'` event, not `getSession()` in `'secureConnect'`"),
    Remedy::new(Python, "read `SSLSocket.session` after the first answer, not after the handshake"),
    Remedy::new(Go, "read from the connection before closing it: `Read` takes tickets up"),
    Remedy::new(Raincheck, "checks of `kind = \"http\"` read the answer, and the tickets with it"),
];

pub(super) const TICKET_EXPIRED: &[Remedy] = &[
    Remedy::new(Nginx, "`ssl_session_timeout 12h;`, and old keys as further `ssl_session_ticket_key` lines"),
    Remedy::new(HaProxy, "`tune.ssl.lifetime 43200`"),
    Remedy::new(Apache, "`SSLSessionCacheTimeout 43200`"),
    Remedy::new(Envoy, "`session_timeout: 43200s` in DownstreamTlsContext"),
    Remedy::new(OpenSsl, "in the server, `SSL_CTX_set_timeout(ctx, 43200)`"),
    Remedy::new(Java, "leave `jdk.tls.server.sessionTicketTimeout` at its default of 24 hours"),
    Remedy::new(NodeJs, "`sessionTimeout` in the options of `tls.createServer`"),
    Remedy::new(Any, "set the clocks of all nodes by NTP"),
    Remedy::new(Raincheck, "`accept` and `chain`, of 18 and 24 hours by default"),
];

pub(super) const TICKET_LIFETIME: &[Remedy] = &[
    Remedy::new(Nginx, "`ssl_session_timeout 12h;`"),
    Remedy::new(HaProxy, "`tune.ssl.lifetime 43200`"),
    Remedy::new(Apache, "`SSLSessionCacheTimeout 43200`"),
    Remedy::new(Envoy, "`session_timeout: 43200s`"),
    Remedy::new(OpenSsl, "in the server, `SSL_CTX_set_timeout(ctx, 43200)`"),
    Remedy::new(Java, "`-Djdk.tls.server.sessionTicketTimeout=43200`"),
    Remedy::new(H2o, "`lifetime: 43200` in `ssl-session-resumption`"),
    Remedy::new(GnuTls, "in the server, `gnutls_db_set_cache_expiration(session, 43200)`"),
    Remedy::new(Raincheck, "promises `accept`, or what is left of `chain`; nothing to set"),
];

pub(super) const TICKET_REUSED: &[Remedy] = &[
    Remedy::new(
        Any,
        "have the server send as many tickets as clients open connections, and a new one on each resumption",
    ),
    Remedy::new(OpenSsl, "in the server, `SSL_CTX_set_num_tickets(ctx, 4)`; a ticket callback returns 2 in TLS 1.3"),
    Remedy::new(Rustls, "in the server, raise `send_tls13_tickets`"),
    Remedy::new(Java, "`-Djdk.tls.server.newSessionTicketCount=2`"),
    Remedy::new(GnuTls, "in the server, `gnutls_session_ticket_send(session, 2, 0)`"),
    Remedy::new(NodeJs, "in the client, keep every `'session'`, and use each once"),
    Remedy::new(Raincheck, "raise `tickets` and `tickets-on-resumption`; as a client it uses each ticket once"),
];
