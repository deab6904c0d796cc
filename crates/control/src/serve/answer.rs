//! What the answers to nodes and to pollers have in common.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};

use crate::Withheld;

/// An answer in words.
pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer that nobody in between keeps: it is secret, and has its time.
pub(super) fn no_store(status: StatusCode, tag: &str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ETAG, HeaderValue::try_from(tag).expect("digits, letters and dots in quotes"));
    response
}

/// None for a method that reads. hyper leaves the body of an answer to HEAD out by itself.
pub(super) fn refusal_of_method(method: &Method) -> Option<Response<Full<Bytes>>> {
    (method != Method::GET && method != Method::HEAD).then(|| {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    })
}

/// There is no ring to give.
pub(super) fn withheld(why: Withheld) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Whether whoever asks has what is called `tag` (RFC 9110 §13.1.2).
pub(super) fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|candidate| candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let has = |list: &'static str| {
            has_tag(&HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(list))]), "\"1.5\"")
        };
        for list in ["\"1.5\"", "W/\"1.5\"", "\"1.4\", \"1.5\"", "*"] {
            assert!(has(list), "{list}");
        }
        for list in ["", "1.5", "\"1.4\"", "\"1.50\""] {
            assert!(!has(list), "{list}");
        }
        assert!(!has_tag(&HeaderMap::new(), "\"1.5\""));
    }
}
