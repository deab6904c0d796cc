//! What the kernel has still to deliver.

use rustix::ioctl::{Getter, Opcode, ioctl};
use tokio::net::TcpStream;

/// How many bytes, written to `tcp`, its peer has not acknowledged yet (SIOCOUTQ, tcp(7)). A socket that cannot tell has
/// none.
#[expect(unsafe_code, reason = "there is no safe wrapper for this ioctl")]
pub fn length(tcp: &TcpStream) -> usize {
    // SAFETY: SIOCOUTQ, which is TIOCOUTQ, writes an int and reads nothing.
    let queued = unsafe { ioctl(tcp, Getter::<SIOCOUTQ, i32>::new()) };
    queued.ok().and_then(|queued| usize::try_from(queued).ok()).unwrap_or(0)
}

const SIOCOUTQ: Opcode = 0x5411;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn what_nobody_reads_stays() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (_peer, _) = listener.accept().await.unwrap();
            assert_eq!(length(&tcp), 0);
            while tcp.try_write(&[0; 65_536]).is_ok() {}
            assert!(length(&tcp) > 0);
            tcp.shutdown().await.unwrap();
        });
    }
}
