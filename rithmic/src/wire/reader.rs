//! Reads the fields of a protobuf message in place, exactly as strictly as prost does.

use super::WireError;

/// Groups in groups that are followed: prost's limit.
const DEEPEST: u32 = 100;

/// The form in which a field's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Varint,
    Fixed64,
    Bytes,
    GroupBegin,
    GroupEnd,
    Fixed32,
}

/// A cursor over the fields of a message.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Reader<'a> {
        Reader { rest: message }
    }

    /// Returns number and kind of the next field; `None` at the end.
    #[inline]
    pub(super) fn field(&mut self) -> Result<Option<(u32, Kind)>, WireError> {
        if self.rest.is_empty() { Ok(None) } else { self.key().map(Some) }
    }

    #[inline]
    fn key(&mut self) -> Result<(u32, Kind), WireError> {
        let key = u32::try_from(self.varint()?).map_err(|_| WireError::Key)?;
        let kind = match key & 7 {
            0 => Kind::Varint,
            1 => Kind::Fixed64,
            2 => Kind::Bytes,
            3 => Kind::GroupBegin,
            4 => Kind::GroupEnd,
            5 => Kind::Fixed32,
            _ => return Err(WireError::Key),
        };
        if key >> 3 == 0 { Err(WireError::Key) } else { Ok((key >> 3, kind)) }
    }

    /// Reads an integer of up to ten bytes.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for place in 0..10 {
            let Some((&byte, rest)) = self.rest.split_first() else {
                return Err(WireError::Varint);
            };
            self.rest = rest;
            // The tenth byte has room for one bit.
            if place == 9 && byte > 1 {
                return Err(WireError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Varint)
    }

    /// Reads eight bytes.
    #[inline]
    pub(super) fn fixed64(&mut self) -> Result<u64, WireError> {
        let (bytes, rest) = self.rest.split_first_chunk::<8>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    /// Reads bytes behind their length.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.varint()?;
        self.take(length)
    }

    /// Reads a text behind its length.
    #[inline]
    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::Text)
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Passes over a field of that number and kind.
    #[inline]
    pub(super) fn skip(&mut self, number: u32, kind: Kind) -> Result<(), WireError> {
        match kind {
            Kind::Varint => self.varint().map(drop),
            Kind::Fixed64 => self.take(8).map(drop),
            Kind::Fixed32 => self.take(4).map(drop),
            Kind::Bytes => self.bytes().map(drop),
            Kind::GroupBegin => self.skip_group(number),
            Kind::GroupEnd => Err(WireError::Group),
        }
    }

    /// Passes over a group that has begun, with all groups in it: without recursion, and without a
    /// list of what is open beyond the deepest level.
    #[cold]
    fn skip_group(&mut self, number: u32) -> Result<(), WireError> {
        let mut open = [0; DEEPEST as usize];
        open[0] = number;
        let mut depth = 1;
        while depth > 0 {
            let (number, kind) = self.key()?;
            match kind {
                Kind::GroupEnd if open[depth - 1] == number => depth -= 1,
                Kind::GroupEnd => return Err(WireError::Group),
                // A field at this depth is one level further in.
                _ if depth == open.len() => return Err(WireError::Depth),
                Kind::GroupBegin => {
                    open[depth] = number;
                    depth += 1;
                }
                _ => self.skip(number, kind)?,
            }
        }
        Ok(())
    }
}
