//! The native procedures that the prelude builds upon, and the few that scripts call themselves.
//!
//! Each checks its arguments, starts what is to be done elsewhere, and returns; none waits, except for `%next-event` at the bottom of the
//! prelude's loop, and none calls Scheme.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use steel::rvals::{Custom, IntoSteelVal};
use steel::steel_vm::engine::Engine;
use steel::steel_vm::register_fn::RegisterFn;
use steel::{SteelErr, SteelVal};

use crate::arguments::{Argument, custom};
use crate::failure::Failure;
use crate::headers;
use crate::host::Host;
use crate::http::{Client, Response};
use crate::report::Reporter;
use crate::tcp::{Listener, MAX_READ, Stream};

type Answer = Result<SteelVal, SteelErr>;

/// What all of them share.
pub(crate) struct Shared {
    pub(crate) host: Host,
    pub(crate) client: Client,
    pub(crate) reporter: Reporter,
    /// How long a request may take, if the script has said so.
    pub(crate) http_limit: Cell<Option<Duration>>,
}

thread_local! {
    static SHARED: RefCell<HashMap<u64, Weak<Shared>>> = RefCell::default();
}

/// By which a procedure finds what it shares. Steel wants procedures to be `Send`, though it runs them on one thread; and were
/// one ever called on another, it would find nothing there, and say so.
#[derive(Clone, Copy)]
struct Key(u64);

impl Key {
    fn new(shared: &Rc<Shared>) -> Key {
        static LAST: AtomicU64 = AtomicU64::new(0);
        // Relaxed: only that no two are equal matters.
        let key = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        SHARED.with_borrow_mut(|known| {
            known.retain(|_, shared| shared.strong_count() > 0);
            known.insert(key, Rc::downgrade(shared));
        });
        Key(key)
    }

    fn get(self) -> Result<Rc<Shared>, SteelErr> {
        SHARED
            .with_borrow(|known| known.get(&self.0).and_then(Weak::upgrade))
            .ok_or_else(|| {
                let message = "only the thread that made the script may call this";
                SteelErr::new(steel::rerrs::ErrorKind::Generic, message.to_owned())
            })
    }
}

pub(crate) fn register(engine: &mut Engine, shared: &Rc<Shared>) {
    let key = Key::new(shared);
    register_loop(engine, key);
    register_http(engine, key);
    register_response(engine);
    register_tcp(engine, key);
}

fn argument<'a>(
    procedure: &'a str,
    position: usize,
    name: &'a str,
    value: &'a SteelVal,
) -> Argument<'a> {
    Argument {
        procedure,
        position,
        name,
        value,
    }
}

fn value<T: IntoSteelVal>(of: T) -> Answer {
    of.into_steelval()
}

fn number(id: u64) -> SteelVal {
    SteelVal::IntV(isize::try_from(id).unwrap_or(isize::MAX))
}

fn identity(value: &SteelVal) -> u64 {
    match value {
        SteelVal::IntV(id) => u64::try_from(*id).unwrap_or(0),
        _ => 0,
    }
}

fn register_loop(engine: &mut Engine, key: Key) {
    engine.register_fn("%next-event", move |wait: bool| -> Answer {
        match key.get()?.host.next(wait) {
            Some((id, outcome)) => value(vec![number(id), outcome]),
            None => Ok(SteelVal::BoolV(false)),
        }
    });
    engine.register_fn("%timer", move |who: String, seconds: SteelVal| -> Answer {
        let delay = argument(&who, 1, "SECONDS", &seconds).seconds()?;
        Ok(number(key.get()?.host.start_timer(delay)))
    });
    engine.register_fn(
        "%check-seconds",
        |who: String, seconds: SteelVal| -> Answer {
            argument(&who, 1, "SECONDS", &seconds).seconds()?;
            Ok(SteelVal::Void)
        },
    );
    engine.register_fn("%cancel-timer", move |id: SteelVal| -> Answer {
        key.get()?.host.cancel_timer(identity(&id));
        Ok(SteelVal::Void)
    });
    engine.register_fn(
        "%report-error",
        move |what: String, error: SteelVal| -> Answer {
            let error = custom::<SteelErr>(&error).unwrap_or_else(|| {
                SteelErr::new(steel::rerrs::ErrorKind::Generic, error.to_string())
            });
            key.get()?.reporter.report(&what, &error);
            Ok(SteelVal::Void)
        },
    );
    engine.register_fn(
        "%wrong-argument",
        |who: String, position: usize, name: String, wanted: String, given: SteelVal| -> Answer {
            Err(argument(&who, position, &name, &given).wrong(&wanted))
        },
    );
    engine.register_fn("%native-depth", native_depth);
    engine.register_fn("%random", |below: usize| {
        // Each state hashes with keys of its own. Good enough to be fair.
        usize::try_from(RandomState::new().hash_one(0) % below.max(1) as u64).unwrap_or(0)
    });
    engine.register_fn("exit", |status: SteelVal| -> Answer {
        let status = argument("exit", 1, "STATUS", &status).whole_number(
            "a whole number from 0 to 255",
            0,
            255,
        )?;
        // What standard output cannot take now is lost in any case.
        let _ = io::stdout().flush();
        std::process::exit(i32::try_from(status).unwrap_or(1))
    });
}

