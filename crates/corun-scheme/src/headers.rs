//! What a script says of a request, checked before anything is sent.

use steel::rerrs::ErrorKind;
use steel::{SteelErr, SteelVal};
use ureq::http::{HeaderName, HeaderValue, Request, Uri};

use crate::arguments::Argument;

/// Puts a request together.
pub(crate) fn request(
    method: &str,
    url: &Argument<'_>,
    headers: &Argument<'_>,
    body: Option<Vec<u8>>,
) -> Result<Request<Option<Vec<u8>>>, SteelErr> {
    let text = url.string()?;
    let uri: Uri = text
        .parse()
        .map_err(|error| url.error(ErrorKind::Generic, &format!("must be a URL ({error})")))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(url.error(
            ErrorKind::Generic,
            "must be a URL that begins with http:// or https:// and a host",
        ));
    }
    let mut request = Request::new(body);
    *request.method_mut() = method
        .parse()
        .map_err(|_| url.error(ErrorKind::Generic, "is for a method that does not exist"))?;
    *request.uri_mut() = uri;
    for (name, value) in pairs(headers)? {
        let wrong = |what: &str| {
            headers.error(
                ErrorKind::Generic,
                &format!("must have valid headers (see the {what} {name:?})"),
            )
        };
        let header = HeaderName::try_from(&name).map_err(|_| wrong("name"))?;
        let value = HeaderValue::try_from(value).map_err(|_| wrong("value of"))?;
        request.headers_mut().append(header, value);
    }
    Ok(request)
}

/// From a list of pairs, `(("name" . "value") ...)`, a list of lists of two, or a hash.
fn pairs(headers: &Argument<'_>) -> Result<Vec<(String, String)>, SteelErr> {
    let entries = match headers.value {
        SteelVal::ListV(list) => list.iter().map(pair).collect(),
        SteelVal::HashMapV(map) => map
            .iter()
            .map(|(name, value)| Some((string(name)?, string(value)?)))
            .collect(),
        _ => None,
    };
    entries.ok_or_else(|| {
        headers
            .wrong("a list of pairs of strings, like '((\"Accept\" . \"text/plain\")), or a hash")
    })
}

fn pair(entry: &SteelVal) -> Option<(String, String)> {
    match entry {
        SteelVal::Pair(pair) => Some((string(&pair.car())?, string(&pair.cdr())?)),
        SteelVal::ListV(list) if list.len() == 2 => {
            Some((string(list.get(0)?)?, string(list.get(1)?)?))
        }
        _ => None,
    }
}

fn string(value: &SteelVal) -> Option<String> {
    match value {
        SteelVal::StringV(text) => Some(text.to_string()),
        _ => None,
    }
}
