//! Progress of long work: a bar on a terminal, a line every tenth otherwise.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use super::tell;

/// Progress of one piece of work after another, on standard error.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    task: &'static str,
    tenth: u64,
}

impl Progress {
    pub(super) fn new() -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{prefix:>12} {wide_bar} {percent:>3} % {eta}")
                    .expect("the template is valid");
            ProgressBar::new(0).with_style(style)
        });
        Progress { bar, task: "", tenth: 0 }
    }

    /// Shows that `done` of `total` of `task` are done.
    pub(super) fn show(&mut self, task: &'static str, done: u64, total: u64) {
        if self.task != task {
            (self.task, self.tenth) = (task, 0);
            if let Some(bar) = &self.bar {
                bar.reset();
                bar.set_prefix(task);
            }
        }
        match &self.bar {
            Some(bar) => {
                bar.set_length(total);
                bar.set_position(done);
            }
            None => {
                let tenth = done * 10 / total.max(1);
                if tenth > self.tenth && tenth <= 10 {
                    self.tenth = tenth;
                    tell(format!("{task}: {} %", tenth * 10));
                }
            }
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
