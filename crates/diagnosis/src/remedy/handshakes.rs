//! Against handshakes that are too many, too old or too short.

use crate::finding::Remedy;
use crate::product::Product::{Any, Curl, Envoy, Go, HaProxy, Java, Nginx, NodeJs, OpenSsl, Raincheck};

pub(super) const FULL_HANDSHAKE_STORM: &[Remedy] = &[
    Remedy::new(Any, "find out why the handshakes are full: another finding says; then keep connections alive"),
    Remedy::new(
        HaProxy,
        "reuse connections with `http-reuse safe`, raise `inter` of checks, bound it with `maxsslrate`",
    ),
    Remedy::new(
        Nginx,
        "to upstreams, `keepalive 32;` with `proxy_http_version 1.1;` and `proxy_set_header Connection \"\";`",
    ),
    Remedy::new(Envoy, "to upstreams, raise `max_session_keys` in UpstreamTlsContext above its default of 1"),
    Remedy::new(NodeJs, "one `https.Agent` with `keepAlive: true` for all requests"),
    Remedy::new(Go, "one `http.Transport` for all requests, with `TLSClientConfig.ClientSessionCache` set"),
    Remedy::new(Raincheck, "checks resume, and `keep-alive = true` in `[upstream.check]` spares them the handshake"),
];

pub(super) const CHECK_NEVER_RESUMES: &[Remedy] = &[
    Remedy::new(
        HaProxy,
        "check with `option httpchk` (up to 3.3), or `check-reuse-pool` with `http-reuse aggressive` (from 3.2); \
         raise `inter`",
    ),
    Remedy::new(Envoy, "leave `reuse_connection` true, and raise `no_traffic_interval`"),
    Remedy::new(Java, "update the server to 17 or later, which keeps sessions after an unclean close"),
    Remedy::new(Curl, "make many checks in one process, or keep sessions with `--ssl-sessions FILE` (8.12 and later)"),
    Remedy::new(
        Raincheck,
        "checks resume by themselves; `keep-alive = true` in `[upstream.check]` holds the connection",
    ),
];

pub(super) const VERSION_FALLBACK: &[Remedy] = &[
    Remedy::new(Any, "remove what aborts the first handshake, then offer nothing below TLS 1.2"),
    Remedy::new(Nginx, "`ssl_protocols TLSv1.2 TLSv1.3;`"),
    Remedy::new(HaProxy, "`ssl-default-bind-options ssl-min-ver TLSv1.2`"),
    Remedy::new(OpenSsl, "in the server, `SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION)`"),
    Remedy::new(Raincheck, "speaks TLS 1.2 and 1.3 only, and renews nothing inline; nothing to set"),
];

pub(super) const VERSION_CHANGED: &[Remedy] = &[
    Remedy::new(Any, "offer the same versions at every node; after a rollout it ends within a lifetime"),
    Remedy::new(Nginx, "`ssl_protocols TLSv1.2 TLSv1.3;` in the default server of the socket, at every node"),
    Remedy::new(
        HaProxy,
        "`ssl-default-bind-options ssl-min-ver TLSv1.2` at every node, and no `ssl-max-ver` on bind lines",
    ),
    Remedy::new(Envoy, "the same `tls_minimum_protocol_version` and `tls_maximum_protocol_version` everywhere"),
    Remedy::new(OpenSsl, "the same `MinProtocol` in every node's openssl.cnf"),
    Remedy::new(Java, "the same `jdk.tls.disabledAlgorithms` at every node"),
    Remedy::new(Raincheck, "the same `min-version` at every node"),
];

pub(super) const SESSION_ID_ECHO: &[Remedy] = &[
    Remedy::new(Any, "update the server; until then turn tickets off there, since full handshakes work"),
    Remedy::new(Raincheck, "echoes; nothing to set"),
];

pub(super) const HANDSHAKE_FAILURES: &[Remedy] = &[
    Remedy::new(Any, "look into the server's log at the time of the evidence; the alert and its sender tell most"),
    Remedy::new(Nginx, "`error_log` at level `info` has the reason of each"),
    Remedy::new(HaProxy, "`error-log-format` with `%[ssl_fc_err_str]` has the reason of each"),
    Remedy::new(Java, "`-Djavax.net.debug=ssl:handshake` shows the messages"),
    Remedy::new(OpenSsl, "`openssl s_client -connect HOST:PORT -servername NAME -msg` shows the messages"),
    Remedy::new(Raincheck, "`raincheck_handshake_failures_total` and the access log have the reason of each"),
];
