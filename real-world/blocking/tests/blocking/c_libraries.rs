//! C libraries that block: hiredis, libpq, libcurl's easy interface and the client of MariaDB, through the small programs in `c/`.
//!
//! The tests compile them, and load them into this process as shared objects: a coroutine's stack then has frames of C in it, and the calls
//! that are hooked are those of Debian's libraries.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::time::Duration;

use blocking_world::{SlowServer, alone, both};
use real_world::{Folder, MariaDb, Postgres, Redis, installed, run};

use crate::{CROWD, LIMIT};

type Ask = unsafe extern "C" fn(*const c_char, c_int, c_int, *mut c_char, usize);

/// The folder of the programs.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("c")
}

/// Whether there are a C compiler and a library's header, as Debian's packages for development have them.
pub fn can_compile(header: &str) -> bool {
    let folders = ["/usr/include", "/usr/include/x86_64-linux-gnu"];
    if !folders
        .iter()
        .any(|folder| Path::new(folder).join(header).exists())
    {
        // It says that it is missing, and fails where nothing may be.
        return installed(&[header]);
    }
    installed(&["cc"])
}

/// Compiles a program of `c/` and loads it. It is never unloaded.
fn load(name: &str, options: &[&str]) -> Ask {
    let folder = Folder::new();
    let object = folder.file(&format!("{name}.so"));
    let source = sources().join(format!("{name}.c"));
    let source = source.to_str().expect("UTF-8");
    let first = [
        "-O1", "-g", "-Wall", "-shared", "-fPIC", "-o", &object, source,
    ];
    run("cc", &[&first, options].concat());
    let path = CString::new(object).expect("no NUL in it");
    // SAFETY: the object has no constructors of its own, and `ask` is of the type that its header says.
    unsafe {
        let object = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!object.is_null(), "{:?}", CStr::from_ptr(libc::dlerror()));
        let ask = libc::dlsym(object, c"ask".as_ptr());
        assert!(!ask.is_null(), "it has the function");
        std::mem::transmute::<*mut c_void, Ask>(ask)
    }
}

fn compare(
    name: &str,
    count: usize,
    limit: Duration,
    ask: Ask,
    port: u16,
    good: fn(usize) -> String,
) {
    both(name, count, limit, move |number| {
        let mut answer = [0; 512];
        // SAFETY: the host is text that ends with NUL, the buffer is as long as it says, and what the program leaves in it ends with NUL.
        let answer = unsafe {
            let (buffer, size) = (answer.as_mut_ptr(), answer.len());
            ask(
                c"127.0.0.1".as_ptr(),
                port.into(),
                number as c_int,
                buffer,
                size,
            );
            CStr::from_ptr(answer.as_ptr())
        };
        let answer = answer.to_string_lossy().into_owned();
        assert_eq!(answer, good(number));
        answer
    });
}

#[test]
fn hiredis_blocks_a_thousand_times_at_once() {
    let _alone = alone();
    if !can_compile("hiredis/hiredis.h") {
        return;
    }
    let Some(server) = Redis::start() else { return };
    let ask = load("hiredis", &["-lhiredis"]);
    compare("hiredis", CROWD, LIMIT, ask, server.port(), |number| {
        format!("waited 1, got value:{number}, removed 1")
    });
}

#[test]
fn libpq_sleeps_on_every_connection_at_once() {
    let _alone = alone();
    if !can_compile("postgresql/libpq-fe.h") {
        return;
    }
    let Some(server) = Postgres::start() else {
        return;
    };
    let ask = load("libpq", &["-I/usr/include/postgresql", "-lpq"]);
    let count = Postgres::CONNECTIONS;
    compare(
        "libpq, 10 x 0.1 s each",
        count,
        LIMIT,
        ask,
        server.port(),
        |number| format!("PGRES_TUPLES_OK, {} and 100000, 42P01", 2 * number),
    );
}

#[test]
fn the_client_of_mariadb_sleeps_a_thousand_times_at_once() {
    let _alone = alone();
    if !can_compile("mariadb/mysql.h") {
        return;
    }
    let Some(server) = MariaDb::start() else {
        return;
    };
    let ask = load("mariadb", &["-I/usr/include/mariadb", "-lmariadb"]);
    compare("libmariadb", CROWD, LIMIT, ask, server.port(), |number| {
        format!("0, {}, 100000, error 1146", 2 * number)
    });
}

#[test]
fn libcurl_asks_a_thousand_times_at_once() {
    let _alone = alone();
    if !can_compile("curl/curl.h") {
        return;
    }
    let server = SlowServer::start(1);
    let ask = load("curl", &["-lcurl"]);
    compare(
        "libcurl",
        CROWD,
        LIMIT,
        ask,
        server.address().port(),
        |number| blocking_world::body_for(&format!("/{number}")),
    );
}
