//! Reading and writing streams by the bare system calls, where they are known.
//!
//! In a program with several threads the C library's `recv` and `send` are cancellation points, which costs each of them two atomic exchanges:
//! together with the calls themselves a third of the processor time that an echo server spends outside of the kernel. No thread
//! here is ever cancelled.

#[cfg(target_os = "linux")]
mod calls {
    use std::io;
    use std::os::fd::AsFd;

    use rustix::net::{RecvFlags, SendFlags};

    #[inline]
    pub(crate) fn receive(stream: &impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
        let (count, _) = rustix::net::recv(stream, buf, RecvFlags::empty())?;
        Ok(count)
    }

    #[inline]
    pub(crate) fn send(stream: &impl AsFd, buf: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(stream, buf, SendFlags::NOSIGNAL)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod calls {
    use std::io::{self, Read, Write};

    #[inline]
    pub(crate) fn receive<S>(mut stream: &S, buf: &mut [u8]) -> io::Result<usize>
    where
        for<'a> &'a S: Read,
    {
        stream.read(buf)
    }

    #[inline]
    pub(crate) fn send<S>(mut stream: &S, buf: &[u8]) -> io::Result<usize>
    where
        for<'a> &'a S: Write,
    {
        stream.write(buf)
    }
}

pub(crate) use calls::{receive, send};
