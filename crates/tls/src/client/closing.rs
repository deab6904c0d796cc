//! How a connection ends that we opened.
//!
//! Whoever closes its side of TCP first keeps the connection in TIME_WAIT for a minute, and a port with it; whoever closes
//! without close_notify may cost the other its session. So our side says close_notify, and then waits for the server's end
//! before it touches TCP:
//!
//! - a FIN came: a plain close, and TIME_WAIT is the server's;
//! - its close_notify came, and no FIN: a reset, once nothing of ours is on its way, leaves TIME_WAIT to nobody;
//! - nothing came: our FIN, and TIME_WAIT is ours;
//! - more comes than anybody wants to read, or what is no TLS: a reset too.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::AsyncWrite;
use tokio::time::timeout;

use super::ClientSession;
use crate::buffer::Scratch;
use crate::channel::{Channel, Heard};
use crate::send_queue;
use crate::stream::{Closed, Closing, Event, Refused};

impl Closing<ClientSession> {
    /// Ends the connection, which takes twice `limit` at most. Answers how the server ended its side; `None` if it did not.
    pub async fn finish(self, limit: Duration) -> Option<Closed> {
        let mut channel = self.into_channel();
        let mut closed = None;
        let mut read = 0;
        let ended = async {
            poll_fn(|cx| channel.poll_flush(cx)).await?;
            while channel.heard() == Heard::Nothing && read <= MOST_READ {
                let (event, length) = poll_fn(|cx| {
                    Scratch::lend(|scratch| channel.poll_event(cx, scratch).map(|event| (event, scratch.plain.len())))
                })
                .await;
                read += length;
                if let Event::Closed(how) = event {
                    closed = Some(how);
                    break;
                }
            }
            std::io::Result::Ok(())
        };
        let _ = timeout(limit, ended).await;
        if read > MOST_READ || matches!(closed, Some(Closed::Fault(_))) {
            reset(channel, limit).await;
        } else {
            part(channel, limit).await;
        }
        closed
    }
}

impl Refused<ClientSession> {
    /// Ends a connection that is over but for the alert we owe, in twice `limit` at most.
    pub async fn finish(self, limit: Duration) {
        let mut channel = self.into_channel();
        let mut read = 0;
        let ended = async {
            poll_fn(|cx| channel.poll_flush(cx)).await?;
            discard(&mut channel, &mut read).await
        };
        let _ = timeout(limit, ended).await;
        if read > MOST_READ {
            reset(channel, limit).await;
        } else {
            part(channel, limit).await;
        }
    }
}

/// Lets go of the socket.
async fn part(mut channel: Box<Channel<ClientSession>>, limit: Duration) {
    if channel.heard() == Heard::CloseNotify {
        // The FIN is often right behind.
        poll_fn(|cx| {
            let _ = Scratch::lend(|scratch| channel.poll_discard(cx, scratch));
            Poll::Ready(())
        })
        .await;
    }
    match channel.heard() {
        Heard::End => {}
        Heard::CloseNotify => reset(channel, limit).await,
        Heard::Nothing => {
            let _ = timeout(limit, async {
                poll_fn(|cx| Pin::new(&mut channel.tcp).poll_shutdown(cx)).await?;
                // Who leaves what is still to be read leaves by a reset.
                discard(&mut channel, &mut 0).await
            })
            .await;
        }
    }
}

/// Throws away what comes until the server ends TCP, or until it is more than anybody wants to read, counting it in `read`.
async fn discard(channel: &mut Channel<ClientSession>, read: &mut usize) -> std::io::Result<()> {
    while channel.heard() != Heard::End && *read <= MOST_READ {
        *read += poll_fn(|cx| Scratch::lend(|scratch| channel.poll_discard(cx, scratch))).await?;
    }
    Ok(())
}

/// Leaves TIME_WAIT to nobody, once what we said is there; or to the server, whose FIN may come first.
///
/// The kernel tells nobody when an acknowledgement comes; so it is asked, ever less often.
async fn reset(mut channel: Box<Channel<ClientSession>>, limit: Duration) {
    let _ = timeout(limit, async {
        let mut pause = Duration::from_millis(1);
        while send_queue::length(&channel.tcp) > 0 && channel.heard() != Heard::End {
            let fin = poll_fn(|cx| Scratch::lend(|scratch| channel.poll_discard(cx, scratch)));
            let _ = timeout(pause, fin).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    })
    .await;
    if channel.heard() != Heard::End {
        let _ = sockopt::set_socket_linger(&channel.tcp, Some(Duration::ZERO));
    }
}

/// How many bytes are read and thrown away for the sake of the server's end behind them.
const MOST_READ: usize = 256 * 1024;
