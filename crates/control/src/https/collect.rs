//! A body, in one piece.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use zeroize::Zeroizing;

use super::fault;
use crate::HttpsFault;

/// The whole body, if it has no more than `limit` bytes.
pub(super) async fn collect(mut body: Incoming, limit: usize) -> Result<Zeroizing<Vec<u8>>, HttpsFault> {
    let too_large = HttpsFault::TooLarge { limit };
    // What Content-Length says, else nothing.
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > limit {
        return Err(too_large);
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(expected));
    while let Some(chunk) = chunk(&mut body).await? {
        if chunk.len() > limit - whole.len() {
            return Err(too_large);
        }
        append(&mut whole, &chunk);
    }
    Ok(whole)
}

/// What comes next; none at the end. Trailers are passed over.
pub(super) async fn chunk(body: &mut Incoming) -> Result<Option<Bytes>, HttpsFault> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| fault::of(&error))?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Like `extend_from_slice`, which would leave a copy behind where it moves to a larger allocation.
fn append(whole: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = whole.len() + chunk.len();
    if needed > whole.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(whole.capacity() * 2)));
        larger.extend_from_slice(whole);
        *whole = larger; // the smaller one is wiped
    }
    whole.extend_from_slice(chunk);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appending_keeps_what_is_there() {
        let mut whole = Zeroizing::new(Vec::new());
        let mut expected = Vec::new();
        for length in [0, 1, 1, 5, 100, 3, 1000] {
            let chunk = vec![u8::try_from(length % 256).expect("a byte"); length];
            append(&mut whole, &chunk);
            expected.extend(chunk);
            assert_eq!(*whole, expected);
        }
    }
}
