//! `ureq`, plain and with rustls.

use std::sync::Arc;
use std::time::Duration;

use blocking_world::{SlowServer, alone, body_for, both_of};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::{CROWD, LIMIT};

/// The answer, or what kind of error there was.
fn get(agent: &Agent, url: &str) -> Result<String, String> {
    let answer = agent.get(url).call().map_err(|error| error.to_string())?;
    let mut body = answer.into_body();
    body.read_to_string().map_err(|error| error.to_string())
}

#[test]
fn ureq_asks_a_thousand_times_at_once() {
    let _alone = alone();
    let server = SlowServer::start(1);
    let port = server.address().port();
    both_of("ureq", CROWD, LIMIT, || {
        let agent = Agent::new_with_defaults();
        move |number| {
            let path = format!("/{number}");
            let body = get(&agent, &format!("http://127.0.0.1:{port}{path}"));
            assert_eq!(body.as_deref(), Ok(&*body_for(&path)));
            body
        }
    });
}

/// One agent with its pool of connections, shared by all; names are looked up; each asks several times, on connections that stay.
#[test]
fn ureq_keeps_its_connections() {
    let _alone = alone();
    let server = SlowServer::start(1);
    let port = server.address().port();
    both_of("ureq, 5 requests each", 100, LIMIT, || {
        let agent: Agent = Agent::config_builder()
            .max_idle_connections(200)
            .max_idle_connections_per_host(200)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        move |number| {
            let ask = |round| get(&agent, &format!("http://localhost:{port}/{number}/{round}"));
            (0..5).map(ask).collect::<Vec<_>>()
        }
    });
}

#[test]
fn ureq_tells_the_same_of_servers_that_fail() {
    let _alone = alone();
    let server = SlowServer::start(1);
    let port = server.address().port();
    let closed = real_world::free_port();
    both_of("ureq, failing", 100, LIMIT, || {
        let agent: Agent = Agent::config_builder()
            .timeout_recv_response(Some(Duration::from_millis(50)))
            .build()
            .into();
        let patient = Agent::new_with_defaults();
        move |number| {
            (
                get(&patient, &format!("http://127.0.0.1:{port}/torn/{number}")),
                get(&patient, &format!("http://127.0.0.1:{closed}/")),
                get(&patient, "http://-no-such-name/"),
                get(&agent, &format!("http://127.0.0.1:{port}/never/{number}")),
            )
        }
    });
}

/// A certificate for localhost, and its key.
fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    (made.cert.der().clone(), key)
}

#[test]
fn ureq_with_rustls_asks_a_thousand_times_at_once() {
    let _alone = alone();
    let (certificate, key) = certificate();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("they belong together");
    let config = Arc::new(config);
    let server = SlowServer::start_with(1, move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config));
        let connection = connection.map_err(std::io::Error::other)?;
        Ok(rustls::StreamOwned::new(connection, stream))
    });
    let port = server.address().port();
    // The cryptography is not optimised here, and is most of it.
    let limit = 2 * LIMIT;
    both_of("ureq with rustls", CROWD, limit, || {
        let root = Certificate::from_der(&certificate).to_owned();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider.clone())
            .root_certs(RootCerts::new_with_certs(&[root]))
            .build();
        let agent: Agent = Agent::config_builder().tls_config(tls).build().into();
        move |number| get(&agent, &format!("https://localhost:{port}/{number}"))
    });
}
