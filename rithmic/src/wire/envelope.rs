//! The common part of every message, read without its type.

use super::reader::{Kind, Reader};
use super::{REQUEST_FIELD, TEMPLATE_FIELD, WireError};

const RESUME_FIELD: u32 = 132_758;
const MORE_FIELD: u32 = 132_764;
const ANSWER_FIELD: u32 = 132_766;

/// The common part of a message: which it is, and whether and how it answers a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Its template number.
    pub template: i32,
    /// The number of the request that it answers; `None` if it answers none of ours.
    pub request: Option<u32>,
    /// True if it is a part of an answer, with more to come.
    pub more: bool,
    /// The key that continues an answer that the gateway has cut (template 210).
    pub resume: Option<&'a str>,
    /// The code that ends an answer: `0` is good, `7` with `no data` is an empty answer, any other
    /// a refusal.
    pub code: Option<&'a str>,
    /// The text behind that code.
    pub text: Option<&'a str>,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There are more parts to come.
    More,
    /// It was done.
    Done,
    /// It was done, and there is nothing.
    Empty,
    /// It was refused.
    Refused,
}

impl<'a> Envelope<'a> {
    /// Reads the common part of a message.
    #[inline]
    pub(super) fn of(message: &'a [u8]) -> Result<Envelope<'a>, WireError> {
        let mut template = None;
        let mut envelope = Envelope::default();
        let (mut messages, mut codes) = (0, 0);
        let mut reader = Reader::new(message);
        while let Some((number, kind)) = reader.field()? {
            match (number, kind) {
                (TEMPLATE_FIELD, Kind::Varint) => template = Some(reader.varint()? as i32),
                (TEMPLATE_FIELD, _) => return Err(WireError::WireType),
                (REQUEST_FIELD, Kind::Bytes) => {
                    let text = std::str::from_utf8(reader.bytes()?).ok();
                    if messages == 0 {
                        envelope.request = text.and_then(|text| text.parse().ok());
                    }
                    messages += 1;
                }
                (RESUME_FIELD, Kind::Bytes) => {
                    let key = std::str::from_utf8(reader.bytes()?).ok();
                    envelope.resume = key.filter(|key| !key.is_empty());
                }
                (MORE_FIELD, Kind::Bytes) => {
                    reader.bytes()?;
                    envelope.more = true;
                }
                (ANSWER_FIELD, Kind::Bytes) => {
                    let text = std::str::from_utf8(reader.bytes()?).ok();
                    match codes {
                        0 => envelope.code = text,
                        1 => envelope.text = text,
                        _ => {}
                    }
                    codes += 1;
                }
                _ => reader.skip(number, kind)?,
            }
        }
        // A number below 1 is no template's.
        envelope.template = template.filter(|number| *number > 0).ok_or(WireError::NoTemplate)?;
        envelope.more &= codes == 0;
        // Parts with data and ends may name a key as well: the notice of a cut is neither.
        envelope.resume = envelope.resume.filter(|_| codes == 0 && !envelope.more);
        Ok(envelope)
    }

    /// Returns how the request that it answers stands.
    pub fn verdict(&self) -> Verdict {
        match (self.code, self.text) {
            (None, _) if self.more || self.resume.is_some() => Verdict::More,
            (None | Some("0"), _) => Verdict::Done,
            (Some("7"), Some("no data")) => Verdict::Empty,
            _ => Verdict::Refused,
        }
    }
}
