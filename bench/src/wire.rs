//! TLS over TCP, for either side: as cheap as it can be, since it shares the machine with what is measured.

use std::io::{self, ErrorKind, Read, Write};

use rustls::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One TLS connection.
pub(crate) struct Wire {
    tcp: TcpStream,
    tls: Connection,
}

impl Wire {
    pub(crate) fn new(tcp: TcpStream, tls: impl Into<Connection>) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, tls: tls.into() })
    }

    pub(crate) fn tls(&self) -> &Connection {
        &self.tls
    }

    /// Encrypts `plain`. It goes out with the next [`Wire::flush`], or after the handshake.
    pub(crate) fn send(&mut self, plain: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(plain)
    }

    /// Reads once from TCP and decrypts all that came; calls `received` with the bytes of the application.
    pub(crate) async fn receive(&mut self, scratch: &mut Scratch, mut received: impl FnMut(&[u8])) -> io::Result<()> {
        let count = self.tcp.read(&mut scratch.wire).await?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut wire = &scratch.wire[..count];
        while !wire.is_empty() {
            // Takes a few KiB at a time, from memory: the system is asked only once.
            self.tls.read_tls(&mut wire)?;
            let mut waiting = self.tls.process_new_packets().map_err(io::Error::other)?.plaintext_bytes_to_read();
            while waiting > 0 {
                let count = self.tls.reader().read(&mut scratch.plain)?;
                received(&scratch.plain[..count]);
                waiting -= count;
            }
        }
        self.flush(scratch).await
    }

    pub(crate) async fn flush(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        scratch.out.clear();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut scratch.out)?;
        }
        if scratch.out.is_empty() {
            return Ok(());
        }
        self.tcp.write_all(&scratch.out).await
    }

    /// Sends close_notify, with what waits to be sent, and the end of the stream; then waits for the peer's end. How that
    /// comes is the peer's own matter.
    pub(crate) async fn close(mut self, scratch: &mut Scratch) {
        self.tls.send_close_notify();
        if self.flush(scratch).await.is_ok() && self.tcp.shutdown().await.is_ok() {
            // Tickets may come as late as that.
            while self.receive(scratch, |_| {}).await.is_ok() {}
        }
    }
}

/// Buffers that connections used one after the other can share.
pub(crate) struct Scratch {
    wire: Vec<u8>,
    plain: Vec<u8>,
    out: Vec<u8>,
}

impl Scratch {
    /// For small exchanges.
    pub(crate) fn small() -> Self {
        Self::of(8 * 1024)
    }

    /// For bulk.
    pub(crate) fn large() -> Self {
        Self::of(256 * 1024)
    }

    fn of(wire: usize) -> Self {
        Self { wire: vec![0; wire], plain: vec![0; 32 * 1024], out: Vec::new() }
    }
}
