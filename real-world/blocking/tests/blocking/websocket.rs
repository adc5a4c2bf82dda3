//! `tungstenite` on both ends.

use std::net::{TcpListener, TcpStream};
use std::thread;

use blocking_world::{DELAY, alone, both, both_of};
use tungstenite::{Message, accept, client};

use crate::{CROWD, LIMIT};

fn serve(stream: TcpStream) {
    let mut socket = accept(stream).expect("a client");
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => {
                thread::sleep(DELAY);
                socket
                    .send(Message::text(text.to_uppercase()))
                    .expect("a client");
            }
            Ok(Message::Binary(bytes)) => socket.send(Message::binary(bytes)).expect("a client"),
            Ok(Message::Close(_)) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn talk(port: u16, number: usize) -> (String, bool) {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
    let (mut socket, _) = client(format!("ws://127.0.0.1:{port}/"), stream).expect("a server");
    let sent = Message::text(format!("number {number}"));
    socket.send(sent).expect("a server");
    let text = socket
        .read()
        .expect("an answer")
        .into_text()
        .expect("text")
        .to_string();
    let bytes: Vec<u8> = (0..10 * number).map(|index| index as u8).collect();
    socket
        .send(Message::binary(bytes.clone()))
        .expect("a server");
    let same = socket.read().expect("an answer").into_data() == bytes;
    socket.close(None).expect("a server");
    while socket.read().is_ok() {}
    (text, same)
}

#[test]
fn a_thousand_web_sockets_at_once() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    // SAFETY: the descriptor is a listener's, and no memory is involved.
    unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 4096) };
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().take(2 * CROWD) {
            let stream = stream.expect("a client");
            let thread = thread::Builder::new().stack_size(1 << 20);
            thread.spawn(move || serve(stream)).expect("a thread");
        }
    });
    both("tungstenite", CROWD, LIMIT, move |number| {
        talk(port, number)
    });
}

/// The server's side as well: half of the crowd serves the other half.
#[test]
fn servers_of_web_sockets_are_coroutines_too() {
    let _alone = alone();
    both_of("tungstenite, both ends", 400, LIMIT, || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        move |number| {
            if number % 2 == 0 {
                serve(listener.accept().expect("a client").0);
                None
            } else {
                Some(talk(port, number))
            }
        }
    });
}
