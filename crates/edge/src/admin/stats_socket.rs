//! The stats socket: HAProxy's way of asking, a line of text to a Unix socket.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, str};

use raincheck_control::admin::{Conversations, pause_after};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::commands::{self, Command, Reply};
use super::observed::Observed;

/// The socket's file. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct StatsSocket {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl StatsSocket {
    /// Makes the socket, for its owner alone. A socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// Somebody listens there, the file is no socket, or the system does not let it be.
    pub(super) fn bind(path: &Path) -> io::Result<(Self, UnixListener)> {
        clear(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?).map_err(explain)?;
        let made = Self { path: path.to_owned(), identity: identity(path) };
        // Before it listens, so there is no moment at which others could connect.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = UnixListener::from_std(std::os::fd::OwnedFd::from(socket).into())?;
        Ok((made, listener))
    }
}

impl Drop for StatsSocket {
    fn drop(&mut self) {
        // Not if another process has put its own there.
        if self.identity.is_some() && self.identity == identity(&self.path) {
            // Nobody is left to tell; the next start replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Answers on `listener`, for ever.
pub(super) async fn serve(listener: UnixListener, observed: Arc<Observed>) {
    let mut conversations = Conversations::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let observed = Arc::clone(&observed);
                conversations.begin(async move {
                    // Whoever left before the answer does not miss it.
                    let _ = converse(stream, &observed).await;
                });
            }
            Err(error) => pause_after(error).await,
        }
    }
}

/// Answers the lines that are there and closes, as HAProxy does; or goes on, once `prompt` was asked for.
async fn converse(mut stream: UnixStream, observed: &Observed) -> io::Result<()> {
    let mut input = Input::default();
    let mut is_interactive = false;
    let mut is_first = true;
    loop {
        let has_line = match is_first || is_interactive {
            true => timeout(IDLE, input.fill_line(&mut stream)).await??,
            false => input.has_line(),
        };
        is_first = false;
        if !has_line {
            return refuse_rest(stream, &input).await;
        }
        // What is no UTF-8 is no command either.
        for text in input.line().split(|byte| *byte == b';').map(|text| str::from_utf8(text).unwrap_or("?")) {
            let mut answer = match commands::run(Command::parse(text), observed) {
                Reply::Text(text) => text,
                Reply::TogglePrompt => {
                    is_interactive = !is_interactive;
                    String::new()
                }
                Reply::Quit => return Ok(()),
            };
            answer.push_str(if is_interactive { "\n> " } else { "\n" });
            timeout(IDLE, stream.write_all(answer.as_bytes())).await??;
        }
        input.consume_line();
    }
}

/// A line that never ends is told so. What is left of it has to be read: a Unix socket that is closed over unread bytes
/// resets the other side, and the answer may go with it.
async fn refuse_rest(mut stream: UnixStream, input: &Input) -> io::Result<()> {
    if input.is_full() {
        let answer = format!("Line too long: {LONGEST_LINE} bytes at most.\n\n");
        timeout(IDLE, stream.write_all(answer.as_bytes())).await??;
        stream.shutdown().await?;
        let mut rest = Zeroizing::new(vec![0; LONGEST_LINE]);
        let drain = async {
            while stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        timeout(IDLE, drain).await??;
    }
    Ok(())
}

/// What was received and not yet answered. A line may hold a key, so it stays in one place, and is wiped.
struct Input {
    buffer: Zeroizing<Vec<u8>>,
    filled: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self { buffer: Zeroizing::new(vec![0; LONGEST_LINE]), filled: 0 }
    }
}

impl Input {
    /// Reads until there is a whole line; false if there will be none. As with HAProxy the end of the input does not end a
    /// line: what was cut short (a key, say) is not acted on.
    async fn fill_line(&mut self, stream: &mut UnixStream) -> io::Result<bool> {
        while !self.has_line() {
            if self.is_full() {
                return Ok(false);
            }
            match stream.read(&mut self.buffer[self.filled..]).await? {
                0 => return Ok(false),
                length => self.filled += length,
            }
        }
        Ok(true)
    }

    fn has_line(&self) -> bool {
        self.received().contains(&b'\n')
    }

    fn is_full(&self) -> bool {
        self.filled == self.buffer.len() && !self.has_line()
    }

    fn line(&self) -> &[u8] {
        self.received().split(|byte| *byte == b'\n').next().unwrap_or_default()
    }

    fn consume_line(&mut self) {
        let length = self.line().len() + 1;
        self.buffer.copy_within(length..self.filled, 0);
        self.buffer[self.filled - length..self.filled].fill(0);
        self.filled -= length;
    }

    fn received(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }
}

/// Makes way at `path`, if only a socket that nobody listens on is in it.
fn clear(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        let what = "a file that is no socket is there; remove it, or choose another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            let what = "another process listens there, maybe an edge that still runs; stop it, or choose another path";
            Err(io::Error::new(io::ErrorKind::AddrInUse, what))
        }
    }
}

fn explain(error: io::Error) -> io::Error {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "make its directory first",
        io::ErrorKind::PermissionDenied => "let the user that runs raincheck write to its directory",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}; {remedy}"))
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Bytes of a line, its end included.
const LONGEST_LINE: usize = 16 * 1024;

/// How long a line may take to come, or an answer to go.
const IDLE: Duration = Duration::from_secs(60);

const BACKLOG: i32 = 128;

#[cfg(test)]
mod tests;
