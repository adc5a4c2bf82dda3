//! hickory's errors as those of `std::io`.

use std::io::{self, ErrorKind};

use ::hickory_resolver::net::{DnsError, NetError, NoRecords};
use ::hickory_resolver::proto::op::ResponseCode;

/// An error of hickory's as an error of `std::io`, whose kind says what went wrong:
///
/// | kind | what |
/// |---|---|
/// | `NotFound` | there is no such name, or it has no such record |
/// | `TimedOut` | no server has answered in time, as often as it was asked |
/// | `PermissionDenied` | the server refuses to answer |
/// | `InvalidData` | what the server said is no proper answer |
/// | `NotConnected` | no server can be reached, or the configuration names none |
/// | `Other` | the server could not find out (`SERVFAIL`), and the rest |
///
/// These have the `NetError` inside: see [`io::Error::get_ref`]. If it was the system that refused something, for want of descriptors or memory for
/// example, it is the system's own error, with its code and nothing inside.
///
/// ```
/// use std::io;
/// use corun::dns::hickory::hickory_resolver::net::NetError;
/// use corun::dns::hickory::io_error;
///
/// let error = io_error(NetError::Timeout);
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// let inner = error.get_ref().unwrap().downcast_ref();
/// assert!(matches!(inner, Some(NetError::Timeout)));
/// ```
pub fn io_error(error: NetError) -> io::Error {
    let kind = match &error {
        NetError::Io(source) => match source.raw_os_error() {
            Some(code) => return io::Error::from_raw_os_error(code),
            None => source.kind(),
        },
        NetError::Msg(text) => match exhaustion(text) {
            Some(error) => return error,
            None => ErrorKind::Other,
        },
        NetError::Dns(error) => meaning(error),
        NetError::Timeout => ErrorKind::TimedOut,
        NetError::Busy => ErrorKind::ResourceBusy,
        NetError::NoConnections => ErrorKind::NotConnected,
        NetError::Proto(_)
        | NetError::QueryCaseMismatch
        | NetError::ForeignClassRecord { .. }
        | NetError::Truncated => ErrorKind::InvalidData,
        _ => ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// The kind for what a server has said.
fn meaning(error: &DnsError) -> ErrorKind {
    match error {
        DnsError::NoRecordsFound(NoRecords {
            response_code: ResponseCode::NXDomain | ResponseCode::NoError,
            ..
        }) => ErrorKind::NotFound,
        DnsError::ResponseCode(ResponseCode::Refused) => ErrorKind::PermissionDenied,
        DnsError::DnssecBogus => ErrorKind::InvalidData,
        _ => ErrorKind::Other,
    }
}

/// How the text begins that stands for an error of this kind.
const EXHAUSTED: &str = "the system has nothing left: ";

/// Keeps hickory from taking a lack of descriptors or memory for the failure of a server.
///
/// It asks the next server after an error of the system's, and forgets that error if there is none ("no connections available"). Here no other
/// server would help, so whoever asks is told, in a text as hickory's error has no other place for it. A server that cannot be reached stays what it is.
pub(super) fn keep_exhaustion(error: NetError) -> NetError {
    match &error {
        NetError::Io(source) if is_exhaustion(source) => {
            NetError::Msg(format!("{EXHAUSTED}{source}"))
        }
        _ => error,
    }
}

/// The codes by which the system says that it has no descriptor or memory left.
#[cfg(not(windows))]
const EXHAUSTION: &[i32] = &[libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
/// Those of sockets are numbers of their own there, but for that of memory; what reports their events has the system's.
#[cfg(windows)]
const EXHAUSTION: &[i32] = &[
    4,      // ERROR_TOO_MANY_OPEN_FILES
    8,      // ERROR_NOT_ENOUGH_MEMORY, WSA_NOT_ENOUGH_MEMORY
    14,     // ERROR_OUTOFMEMORY
    1_450,  // ERROR_NO_SYSTEM_RESOURCES
    1_455,  // ERROR_COMMITMENT_LIMIT
    10_024, // WSAEMFILE
    10_055, // WSAENOBUFS
];

fn is_exhaustion(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| EXHAUSTION.contains(&code))
}

/// What [`keep_exhaustion`] has kept.
fn exhaustion(text: &str) -> Option<io::Error> {
    let error = text.strip_prefix(EXHAUSTED)?;
    let (_, code) = error.rsplit_once("(os error ")?;
    let code = code.strip_suffix(')')?.parse().ok()?;
    Some(io::Error::from_raw_os_error(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(windows))]
    const REFUSED: i32 = libc::ECONNREFUSED;
    /// `WSAECONNREFUSED`.
    #[cfg(windows)]
    const REFUSED: i32 = 10_061;

    #[test]
    fn codes_are_those_of_this_system() {
        let (exhausted, others) = if cfg!(windows) {
            // WSAEMFILE, WSAENOBUFS, WSA_NOT_ENOUGH_MEMORY; C's EMFILE and ENOMEM, which are ERROR_BAD_LENGTH and ERROR_INVALID_ACCESS.
            ([10_024, 10_055, 8], [24, 12])
        } else {
            (
                [libc::EMFILE, libc::ENOBUFS, libc::ENOMEM],
                [libc::EBADF, libc::EAGAIN],
            )
        };
        let is_exhaustion = |&code: &i32| is_exhaustion(&io::Error::from_raw_os_error(code));
        assert!(exhausted.iter().all(is_exhaustion));
        assert!(!others.iter().any(is_exhaustion));
    }

    #[test]
    fn exhaustion_is_kept_and_nothing_else() {
        for &code in EXHAUSTION {
            let kept = keep_exhaustion(io::Error::from_raw_os_error(code).into());
            assert!(matches!(kept, NetError::Msg(_)));
            assert_eq!(io_error(kept).raw_os_error(), Some(code));
        }
        let other = keep_exhaustion(io::Error::from_raw_os_error(REFUSED).into());
        assert!(matches!(other, NetError::Io(_)));
        assert_eq!(io_error(other).kind(), ErrorKind::ConnectionRefused);
        for text in ["", "(os error 24)", EXHAUSTED] {
            let error = io_error(NetError::Msg(text.to_owned()));
            assert_eq!(error.kind(), ErrorKind::Other);
            assert!(error.get_ref().is_some());
        }
    }
}
