//! stub
use std::path::Path;
/// stub
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct JournalError;
/// stub
pub struct Writer;
impl Writer {
    /// stub
    pub fn create(_: &Path, _: &[u8]) -> Result<Writer, JournalError> {
        Ok(Writer)
    }
    /// stub
    pub fn append(&mut self, _: u8, _: u64, _: &[u8]) -> Result<(), JournalError> {
        Ok(())
    }
    /// stub
    pub fn finish(self) -> Result<u64, JournalError> {
        Ok(0)
    }
}
/// stub
pub struct Record<'a> {
    /// a
    pub kind: u8,
    /// a
    pub sequence: u64,
    /// a
    pub payload: &'a [u8],
}
/// stub
pub struct Journal;
impl Journal {
    /// stub
    pub fn header(&self) -> &[u8] {
        &[]
    }
}
