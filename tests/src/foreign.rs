//! A server that somebody else has written, over plain HTTP: it says what it is told to say, well-formed or not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What it says to each request.
#[derive(Clone, Debug)]
pub enum Says {
    /// These bytes, and no more: then it ends the connection.
    Bytes(Vec<u8>),
    /// The same block without an end.
    Endless,
    /// The head of an answer, and then nothing.
    Silence,
}

/// The server, on an address of its own, with a thread for each connection.
#[derive(Debug)]
pub struct Foreign {
    address: SocketAddr,
    says: Arc<Mutex<(Says, usize)>>,
}

impl Says {
    /// A whole answer with this status line's end, type and body.
    pub fn answer(status: &str, kind: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}");
        Self::Bytes(text.into_bytes())
    }
}

impl Foreign {
    /// A server that says this.
    pub fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let says = Arc::new(Mutex::new((says, 0)));
        let shared = Arc::clone(&says);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let says = Arc::clone(&shared);
                thread::spawn(move || converse(stream, &says));
            }
        });
        Self { address, says }
    }

    /// Where the keys are.
    pub fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// Says this from now on.
    pub fn say(&self, says: Says) {
        *self.says.lock().unwrap() = (says, 0);
    }

    /// How often it was asked since it says what it says.
    pub fn asked(&self) -> usize {
        self.says.lock().unwrap().1
    }
}

fn converse(mut stream: TcpStream, says: &Mutex<(Says, usize)>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let says = {
        let mut says = says.lock().unwrap();
        says.1 += 1;
        says.0.clone()
    };
    let start = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    match says {
        Says::Bytes(bytes) => drop(stream.write_all(&bytes)),
        Says::Endless => {
            let mut result = stream.write_all(start);
            while result.is_ok() {
                result = stream.write_all(&[b'A'; 4096]);
            }
        }
        Says::Silence => {
            let _ = stream.write_all(start);
            let _ = stream.read(&mut byte);
        }
    }
}
