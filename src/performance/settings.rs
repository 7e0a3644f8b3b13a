//! Settings of statistics and results.

use std::path::PathBuf;

use crate::settings::settings;

settings! {
    /// `performance`
    #[derive(Copy)]
    pub struct PerformanceSettings {
        /// Probability that a confidence interval covers.
        pub confidence_level: f64 = 0.95, 0.5..=0.999;
    }
}

settings! {
    /// `output`
    #[derive(Eq)]
    pub struct OutputSettings {
        /// Folder of the run's results, relative to the current directory: new, empty, or of an
        /// earlier run, which is replaced.
        pub directory: PathBuf = PathBuf::from("runs/latest"), "not empty";
    }
}
