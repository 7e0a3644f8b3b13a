//! The frame: a message behind its length, in a binary WebSocket message.

use super::{Template, WireError};

/// The longest message that is believed, in bytes. The longest that a gateway is known to send is a
/// part of a history answer, some kilobytes.
pub const LONGEST: usize = 1 << 20;

/// Returns the protobuf messages of a binary WebSocket message, each behind four bytes of length.
/// There is one in all frames that were ever seen. An error ends them.
pub fn messages(frame: &[u8]) -> Messages<'_> {
    Messages { rest: frame, is_first: true }
}

/// The messages of one frame.
#[derive(Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
    is_first: bool,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() && !std::mem::take(&mut self.is_first) {
            return None;
        }
        self.is_first = false;
        let next = split(self.rest);
        self.rest = next.map_or(&[], |(_, rest)| rest);
        Some(next.map(|(message, _)| message))
    }
}

/// Returns the first message and what comes behind it.
fn split(frame: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let (length, rest) = frame.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > LONGEST {
        return Err(WireError::Giant);
    }
    rest.split_at_checked(length).ok_or(WireError::Truncated)
}

/// Returns the frame of a message with its template number, and with the number that its answer
/// will carry (field `user_msg`) unless that is `None`.
pub fn encode<M: Template>(message: &M, request: Option<u32>) -> Vec<u8> {
    encode_body(&body(message), request)
}

/// Writes the frame of a message into an empty buffer, with its template number, which the message
/// keeps. It makes room once, so that no copy is left elsewhere: for messages with a secret.
pub(crate) fn encode_in_place<M: Template>(message: &mut M, frame: &mut Vec<u8>) {
    *message.template() = M::TEMPLATE;
    let length = message.encoded_len();
    frame.reserve_exact(4 + length);
    frame.extend((length as u32).to_be_bytes());
    message.encode(frame).expect("a vector has room");
}

/// Returns a message as protobuf with its template number, without a frame.
pub fn body<M: Template>(message: &M) -> Vec<u8> {
    let mut message = message.clone();
    *message.template() = M::TEMPLATE;
    message.encode_to_vec()
}

/// Returns the frame of a message that [`body`] made.
pub fn encode_body(body: &[u8], request: Option<u32>) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + body.len() + 16);
    frame.extend([0; 4]);
    frame.extend(body);
    if let Some(request) = request {
        varint(&mut frame, u64::from(super::REQUEST_FIELD) << 3 | 2);
        let text = request.to_string();
        varint(&mut frame, text.len() as u64);
        frame.extend(text.as_bytes());
    }
    let length = frame.len() as u32 - 4;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}
