//! Against sessions that are not kept, not given or not offered.

use crate::finding::Remedy;
use crate::product::Product::{
    Any, Apache, Curl, Envoy, Go, H2o, HaProxy, Java, Nginx, NodeJs, OpenSsl, Python, Raincheck, Rustls, SChannel,
};

pub(super) const SESSION_FORGOTTEN: &[Remedy] = &[
    Remedy::new(Any, "tickets in place of session IDs: nothing to keep, nothing to forget"),
    Remedy::new(Nginx, "`ssl_session_cache shared:SSL:50m;` and `ssl_session_timeout 1h;`"),
    Remedy::new(HaProxy, "raise `tune.ssl.cachesize` and `tune.ssl.lifetime`"),
    Remedy::new(Apache, "raise the size in `SSLSessionCache`, and `SSLSessionCacheTimeout`"),
    Remedy::new(Java, "raise `-Djavax.net.ssl.sessionCacheSize`, or update to 13 or later, which has tickets"),
    Remedy::new(
        OpenSsl,
        "in the server, raise `SSL_CTX_sess_set_cache_size`, and call `SSL_shutdown` before `SSL_free`",
    ),
    Remedy::new(Raincheck, "raise `session-cache`"),
];

pub(super) const SESSION_IDS_NEVER_RESUMED: &[Remedy] = &[
    Remedy::new(Nginx, "`ssl_session_cache shared:SSL:10m;`"),
    Remedy::new(NodeJs, "keep sessions in handlers of the `'newSession'` and `'resumeSession'` events"),
    Remedy::new(Apache, "`SSLSessionCache shmcb:/run/httpd/ssl(512000)`"),
    Remedy::new(OpenSsl, "in the server, `SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER)`, the default"),
    Remedy::new(HaProxy, "`tune.ssl.cachesize` above 0"),
    Remedy::new(Go, "it has tickets only: have its clients use them"),
    Remedy::new(Java, "as the client, update to 13 or later, which speaks tickets"),
    Remedy::new(Raincheck, "`session-cache` above 0, the default"),
];

pub(super) const NO_RESUMPTION_OFFERED: &[Remedy] = &[
    Remedy::new(
        Nginx,
        "`ssl_session_tickets on;`, and `ssl_session_cache shared:SSL:10m;` for clients without tickets",
    ),
    Remedy::new(HaProxy, "remove `no-tls-tickets` from the bind line and from `ssl-default-bind-options`"),
    Remedy::new(Apache, "`SSLSessionTickets on`, or a `SSLSessionCache`"),
    Remedy::new(Envoy, "`disable_stateless_session_resumption: false`, the default"),
    Remedy::new(H2o, "`ssl-session-resumption` with `mode: all`"),
    Remedy::new(Go, "leave `SessionTicketsDisabled` false"),
    Remedy::new(Rustls, "in the server, a `ticketer`, and `send_tls13_tickets` above 0"),
    Remedy::new(OpenSsl, "in the server, remove `SSL_OP_NO_TICKET`"),
    Remedy::new(SChannel, "in .NET 8 and later, `AllowTlsResume = true` in the server, the default"),
    Remedy::new(Raincheck, "`tickets` and `session-cache` above 0, the defaults"),
];

pub(super) const CLIENT_NEVER_OFFERS: &[Remedy] = &[
    Remedy::new(Go, "`ClientSessionCache: tls.NewLRUClientSessionCache(0)` in the client's tls.Config"),
    Remedy::new(Python, "pass `session=earlier.session` to `SSLContext.wrap_socket`, with the same context"),
    Remedy::new(OpenSsl, "`SSL_set_session` before connecting, with what `SSL_get1_session` gave before"),
    Remedy::new(Java, "one SSLContext for all connections, and host and port in `createSSLEngine` or `createSocket`"),
    Remedy::new(NodeJs, "one `https.Agent`, or `session` in `tls.connect`"),
    Remedy::new(Curl, "one handle or a share with `CURL_LOCK_DATA_SSL_SESSION`; the tool: `--ssl-sessions FILE`"),
    Remedy::new(SChannel, "in .NET, one HttpClient, with `AllowTlsResume` left true"),
    Remedy::new(Rustls, "one `ClientConfig` for all connections"),
    Remedy::new(Nginx, "`proxy_ssl_session_reuse on;`, the default"),
    Remedy::new(Envoy, "`max_session_keys` above 0"),
    Remedy::new(HaProxy, "no `no-ssl-reuse` on the server line"),
    Remedy::new(Raincheck, "upstream connections share sessions among all workers; nothing to set"),
];
