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

fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS)
    )
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

    #[test]
    fn exhaustion_is_kept_and_nothing_else() {
        for code in [libc::EMFILE, libc::ENOMEM] {
            let kept = keep_exhaustion(io::Error::from_raw_os_error(code).into());
            assert!(matches!(kept, NetError::Msg(_)));
            assert_eq!(io_error(kept).raw_os_error(), Some(code));
        }
        let other = keep_exhaustion(io::Error::from_raw_os_error(libc::ECONNREFUSED).into());
        assert!(matches!(other, NetError::Io(_)));
        assert_eq!(io_error(other).kind(), ErrorKind::ConnectionRefused);
        for text in ["", "(os error 24)", EXHAUSTED] {
            let error = io_error(NetError::Msg(text.to_owned()));
            assert_eq!(error.kind(), ErrorKind::Other);
            assert!(error.get_ref().is_some());
        }
    }
}
