//! The plain TCP service behind the terminators: it sends as many bytes as it is asked for.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::error::Error;

/// An upstream that runs on the caller's runtime until it is dropped.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Upstream {
    pub(crate) async fn start() -> Result<Self, Error> {
        let listening = Error::system("listen for upstream connections");
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
            Ok(listener) => listener,
            Err(error) => return Err(listening(error)),
        };
        let address = listener.local_addr().map_err(Error::system("tell the upstream's address"))?;
        Ok(Self { address, task: tokio::spawn(serve(listener)) })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request for `length` bytes: the number, big-endian, and padding, so that it is as long as a small request is.
pub(crate) fn request(length: u64) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    request[..8].copy_from_slice(&length.to_be_bytes());
    request
}

fn parse_request(request: &[u8; REQUEST]) -> u64 {
    let (length, _) = request.split_first_chunk().expect("a request is longer than its number");
    u64::from_be_bytes(*length)
}

async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((tcp, _)) = accepted {
                connections.spawn(answer(tcp));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers requests until the peer has no more. An error ends it too: the client, which sees it as well, reports it.
async fn answer(mut tcp: TcpStream) {
    let mut request = [0; REQUEST];
    while tcp.read_exact(&mut request).await.is_ok() {
        let mut missing = parse_request(&request);
        while missing > 0 {
            let chunk = missing.min(ZEROS.len() as u64) as usize;
            if tcp.write_all(&ZEROS[..chunk]).await.is_err() {
                return;
            }
            missing -= chunk as u64;
        }
    }
}

const REQUEST: usize = 64;
static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        for length in [0, 1, 64, u64::MAX] {
            assert_eq!(parse_request(&request(length)), length);
        }
    }

    #[tokio::test]
    async fn sends_what_is_asked_for() {
        let upstream = Upstream::start().await.unwrap();
        let mut tcp = TcpStream::connect(upstream.address).await.unwrap();
        for length in [0, 64, 300_000] {
            tcp.write_all(&request(length)).await.unwrap();
        }
        tcp.shutdown().await.unwrap();
        let mut answer = Vec::new();
        assert_eq!(tcp.read_to_end(&mut answer).await.unwrap(), 300_064);
    }
}
