//! Against ticket keys that nodes do not share, that go too soon, or that open too much.

use crate::finding::Remedy;
use crate::product::Product::{
    Any, Apache, Envoy, GnuTls, Go, H2o, HaProxy, Java, Nginx, NodeJs, OpenSsl, Raincheck, Rustls, SChannel,
};

pub(super) const KEYS_NOT_SHARED: &[Remedy] = &[
    Remedy::new(Nginx, "the same `ssl_session_ticket_key` files at every node"),
    Remedy::new(HaProxy, "the same file of `tls-ticket-keys` at every node, three lines or more"),
    Remedy::new(Envoy, "the same `session_ticket_keys` at every node, or `session_ticket_keys_sds_secret_config`"),
    Remedy::new(H2o, "`ssl-session-resumption` with `ticket-store: file`, and the same `ticket-file` at every node"),
    Remedy::new(Apache, "the same `SSLSessionTicketKeyFile` at every node"),
    Remedy::new(Go, "the same keys at every node by `Config.SetSessionTicketKeys`"),
    Remedy::new(NodeJs, "the same `ticketKeys` at every node, later `server.setTicketKeys`"),
    Remedy::new(GnuTls, "the same key at every `gnutls_session_ticket_enable_server`"),
    Remedy::new(SChannel, "`New-TlsSessionTicketKey` once, then `Enable-TlsSessionTicketKey` at every node"),
    Remedy::new(Java, "keys cannot be set: keep clients at one node, or end TLS in front of it"),
    Remedy::new(
        Raincheck,
        "`raincheck keys serve` and `raincheck keys agent` give HAProxy, nginx, Envoy and h2o shared keys",
    ),
];

/// Where keys are shared, and a ticket is refused all the same.
pub(crate) const CONTEXT_NOT_SHARED: &[Remedy] = &[
    Remedy::new(
        Nginx,
        "the same `ssl_certificate` and `ssl_client_certificate` files at every node, not only the same keys",
    ),
    Remedy::new(
        HaProxy,
        "the same files for `crt`, `ca-file` and `crl-file` at every node, not only for `tls-ticket-keys`",
    ),
    Remedy::new(Envoy, "certificates with the same names and the same validation context at every node"),
    Remedy::new(OpenSsl, "the same `SSL_CTX_set_session_id_context` in every process"),
    Remedy::new(
        Raincheck,
        "a ticket is bound to the server name and to whom clients must be certified by; certificates may differ",
    ),
];

pub(super) const ROTATION_OUT_OF_STEP: &[Remedy] = &[
    Remedy::new(
        HaProxy,
        "append the new key as the last line of `tls-ticket-keys` everywhere, one rotation before it seals",
    ),
    Remedy::new(Nginx, "add the new key as second `ssl_session_ticket_key` everywhere, and only then put it first"),
    Remedy::new(Envoy, "add the new key second in `session_ticket_keys` everywhere, and only then put it first"),
    Remedy::new(H2o, "give the new key in `ticket-file` a `not_before` by which every node has it"),
    Remedy::new(Go, "give the new key to `SetSessionTicketKeys` second everywhere, and only then first"),
    Remedy::new(Apache, "reload every node at the same moment, or end TLS in front"),
    Remedy::new(
        Raincheck,
        "no key seals before every node has it; `raincheck keys agent` keeps other products in step",
    ),
];

pub(super) const KEY_ROTATED_AWAY: &[Remedy] = &[
    Remedy::new(Nginx, "keep old keys as further `ssl_session_ticket_key` lines for as long as `ssl_session_timeout`"),
    Remedy::new(
        HaProxy,
        "rotate less often, or lower `tune.ssl.lifetime`; keep the file of `tls-ticket-keys` up to date",
    ),
    Remedy::new(Envoy, "keep old keys further down in `session_ticket_keys` for as long as `session_timeout`"),
    Remedy::new(Apache, "set `SSLSessionTicketKeyFile`, so that a restart keeps the key"),
    Remedy::new(Go, "keep old keys behind the first in `SetSessionTicketKeys`"),
    Remedy::new(Java, "`-Djdk.tls.server.sessionTicketTimeout` no longer than keys last"),
    Remedy::new(
        OpenSsl,
        "set keys in `SSL_CTX_set_tlsext_ticket_key_evp_cb`, and the lifetime by `SSL_CTX_set_timeout`",
    ),
    Remedy::new(
        Raincheck,
        "opens a ticket for all of `accept`, and has its keys again after a restart from another node",
    ),
];

pub(super) const TICKET_NEVER_ACCEPTED: &[Remedy] = &[
    Remedy::new(Any, "try each node by its own address: if each accepts its own tickets, share their keys"),
    Remedy::new(Go, "one `tls.Config` for all connections, or the same `SetSessionTicketKeys` on each"),
    Remedy::new(OpenSsl, "one `SSL_CTX` for all connections, with a `SSL_CTX_set_session_id_context`"),
    Remedy::new(NodeJs, "one server object, and in a cluster the same `ticketKeys` for each worker"),
    Remedy::new(HaProxy, "the same certificate files at every node that shares `tls-ticket-keys`"),
    Remedy::new(Nginx, "the same `ssl_session_ticket_key` files at every node"),
    Remedy::new(Raincheck, "`raincheck_handshakes_total` and the access log have the reason of each refusal"),
];

pub(super) const POLICY_NOT_BOUND: &[Remedy] = &[
    Remedy::new(
        Nginx,
        "update to 1.26.3, 1.27.4 or later; until then `ssl_session_tickets off;` and `ssl_session_cache off;`",
    ),
    Remedy::new(Apache, "update to 2.4.64 or later, and `SSLStrictSNIVHostCheck on`"),
    Remedy::new(Envoy, "update to 1.21.1 or later"),
    Remedy::new(Go, "update to 1.24.13, 1.25.7 or later, and different `SetSessionTicketKeys` for each policy"),
    Remedy::new(HaProxy, "update, or different `tls-ticket-keys` for each bind line with another policy"),
    Remedy::new(OpenSsl, "in the server, a different `SSL_CTX_set_session_id_context` for each policy"),
    Remedy::new(Rustls, "a ServerConfig with its own `ticketer` and `session_storage` for each policy"),
    Remedy::new(Any, "never the same ticket keys for services that trust different CAs"),
    Remedy::new(Raincheck, "a ticket opens only under the policy it was sealed under; nothing to set"),
];

pub(super) const WEAK_TICKET_KEY: &[Remedy] = &[
    Remedy::new(GnuTls, "update to 3.6.14 or later, and restart"),
    Remedy::new(Nginx, "make new files for `ssl_session_ticket_key` with `openssl rand 80`, and reload"),
    Remedy::new(HaProxy, "make new lines for `tls-ticket-keys` with `openssl rand 80 | openssl base64 -A`, and reload"),
    Remedy::new(Envoy, "make new `session_ticket_keys` with `openssl rand 80`"),
    Remedy::new(Apache, "make a new `SSLSessionTicketKeyFile` with `openssl rand 48`, and restart"),
    Remedy::new(Go, "use `crypto/rand` for `SetSessionTicketKeys`, or leave keys to the library"),
    Remedy::new(Any, "replace the key in every process that holds it, and check again"),
    Remedy::new(Raincheck, "`raincheck keys new --format haproxy|nginx|envoy|h2o` makes keys"),
];
