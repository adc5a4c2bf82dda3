//! Names are resolved on the blocking pool.

use std::ffi::CString;
use std::net::ToSocketAddrs;
use std::ptr;

use crate::common::on_one_worker;

#[test]
fn names_and_figures() {
    on_one_worker(|| {
        for name in ["localhost:80", "127.0.0.1:80", "[::1]:80"] {
            assert!(
                name.to_socket_addrs()
                    .unwrap()
                    .all(|address| address.port() == 80)
            );
        }
    });
}

#[test]
fn others_run_meanwhile() {
    on_one_worker(|| {
        let other = corun::spawn(|| ());
        // It can run only while this one is parked. A single call may be over before it has to be.
        let parks = (0..1000).any(|_| {
            assert!("localhost:80".to_socket_addrs().unwrap().count() > 0);
            other.is_finished()
        });
        assert!(parks);
    });
}

#[test]
fn a_name_that_does_not_exist() {
    on_one_worker(|| {
        // No server is asked, since there cannot be such a name.
        let name = format!("{}:80", "no".repeat(40));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let name = name.clone();
                corun::spawn(move || name.to_socket_addrs().map(|_| ()).unwrap_err())
            })
            .collect();
        for task in tasks {
            assert!(task.join().unwrap().to_string().contains("lookup"));
        }
    });
}

#[test]
fn the_older_calls() {
    unsafe extern "C" {
        fn gethostbyname(name: *const libc::c_char) -> *mut libc::hostent;
    }
    on_one_worker(|| {
        let name = CString::new("localhost").unwrap();
        // SAFETY: a name; the result is the C library's until the next call.
        unsafe {
            let entry = gethostbyname(name.as_ptr());
            assert!(!entry.is_null());
            assert_eq!((*entry).h_addrtype, libc::AF_INET);
        }
        let mut address: libc::sockaddr_in = {
            // SAFETY: a plain structure of numbers.
            unsafe { std::mem::zeroed() }
        };
        address.sin_family = libc::AF_INET as u16;
        address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let mut host = [0; 100];
        // SAFETY: the address and the buffer are as long as they say.
        let result = unsafe {
            libc::getnameinfo(
                (&raw const address).cast(),
                size_of::<libc::sockaddr_in>() as u32,
                host.as_mut_ptr(),
                100,
                ptr::null_mut(),
                0,
                0,
            )
        };
        assert_eq!(result, 0);
    });
}