/// Where the machine's stack stands: equal for two calls of the same loop of the interpreter, from the same place in Scheme.
#[inline(never)]
fn native_depth() -> usize {
    let marker = 0_u8;
    std::hint::black_box(&raw const marker).addr()
}

fn register_http(engine: &mut Engine, key: Key) {
    engine.register_fn(
        "%http-start",
        move |who: String,
              method: String,
              url: SteelVal,
              request_headers: SteelVal,
              body: SteelVal|
              -> Answer {
            let body = match &body {
                SteelVal::BoolV(false) => None,
                body => Some(argument(&who, 3, "BODY", body).bytes()?),
            };
            let request = headers::request(
                &method,
                &argument(&who, 1, "URL", &url),
                &argument(&who, 2, "HEADERS", &request_headers),
                body,
            )?;
            let http = key.get()?;
            let (client, limit) = (http.client.clone(), http.http_limit.get());
            let id = http.host.start(
                "http",
                move || client.perform(request, limit),
                into_value::<Response>,
            );
            Ok(number(id))
        },
    );
    engine.register_fn("http-timeout!", move |seconds: SteelVal| -> Answer {
        let limit = match &seconds {
            SteelVal::BoolV(false) => None,
            seconds => Some(argument("http-timeout!", 1, "SECONDS", seconds).seconds()?),
        };
        key.get()?.http_limit.set(limit);
        Ok(SteelVal::Void)
    });
}

fn into_value<T: Custom + Send + Sync + 'static>(of: T) -> SteelVal {
    match of.into_steelval() {
        Ok(value) => value,
        Err(error) => Failure::new(error.to_string()).into_value(),
    }
}

fn response(procedure: &str, given: &SteelVal) -> Result<Response, SteelErr> {
    argument(procedure, 1, "RESPONSE", given)
        .custom("the response that a callback of g_http-async-get gets")
}

fn register_response(engine: &mut Engine) {
    engine.register_fn("http-response?", |given: SteelVal| {
        custom::<Response>(&given).is_some()
    });
    engine.register_fn("http-error?", |given: SteelVal| {
        custom::<Failure>(&given).is_some()
    });
    engine.register_fn("http-error-message", |given: SteelVal| -> Answer {
        let failure: Failure =
            argument("http-error-message", 1, "ERROR", &given).custom("an http-error")?;
        value(failure.message().to_owned())
    });
    engine.register_fn("http-url", |given: SteelVal| -> Answer {
        value(response("http-url", &given)?.url)
    });
    engine.register_fn("http-status", |given: SteelVal| -> Answer {
        value(usize::from(response("http-status", &given)?.status))
    });
    engine.register_fn("http-body", |given: SteelVal| -> Answer {
        value(String::from_utf8_lossy(&response("http-body", &given)?.body).into_owned())
    });
    engine.register_fn("http-body-bytes", |given: SteelVal| -> Answer {
        Ok(bytes(response("http-body-bytes", &given)?.body))
    });
    engine.register_fn("http-headers", |given: SteelVal| -> Answer {
        let headers = response("http-headers", &given)?.headers;
        value(
            headers
                .into_iter()
                .map(|(name, text)| value(vec![SteelVal::from(name), SteelVal::from(text)]))
                .collect::<Result<Vec<_>, _>>()?,
        )
    });
    engine.register_fn("http-header", |given: SteelVal, name: SteelVal| -> Answer {
        let headers = response("http-header", &given)?.headers;
        let name = argument("http-header", 2, "NAME", &name).string()?;
        let found = headers
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name));
        Ok(found.map_or(SteelVal::BoolV(false), |(_, text)| SteelVal::from(text)))
    });
}

