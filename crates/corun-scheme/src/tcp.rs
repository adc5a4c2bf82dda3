//! TCP on the workers. A stream may be used by several tasks at once: one reads while another writes, and readers take turns.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use corun::net::{TcpListener, TcpStream};
use corun::sync::{Mutex, MutexGuard, PoisonError};
use steel::rvals::Custom;

use crate::failure::Failure;

/// A longer line is an error, so that no peer can fill the memory.
const MAX_LINE: u64 = 1024 * 1024;
/// What one read brings at most.
pub(crate) const MAX_READ: usize = 16 * 1024 * 1024;

/// A connection, as scripts hold it.
#[derive(Clone)]
pub(crate) struct Stream(Arc<Connection>);

struct Connection {
    socket: TcpStream,
    reader: Mutex<BufReader<TcpStream>>,
    /// Held for the whole of a message, so that those of two tasks are not mixed.
    writer: Mutex<()>,
}

impl Stream {
    fn new(socket: TcpStream) -> Result<Stream, Failure> {
        let reader = Mutex::new(BufReader::new(socket.try_clone()?));
        Ok(Stream(Arc::new(Connection {
            socket,
            reader,
            writer: Mutex::new(()),
        })))
    }

    pub(crate) fn connect(host: &str, port: u16) -> Result<Stream, Failure> {
        let socket = TcpStream::connect((host, port))?;
        socket.set_nodelay(true)?;
        Stream::new(socket)
    }

    /// Up to `limit` bytes, as soon as there are any; none at the end.
    pub(crate) fn read(&self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; limit];
        let count = unpoisoned(self.0.reader.lock()).read(&mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// The next line without its end; `None` at the end.
    pub(crate) fn read_line(&self) -> Result<Option<String>, Failure> {
        let mut line = Vec::new();
        let mut reader = unpoisoned(self.0.reader.lock());
        let count = reader
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?;
        if count == 0 {
            return Ok(None);
        }
        if line.pop_if(|last| *last == b'\n').is_some() {
            line.pop_if(|last| *last == b'\r');
        } else if line.len() as u64 == MAX_LINE {
            return Err(Failure::new(format!(
                "a line is longer than {MAX_LINE} bytes"
            )));
        }
        Ok(Some(String::from_utf8(line)?))
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let _turn = unpoisoned(self.0.writer.lock());
        (&self.0.socket).write_all(bytes)?;
        Ok(())
    }

    /// Ends both directions, and with them what waits for either.
    pub(crate) fn close(&self) {
        // An error means that it has ended already.
        let _ = self.0.socket.shutdown(Shutdown::Both);
    }
}

/// A panic of corun's while the lock was held is no reason not to go on: the bytes are in the kernel or in the buffer.
fn unpoisoned<'a, T>(
    result: Result<MutexGuard<'a, T>, PoisonError<MutexGuard<'a, T>>>,
) -> MutexGuard<'a, T> {
    result.unwrap_or_else(PoisonError::into_inner)
}

impl Custom for Stream {
    fn fmt(&self) -> Option<Result<String, fmt::Error>> {
        Some(Ok(match self.0.socket.peer_addr() {
            Ok(peer) => format!("#<tcp-stream: {peer}>"),
            Err(_) => "#<tcp-stream>".to_owned(),
        }))
    }
}

/// A listening socket, as scripts hold it.
#[derive(Clone)]
pub(crate) struct Listener(Arc<TcpListener>);

impl Listener {
    pub(crate) fn bind(host: &str, port: u16) -> Result<Listener, Failure> {
        Ok(Listener(Arc::new(TcpListener::bind((host, port))?)))
    }

    pub(crate) fn accept(&self) -> Result<Stream, Failure> {
        let (socket, _) = self.0.accept()?;
        socket.set_nodelay(true)?;
        Stream::new(socket)
    }

    /// The port that it listens at, which the system chose if 0 was asked for.
    pub(crate) fn port(&self) -> Result<u16, Failure> {
        Ok(self.0.local_addr()?.port())
    }

    /// Ends it; who waits for a connection gets an error.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

impl Custom for Listener {
    fn fmt(&self) -> Option<Result<String, fmt::Error>> {
        Some(Ok(match self.0.local_addr() {
            Ok(address) => format!("#<tcp-listener: {address}>"),
            Err(_) => "#<tcp-listener>".to_owned(),
        }))
    }
}
