//! `BufReader::lines` and `BufWriter` of std over a socket: a protocol of lines, as one would write it with threads.

use std::io::{BufRead, BufReader, BufWriter, Write};

use corun::net::{TcpListener, TcpStream};

#[test]
fn lines_in_and_lines_out() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let addr = listener.local_addr().expect("bound");
    let server = corun::spawn(move || {
        let (stream, _) = listener.accept().expect("accept");
        stream.set_nodelay(true).expect("nodelay");
        let mut out = BufWriter::new(&stream);
        for line in BufReader::new(&stream).lines() {
            let line = line.expect("a line");
            writeln!(out, "{}", line.to_uppercase()).expect("write");
            out.flush().expect("flush");
        }
    });
    let client = corun::spawn(move || {
        let stream = TcpStream::connect(addr).expect("connect");
        stream.set_nodelay(true).expect("nodelay");
        let mut answers = BufReader::new(&stream).lines();
        for number in 0..1_000 {
            // Longer and longer, past the size of any buffer on the way.
            let line = format!("line {number} {}", "abc".repeat(number * 10));
            (&stream)
                .write_all(format!("{line}\n").as_bytes())
                .expect("write");
            assert_eq!(
                answers.next().expect("an answer").expect("a line"),
                line.to_uppercase()
            );
        }
        stream
            .shutdown(std::net::Shutdown::Write)
            .expect("shutdown");
        assert!(answers.next().is_none());
    });
    client.join().expect("client");
    server.join().expect("server");
}
