//! stub
use super::event::Event;
use super::output::Action;
/// stub
pub struct RunJournal;
impl RunJournal {
    /// stub
    pub fn event(&mut self, _n: u64, _e: &Event) -> Result<(), std::io::Error> {
        Ok(())
    }
    /// stub
    pub fn action(&mut self, _n: u64, _a: &Action) -> Result<(), std::io::Error> {
        Ok(())
    }
    /// stub
    pub fn finish(self) -> Result<(), std::io::Error> {
        Ok(())
    }
}
