//! DNS over TLS: hickory's own code for it, which looks for tokio and finds that of the bridge.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use corun::dns::hickory::{Connector, Resolver};
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::server::proper_answer;
use crate::{address, alone, at, on, runtime};

/// A server whose certificate is made for it, and the configuration of a client that believes it.
fn start() -> (u16, ClientConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    let server = Arc::new(server.expect("they match"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    // Its threads end with the program.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = Arc::clone(&server);
            thread::spawn(move || drop(serve(stream, server)));
        }
    });
    (port, client)
}

fn serve(stream: TcpStream, server: Arc<ServerConfig>) -> std::io::Result<()> {
    let connection = ServerConnection::new(server).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut question)?;
        let answer = proper_answer(&question).expect("a question");
        stream.write_all(&(answer.len() as u16).to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}

#[test]
fn by_tls_from_coroutines_tasks_and_threads() {
    let _alone = alone();
    let (port, tls) = start();
    for workers in [1, 2, 8] {
        let server = NameServerConfig::tls(Ipv4Addr::LOCALHOST.into(), "localhost".into());
        let config = ResolverConfig::from_name_servers(vec![at(server, port)]);
        let builder = hickory_resolver::Resolver::builder_with_config(config, Connector::default());
        let mut builder = builder.with_tls_config(tls.clone());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        let resolver = Resolver::from_builder(builder).expect("a resolver");
        on(workers, || {
            corun::scope(|scope| {
                for number in 0..10 {
                    let resolver = &resolver;
                    scope.spawn(move || {
                        let found = resolver.lookup_ip(&format!("host{number}.test."));
                        assert_eq!(found.expect("an address"), [address(number)]);
                    });
                }
            });
        });
        let found = resolver.lookup_ip("host20.test.");
        assert_eq!(found.expect("an address"), [address(20)]);
        let runtime = runtime(workers);
        let task =
            runtime.spawn_async(async move { resolver.lookup_ip_async("host21.test.").await });
        let found = task.join().expect("no panic");
        assert_eq!(found.expect("an address"), [address(21)]);
    }
}
