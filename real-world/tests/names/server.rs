//! A name server that does what the first label of a name says, well or badly. It is a program with threads, in this process.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long an answer takes to a question for `host`.
pub const DELAY: Duration = Duration::from_millis(100);

/// The labels, with a number or without:
///
/// - `host7`: the address [`crate::address`] of 7, and none of IPv6;
/// - `quick7`: the same, without a delay;
/// - `big7`: the same, but by TCP alone; by UDP the answer is truncated; `torn`: by TCP half an answer, and the end of the connection;
///   `mute`: by TCP none;
/// - `silent`: no answer; `late`: none to the first question;
/// - `nobody`, `servfail`, `refused`: the errors of DNS; `none`: a name without records;
/// - `garbage`: an answer that cannot be read; `forged`: some that are none, and then the right one.
pub struct NameServer {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    closing: AtomicBool,
    /// Questions by UDP, and by TCP.
    datagrams: AtomicUsize,
    streams: AtomicUsize,
    /// What was asked for, each once.
    asked: Mutex<HashSet<Vec<u8>>>,
}

struct Later {
    due: Instant,
    answers: Vec<Vec<u8>>,
    to: SocketAddr,
}

impl NameServer {
    pub fn start() -> NameServer {
        let (listener, socket) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("it is bound");
            // Somebody else may have the same port for UDP.
            if let Ok(socket) = UdpSocket::bind(address) {
                break (listener, socket);
            }
        };
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State::default());
        let (later, due) = mpsc::channel::<Later>();
        let out = socket.try_clone().expect("a clone");
        thread::spawn(move || {
            for later in due {
                thread::sleep(later.due.saturating_duration_since(Instant::now()));
                for answer in later.answers {
                    // Whoever has asked may have gone.
                    let _ = out.send_to(&answer, later.to);
                }
            }
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, to)) = socket.recv_from(&mut buffer) {
                if shared.closing.load(Ordering::Relaxed) {
                    break;
                }
                shared.datagrams.fetch_add(1, Ordering::Relaxed);
                let Some(question) = Question::read(&buffer[..length]) else {
                    continue;
                };
                let delay = if question.is("host") {
                    DELAY
                } else {
                    Duration::ZERO
                };
                let answers = shared.by_datagram(&question);
                let due = Instant::now() + delay;
                later.send(Later { due, answers, to }).expect("it waits");
            }
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.closing.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&shared);
                // It ends with its client.
                thread::spawn(move || drop(shared.by_stream(stream)));
            }
        });
        NameServer { port, state }
    }

    /// Where it listens on 127.0.0.1, by UDP and by TCP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many questions have come by UDP, and by TCP, since this was asked last.
    pub fn questions(&self) -> (usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        (take(&self.state.datagrams), take(&self.state.streams))
    }

    /// How many different questions have come by UDP, not counting those that were asked again.
    pub fn different_questions(&self) -> usize {
        self.state.asked.lock().expect("no panic").len()
    }

    /// Has [`different_questions`](Self::different_questions) count anew.
    pub fn forget_questions(&self) {
        self.state.asked.lock().expect("no panic").clear();
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.state.closing.store(true, Ordering::Relaxed);
        // Wakes the threads that wait.
        let address = (Ipv4Addr::LOCALHOST, self.port);
        let _ = TcpStream::connect(address);
        let _ = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(&[0], address));
    }
}

impl State {
    fn by_datagram(&self, question: &Question) -> Vec<Vec<u8>> {
        let mut asked = self.asked.lock().expect("no panic");
        let is_first = asked.insert(question.asked());
        drop(asked);
        if question.is("silent") || (question.is("late") && is_first) {
            return Vec::new();
        }
        if ["big", "torn", "mute"]
            .iter()
            .any(|&label| question.is(label))
        {
            return vec![question.answer(TRUNCATED, false)];
        }
        let answer = question.proper_answer();
        if question.is("forged") {
            let mut of_another = answer.clone();
            of_another[0] ^= 1;
            let mut to_another = answer.clone();
            to_another[13] = b'x';
            return vec![vec![], vec![7], of_another, to_another, answer];
        }
        vec![answer]
    }

    fn by_stream(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut question = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut question)?;
            self.streams.fetch_add(1, Ordering::Relaxed);
            let question = Question::read(&question).ok_or(io::ErrorKind::InvalidData)?;
            if question.is("mute") {
                continue;
            }
            let answer = question.proper_answer();
            let mut message = (answer.len() as u16).to_be_bytes().to_vec();
            message.extend(answer);
            if question.is("torn") {
                message.truncate(message.len() / 2);
                return stream.write_all(&message);
            }
            stream.write_all(&message)?;
        }
    }
}

/// What is right to answer to a message.
pub fn proper_answer(message: &[u8]) -> Option<Vec<u8>> {
    Some(Question::read(message)?.proper_answer())
}

const TRUNCATED: u16 = 0x0200;

/// A message with one question, as it came.
struct Question {
    bytes: Vec<u8>,
    label: String,
}

impl Question {
    fn read(message: &[u8]) -> Option<Question> {
        let label = message.get(13..13 + usize::from(*message.get(12)?))?;
        let label = String::from_utf8_lossy(label).to_ascii_lowercase();
        let mut end = 12;
        while let length @ 1.. = *message.get(end)? {
            end += 1 + usize::from(length);
        }
        // The end of the name, the type, and the class.
        let bytes = message.get(..end + 5)?.to_vec();
        Some(Question { bytes, label })
    }

    fn is(&self, label: &str) -> bool {
        self.label.starts_with(label)
    }

    fn number(&self) -> usize {
        let digits = self.label.trim_start_matches(|c: char| !c.is_ascii_digit());
        digits.parse().unwrap_or(0)
    }

    /// The name and the type.
    fn asked(&self) -> Vec<u8> {
        self.bytes[12..].to_vec()
    }

    fn proper_answer(&self) -> Vec<u8> {
        if self.is("garbage") {
            // The right number, and the counts of records that are not there.
            return [&self.bytes[..2], &[0xff; 40]].concat();
        }
        for (label, code) in [("servfail", 2), ("nobody", 3), ("refused", 5)] {
            if self.is(label) {
                return self.answer(code, false);
            }
        }
        // Of type A, class IN.
        let has_address = self.bytes.ends_with(&[0, 1, 0, 1]);
        self.answer(0, has_address && !self.is("none"))
    }

    /// With these flags, and the address or none.
    fn answer(&self, flags: u16, with_address: bool) -> Vec<u8> {
        let mut message = self.bytes.clone();
        message[2..4].copy_from_slice(&(0x8180 | flags).to_be_bytes());
        message[4..12].copy_from_slice(&[0, 1, 0, with_address.into(), 0, 0, 0, 0]);
        if with_address {
            // The name is that of the question; valid for 60 s.
            message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            let std::net::IpAddr::V4(address) = crate::address(self.number()) else {
                unreachable!("it is one of IPv4");
            };
            message.extend(address.octets());
        }
        message
    }
}
