//! Reasons that bytes are not a message.

/// The defect of bytes that came from the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A frame, or a field of it, ends before its own length.
    #[error("the frame ends before the length that it states")]
    Truncated,
    /// The length of a message is beyond [`LONGEST`](super::LONGEST).
    #[error("the frame states a length out of range")]
    Giant,
    /// A number of variable length of more than 64 bits.
    #[error("invalid variable-length integer")]
    Varint,
    /// A field's number or kind is out of range.
    #[error("invalid field key")]
    Key,
    /// A known field is of another kind than it should be.
    #[error("a field of an unexpected wire type")]
    WireType,
    /// A group that does not end, or an end of another group.
    #[error("invalid group")]
    Group,
    /// Groups in groups beyond what any message has.
    #[error("groups are nested too deeply")]
    Depth,
    /// A text is not UTF-8.
    #[error("text that is not UTF-8")]
    Text,
    /// A symbol or an exchange longer than [`Name::LONGEST`](super::Name::LONGEST).
    #[error("a symbol or exchange that is too long")]
    NameTooLong,
    /// The message does not say which it is.
    #[error("no template number")]
    NoTemplate,
}