fn bytes(of: Vec<u8>) -> SteelVal {
    SteelVal::ByteVector(steel::rvals::SteelByteVector::new(of))
}

fn stream(procedure: &str, given: &SteelVal) -> Result<Stream, SteelErr> {
    argument(procedure, 1, "STREAM", given).custom("a stream of tcp-connect or tcp-accept")
}

fn register_tcp(engine: &mut Engine, key: Key) {
    engine.register_fn(
        "%tcp-connect",
        move |who: String, host: SteelVal, port: SteelVal| -> Answer {
            let (host, port) = (
                argument(&who, 1, "HOST", &host).string()?,
                argument(&who, 2, "PORT", &port).port()?,
            );
            Ok(number(key.get()?.host.start(
                "tcp-connect",
                move || Stream::connect(&host, port),
                into_value,
            )))
        },
    );
    engine.register_fn(
        "%tcp-listen",
        move |who: String, host: SteelVal, port: SteelVal| -> Answer {
            let (host, port) = (
                argument(&who, 1, "HOST", &host).string()?,
                argument(&who, 2, "PORT", &port).port()?,
            );
            Ok(number(key.get()?.host.start(
                "tcp-listen",
                move || Listener::bind(&host, port),
                into_value,
            )))
        },
    );
    engine.register_fn(
        "%tcp-accept",
        move |who: String, listener: SteelVal| -> Answer {
            let listener: Listener =
                argument(&who, 1, "LISTENER", &listener).custom("a listener of tcp-listen")?;
            Ok(number(key.get()?.host.start(
                "tcp-accept",
                move || listener.accept(),
                into_value,
            )))
        },
    );
    engine.register_fn(
        "%tcp-read",
        move |who: String, from: SteelVal, limit: SteelVal| -> Answer {
            let stream = stream(&who, &from)?;
            let limit = argument(&who, 2, "LIMIT", &limit).whole_number(
                "a number of bytes from 1 to 16777216",
                1,
                MAX_READ,
            )?;
            let convert = |read: Vec<u8>| {
                if read.is_empty() {
                    end_of_file()
                } else {
                    bytes(read)
                }
            };
            Ok(number(key.get()?.host.start(
                "tcp-read",
                move || stream.read(limit),
                convert,
            )))
        },
    );
    engine.register_fn(
        "%tcp-read-line",
        move |who: String, from: SteelVal| -> Answer {
            let stream = stream(&who, &from)?;
            let convert = |line: Option<String>| line.map_or_else(end_of_file, SteelVal::from);
            Ok(number(key.get()?.host.start(
                "tcp-read-line",
                move || stream.read_line(),
                convert,
            )))
        },
    );
    engine.register_fn(
        "%tcp-write",
        move |who: String, to: SteelVal, data: SteelVal| -> Answer {
            let (stream, data) = (
                stream(&who, &to)?,
                argument(&who, 2, "DATA", &data).bytes()?,
            );
            Ok(number(key.get()?.host.start(
                "tcp-write",
                move || stream.write(&data),
                |()| SteelVal::Void,
            )))
        },
    );
    engine.register_fn("tcp-close", |given: SteelVal| -> Answer {
        if let Some(listener) = custom::<Listener>(&given) {
            listener.close();
        } else {
            argument("tcp-close", 1, "STREAM", &given)
                .custom::<Stream>("a stream of tcp-connect or tcp-accept, or a listener")?
                .close();
        }
        Ok(SteelVal::Void)
    });
    engine.register_fn("tcp-port", |given: SteelVal| -> Answer {
        let listener: Listener =
            argument("tcp-port", 1, "LISTENER", &given).custom("a listener of tcp-listen")?;
        let port = listener.port().map_err(|failure| {
            argument("tcp-port", 1, "LISTENER", &given).wrong(&format!("open ({failure})"))
        })?;
        value(usize::from(port))
    });
}

fn end_of_file() -> SteelVal {
    steel::primitives::ports::eof_object()
}
