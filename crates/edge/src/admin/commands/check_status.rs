//! What a check found, in HAProxy's words.

use crate::config::CheckKind;
use crate::upstream::ConnectError;
use crate::upstream::check::{Doing, Failed, Report};

/// HAProxy's outcomes of a check, by its numbers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum CheckStatus {
    /// It was not checked yet.
    Initializing = 1,
    /// We have no socket for it.
    SocketError = 5,
    ConnectPassed = 6,
    ConnectTimeout = 7,
    ConnectFailed = 8,
    TlsPassed = 9,
    TlsTimeout = 10,
    TlsFailed = 11,
    AnswerTimeout = 12,
    AnswerFailed = 13,
    AnswerPassed = 15,
    WrongStatus = 17,
}

impl CheckStatus {
    /// The outcome that was reported of a check of this kind.
    pub(super) fn of(report: Option<&Report>, kind: &CheckKind) -> Self {
        let Some(report) = report else { return Self::Initializing };
        match (report.result.as_ref().map_err(|failed| &**failed), kind) {
            (Ok(_), CheckKind::Tcp) => Self::ConnectPassed,
            (Ok(_), CheckKind::Tls) => Self::TlsPassed,
            (Ok(_), CheckKind::Http(_)) => Self::AnswerPassed,
            (Err(Failed::Connect(error)), _) if error.is_ours() => Self::SocketError,
            (Err(Failed::Connect(ConnectError::Tcp(_) | ConnectError::NoServer)), _) => Self::ConnectFailed,
            (Err(Failed::Connect(ConnectError::Tls(_) | ConnectError::Left(_))), _) => Self::TlsFailed,
            (Err(Failed::Connect(ConnectError::TimedOut(_))), _) => Self::ConnectTimeout,
            (Err(Failed::Timeout { doing: Doing::Connecting, .. }), _) => Self::ConnectTimeout,
            (Err(Failed::Timeout { doing: Doing::Handshaking, .. }), _) => Self::TlsTimeout,
            (Err(Failed::Timeout { doing: Doing::Waiting, .. }), _) => Self::AnswerTimeout,
            (Err(Failed::Status(_)), _) => Self::WrongStatus,
            (Err(Failed::Body | Failed::Answer(_)), _) => Self::AnswerFailed,
        }
    }

    /// For the column `check_status`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "INI",
            Self::SocketError => "SOCKERR",
            Self::ConnectPassed => "L4OK",
            Self::ConnectTimeout => "L4TOUT",
            Self::ConnectFailed => "L4CON",
            Self::TlsPassed => "L6OK",
            Self::TlsTimeout => "L6TOUT",
            Self::TlsFailed => "L6RSP",
            Self::AnswerTimeout => "L7TOUT",
            Self::AnswerFailed => "L7RSP",
            Self::AnswerPassed => "L7OK",
            Self::WrongStatus => "L7STS",
        }
    }

    /// For the column `check_desc`.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Initializing => "Initializing",
            Self::SocketError => "Socket error",
            Self::ConnectPassed => "Layer4 check passed",
            Self::ConnectTimeout => "Layer4 timeout",
            Self::ConnectFailed => "Layer4 connection problem",
            Self::TlsPassed => "Layer6 check passed",
            Self::TlsTimeout => "Layer6 timeout",
            Self::TlsFailed => "Layer6 invalid response",
            Self::AnswerTimeout => "Layer7 timeout",
            Self::AnswerFailed => "Layer7 invalid response",
            Self::AnswerPassed => "Layer7 check passed",
            Self::WrongStatus => "Layer7 wrong status",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use raincheck_tls::Closed;

    use super::*;
    use crate::config::{Expect, HttpCheck};
    use crate::upstream::check::Passed;

    fn report(result: Result<Passed, Failed>) -> Report {
        Report { at: SystemTime::now(), took: Duration::ZERO, result: result.map_err(Arc::new) }
    }

    #[test]
    fn outcomes_have_haproxys_words() {
        let http = CheckKind::Http(HttpCheck {
            method: "GET".into(),
            path: "/".into(),
            host: None,
            expect: Expect { status: vec![200..=399], body: None },
        });
        let tcp = |error: io::Error| Failed::Connect(ConnectError::Tcp(error));
        let timeout = |doing| Failed::Timeout { doing, after: Duration::from_secs(1) };
        let cases = [
            (Ok(Passed::default()), &CheckKind::Tcp, "L4OK"),
            (Ok(Passed::default()), &CheckKind::Tls, "L6OK"),
            (Ok(Passed::default()), &http, "L7OK"),
            (Err(tcp(io::ErrorKind::ConnectionRefused.into())), &CheckKind::Tcp, "L4CON"),
            (Err(tcp(io::Error::from_raw_os_error(libc::EMFILE))), &http, "SOCKERR"),
            (Err(Failed::Connect(ConnectError::Left(Closed::Reset))), &http, "L6RSP"),
            (Err(timeout(Doing::Connecting)), &http, "L4TOUT"),
            (Err(timeout(Doing::Handshaking)), &CheckKind::Tls, "L6TOUT"),
            (Err(timeout(Doing::Waiting)), &http, "L7TOUT"),
            (Err(Failed::Status(503)), &http, "L7STS"),
            (Err(Failed::Body), &http, "L7RSP"),
            (Err(Failed::Answer("no answer".into())), &http, "L7RSP"),
        ];
        for (result, kind, word) in cases {
            let report = report(result);
            assert_eq!(CheckStatus::of(Some(&report), kind).as_str(), word, "{report:?}");
        }
        assert_eq!(CheckStatus::of(None, &http).as_str(), "INI");
    }
}
