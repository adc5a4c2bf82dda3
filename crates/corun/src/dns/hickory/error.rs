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
/// | `NotConnected` | the configuration names no server |
/// | `Other` | the server could not find out (`SERVFAIL`), and the rest |
///
/// If it was an error of the system's (a server that cannot be reached, no descriptor left), it is that very error. All others have the `NetError` inside: see
/// [`io::Error::get_ref`].
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
