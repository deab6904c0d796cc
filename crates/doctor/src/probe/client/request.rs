//! What a client asks for: an HTTP request, of which the first lines count, or any line at all.

/// A request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without what follows a question mark.
    pub(super) path: String,
    pub(super) host: Option<String>,
    pub(super) accept: String,
    /// Whether it is HTTP: otherwise the answer is text alone.
    pub(super) is_http: bool,
}

/// What the bytes up to now are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A request.
    Request(Request),
    /// A line that is no HTTP, from somebody who types.
    Line,
    /// The beginning of either.
    Partial,
}

impl Request {
    /// Any line at all.
    pub(super) fn line() -> Self {
        Self { method: "GET".to_owned(), path: "/".to_owned(), ..Self::default() }
    }
}

/// Reads a request off the front of `bytes`. Its body, if it has one, is not waited for.
pub(super) fn read(bytes: &[u8]) -> Read {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => Read::Request(request(&parsed)),
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST => Read::Partial,
        Err(_) if !bytes.contains(&b'\n') && bytes.len() < LONGEST => Read::Partial,
        Ok(httparse::Status::Partial) | Err(_) => Read::Line,
    }
}

fn request(parsed: &httparse::Request<'_, '_>) -> Request {
    let header = |name: &str| {
        let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::to_owned)
    };
    let path = parsed.path.unwrap_or("/");
    Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.split('?').next().unwrap_or(path).to_owned(),
        host: header("host"),
        accept: header("accept").unwrap_or_default(),
        is_http: true,
    }
}

const MOST_HEADERS: usize = 64;
const LONGEST: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_lines_and_beginnings() {
        let text = b"GET /verdicts?3 HTTP/1.1\r\nHost: a:1\r\nAccept: application/json\r\n\r\n";
        let expected = Request {
            method: "GET".into(),
            path: "/verdicts".into(),
            host: Some("a:1".into()),
            accept: "application/json".into(),
            is_http: true,
        };
        assert_eq!(read(text), Read::Request(expected));
        (0..text.len()).for_each(|length| assert_eq!(read(&text[..length]), Read::Partial, "{length}"));
        assert_eq!(read(b"hello\n"), Read::Line);
        assert_eq!(read(b"\x00\xff\n"), Read::Line);
        assert_eq!(read(&[0xff; LONGEST]), Read::Line);
        let many = [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(MOST_HEADERS + 1), b"\r\n"].concat();
        assert_eq!(read(&many), Read::Line);
    }
}
