//! Checks of what scripts pass: each error names the procedure, the argument's place and name, what it must be, and what it was.

use std::time::Duration;

use steel::gc::ShareableMut;
use steel::rerrs::ErrorKind;
use steel::rvals::{CustomType, as_underlying_type};
use steel::{SteelErr, SteelVal};

/// What a value looks like in a message, cut where it gets long.
const MAX_SHOWN: usize = 80;

/// One argument of one call.
pub(crate) struct Argument<'a> {
    /// The procedure, as the script calls it.
    pub(crate) procedure: &'a str,
    /// From 1.
    pub(crate) position: usize,
    pub(crate) name: &'a str,
    pub(crate) value: &'a SteelVal,
}

impl Argument<'_> {
    pub(crate) fn wrong(&self, wanted: &str) -> SteelErr {
        self.error(ErrorKind::TypeMismatch, &format!("must be {wanted}"))
    }

    pub(crate) fn error(&self, kind: ErrorKind, complaint: &str) -> SteelErr {
        let Argument {
            procedure,
            position,
            name,
            value,
        } = self;
        let message = format!(
            "{procedure}: argument {position} ({name}) {complaint}, not {}",
            shown(value)
        );
        SteelErr::new(kind, message)
    }

    pub(crate) fn string(&self) -> Result<String, SteelErr> {
        match self.value {
            SteelVal::StringV(text) => Ok(text.to_string()),
            _ => Err(self.wrong("a string")),
        }
    }

    pub(crate) fn whole_number(
        &self,
        wanted: &str,
        least: usize,
        most: usize,
    ) -> Result<usize, SteelErr> {
        let in_range = match self.value {
            SteelVal::IntV(number) => usize::try_from(*number)
                .ok()
                .filter(|n| (least..=most).contains(n)),
            _ => None,
        };
        in_range.ok_or_else(|| self.wrong(wanted))
    }

    pub(crate) fn port(&self) -> Result<u16, SteelErr> {
        let number = self.whole_number("a port (0 to 65535)", 0, u16::MAX.into())?;
        Ok(u16::try_from(number).unwrap_or(u16::MAX))
    }

    /// A time, in seconds or parts of them.
    pub(crate) fn seconds(&self) -> Result<Duration, SteelErr> {
        const WANTED: &str = "a number of seconds that is not negative";
        let number = match self.value {
            SteelVal::IntV(number) => *number as f64,
            SteelVal::NumV(number) => *number,
            SteelVal::Rational(number) => f64::from(*number.numer()) / f64::from(*number.denom()),
            _ => return Err(self.wrong(WANTED)),
        };
        if number.is_nan() || number < 0.0 {
            return Err(self.wrong(WANTED));
        }
        // What is too long to be counted is as good as for ever.
        Ok(Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX))
    }

    /// A string's bytes, or those of a list of numbers, which is how the prelude passes byte vectors.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, SteelErr> {
        let bytes = match self.value {
            SteelVal::StringV(text) => Some(text.as_bytes().to_vec()),
            SteelVal::ListV(list) => list
                .iter()
                .map(|item| match item {
                    SteelVal::IntV(number) => u8::try_from(*number).ok(),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        bytes.ok_or_else(|| self.wrong("a string or bytes"))
    }

    /// A value of one of our own types.
    pub(crate) fn custom<T: CustomType + Clone + 'static>(
        &self,
        wanted: &str,
    ) -> Result<T, SteelErr> {
        custom(self.value).ok_or_else(|| self.wrong(wanted))
    }
}

pub(crate) fn custom<T: CustomType + Clone + 'static>(value: &SteelVal) -> Option<T> {
    match value {
        SteelVal::Custom(custom) => as_underlying_type::<T>(custom.read().as_ref()).cloned(),
        _ => None,
    }
}

pub(crate) fn shown(value: &SteelVal) -> String {
    let text = match value {
        SteelVal::StringV(text) => format!("{:?}", text.as_str()),
        _ => value.to_string(),
    };
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text,
    }
}
