//! Against what renewal inside an abbreviated TLS 1.2 handshake does to clients.

use crate::finding::Remedy;
use crate::product::Product::{Any, Chromium, HaProxy, Java, Nginx, NodeJs, OpenSsl, Raincheck, Rustls, SChannel};

const NGINX_WITHOUT_TICKETS: Remedy = Remedy::new(
    Nginx,
    "rotate keys less often, or `ssl_session_tickets off;` with `ssl_session_cache shared:SSL:10m;`: session IDs are \
     not renewed",
);

const HAPROXY_WITHOUT_TICKETS: Remedy =
    Remedy::new(HaProxy, "rotate keys less often, or set `no-tls-tickets` on the bind line, which leaves session IDs");

const OPENSSL_WITHOUT_RENEWAL: Remedy = Remedy::new(
    OpenSsl,
    "in the server's callback of `SSL_CTX_set_tlsext_ticket_key_evp_cb`, return 1, not 2, in TLS 1.2",
);

const JAVA_WITHOUT_TICKETS: Remedy =
    Remedy::new(Java, "start the server with `-Djdk.tls.server.enableSessionTicketExtension=false`");

const RAINCHECK_WITHOUT_RENEWAL: Remedy = Remedy::new(Raincheck, "`tls12-renewal = \"never\"`, the default");

pub(super) const INLINE_RENEWAL: &[Remedy] = &[
    NGINX_WITHOUT_TICKETS,
    HAPROXY_WITHOUT_TICKETS,
    OPENSSL_WITHOUT_RENEWAL,
    JAVA_WITHOUT_TICKETS,
    Remedy::new(Rustls, "a `ProducesTickets` whose `enabled()` turns false once `decrypt()` succeeded, in TLS 1.2"),
    RAINCHECK_WITHOUT_RENEWAL,
];

pub(super) const INLINE_RENEWAL_ABORTED: &[Remedy] = &[
    NGINX_WITHOUT_TICKETS,
    HAPROXY_WITHOUT_TICKETS,
    OPENSSL_WITHOUT_RENEWAL,
    JAVA_WITHOUT_TICKETS,
    Remedy::new(
        SChannel,
        "update Windows, try again once, or in .NET 8 and later `AllowTlsResume = false` in the client",
    ),
    RAINCHECK_WITHOUT_RENEWAL,
];

pub(super) const STALE_SESSION_ALERT: &[Remedy] = &[
    Remedy::new(Chromium, "update"),
    NGINX_WITHOUT_TICKETS,
    HAPROXY_WITHOUT_TICKETS,
    OPENSSL_WITHOUT_RENEWAL,
    RAINCHECK_WITHOUT_RENEWAL,
];

pub(super) const CLIENT_KEEPS_OLD_TICKET: &[Remedy] = &[
    Remedy::new(Any, "let retiring keys of the server open for as long as tickets are good for"),
    Remedy::new(OpenSsl, "in the client, take `SSL_get1_session` at the end of every connection, resumed ones too"),
    Remedy::new(NodeJs, "take `socket.getSession()` at the end of every connection, resumed ones too"),
    Remedy::new(Raincheck, "opens a ticket for the whole of `accept`, and does not renew in TLS 1.2"),
];

pub(super) const CLIENT_LOSES_SESSION: &[Remedy] = &[
    Remedy::new(
        Nginx,
        "to upstreams, `keepalive 32;` with `proxy_http_version 1.1;` and `proxy_set_header Connection \"\";`",
    ),
    JAVA_WITHOUT_TICKETS,
    OPENSSL_WITHOUT_RENEWAL,
    Remedy::new(Any, "speak TLS 1.3, where a new ticket is not part of the handshake"),
    RAINCHECK_WITHOUT_RENEWAL,
];
