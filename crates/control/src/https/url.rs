//! A URL that can be asked.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::{PathAndQuery, Scheme};

use crate::UrlError;

/// An absolute URL, `http` or `https`, with a host and no user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url(Uri);

impl Url {
    /// Scheme, host and port, as they were written.
    pub fn origin(&self) -> String {
        let scheme = self.0.scheme_str().expect(ABSOLUTE);
        format!("{scheme}://{}", self.0.authority().expect(ABSOLUTE))
    }

    /// The URL that has `path` behind the path of this one. It begins with a slash.
    pub fn below(&self, path: &'static str) -> Self {
        let base = self.0.path().trim_end_matches('/');
        let path = PathAndQuery::try_from(format!("{base}{path}")).expect("a path behind a path is one");
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = Some(path);
        Self(Uri::from_parts(parts).expect(ABSOLUTE))
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let uri: Uri = text.parse().map_err(|_| UrlError::NotUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(UrlError::NotUrl);
        };
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return Err(UrlError::OtherScheme);
        }
        if authority.as_str().contains('@') {
            return Err(UrlError::Credentials);
        }
        // A port that is no number, or too large a one, is no port.
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if authority.host().is_empty() || (!port.is_empty() && authority.port_u16().is_none()) {
            return Err(UrlError::NotUrl);
        }
        Ok(Self(uri))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Url> for Uri {
    fn from(url: Url) -> Self {
        url.0
    }
}

const ABSOLUTE: &str = "it is absolute";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_url_and_what_is_not() {
        let cases = [
            ("https://10.0.0.1:2379", Ok("https://10.0.0.1:2379")),
            ("http://[::1]:80/a/b?c", Ok("http://[::1]:80")),
            ("https://keys.internal/ticket-keys", Ok("https://keys.internal")),
            ("", Err(UrlError::NotUrl)),
            ("keys.internal", Err(UrlError::NotUrl)),
            ("10.0.0.1:2379", Err(UrlError::NotUrl)),
            ("/ticket-keys", Err(UrlError::NotUrl)),
            ("https://", Err(UrlError::NotUrl)),
            ("https://:2379", Err(UrlError::NotUrl)),
            ("https://a:99999", Err(UrlError::NotUrl)),
            ("https://a:b", Err(UrlError::NotUrl)),
            ("ftp://a/b", Err(UrlError::OtherScheme)),
            ("https://user:secret@a/b", Err(UrlError::Credentials)),
        ];
        for (text, expected) in cases {
            let origin = text.parse::<Url>().map(|url| url.origin());
            assert_eq!(origin.as_deref().map_err(|error| *error), expected, "{text}");
        }
    }

    #[test]
    fn a_path_goes_below_another() {
        for (base, expected) in [
            ("https://a:1", "https://a:1/v3/kv/put"),
            ("https://a:1/", "https://a:1/v3/kv/put"),
            ("http://a/etcd/?x=y", "http://a/etcd/v3/kv/put"),
        ] {
            let url: Url = base.parse().expect("a URL");
            assert_eq!(url.below("/v3/kv/put").to_string(), expected);
        }
    }
}
