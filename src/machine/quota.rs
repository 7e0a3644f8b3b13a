//! The processor time that the control groups leave to this process.
//!
//! A group may be limited itself or by any group above it, in the first version of control groups
//! (`cpu.cfs_quota_us`) or the second (`cpu.max`):
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>. A process that has used up its share of a
//! period (100 ms by default) is stopped until the next one.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the least quota of this process's groups, in cores; `None` if nothing limits it.
pub(super) fn read(root: &Path) -> Option<f64> {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let (groups, mounts) = (text("proc/self/cgroup"), text("proc/self/mountinfo"));
    let limits = mounts.lines().filter_map(Mount::parse).flat_map(|mount| {
        let quota_of = if mount.unified { unified_quota } else { first_version_quota };
        mount
            .folders(&groups)
            .into_iter()
            .filter_map(move |folder| quota_of(&root.join(folder.strip_prefix("/").ok()?)))
    });
    limits.reduce(f64::min)
}

/// The mount point of a hierarchy of control groups that can limit processor time.
struct Mount {
    /// The group that the mount point shows: inside a container, often not the topmost.
    shown: PathBuf,
    point: PathBuf,
    /// `true` if it is the second version's only hierarchy.
    unified: bool,
}

impl Mount {
    /// Reads a line of `/proc/self/mountinfo`:
    /// `29 23 0:26 /shown /point options … - type source options-of-the-hierarchy`.
    fn parse(line: &str) -> Option<Mount> {
        let (mount, hierarchy) = line.split_once(" - ")?;
        let mut hierarchy = hierarchy.split(' ');
        let kind = hierarchy.next()?;
        let limits_time = hierarchy.nth(1)?.split(',').any(|option| option == "cpu");
        let unified = kind == "cgroup2";
        let relevant = unified || (kind == "cgroup" && limits_time);
        if !relevant {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        Some(Mount { shown: fields.next()?.into(), point: fields.next()?.into(), unified })
    }

    /// Returns the folder of our group and those of the groups above it, as far as they are shown.
    fn folders(&self, groups: &str) -> Vec<PathBuf> {
        // Lines of `/proc/self/cgroup`: `number:controllers:/group`, and `0::/group` for the second
        // version.
        let ours = groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (number, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
            let found = match self.unified {
                true => number == "0" && controllers.is_empty(),
                false => controllers.split(',').any(|controller| controller == "cpu"),
            };
            found.then(|| Path::new(group))
        });
        let Some(ours) = ours else { return Vec::new() };
        // A group that lies outside of what is shown cannot be read; what is shown limits it all
        // the same.
        let below = ours.strip_prefix(&self.shown).unwrap_or(Path::new(""));
        let folder = self.point.join(below);
        folder
            .ancestors()
            .take_while(|folder| folder.starts_with(&self.point))
            .map(Path::to_owned)
            .collect()
    }
}

/// Reads `cpu.max`: microseconds, or `max`, in a period of microseconds.
fn unified_quota(folder: &Path) -> Option<f64> {
    let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    cores(quota, period)
}

/// Reads `cpu.cfs_quota_us`, −1 for none, in a period of `cpu.cfs_period_us`.
fn first_version_quota(folder: &Path) -> Option<f64> {
    let text = |name| fs::read_to_string(folder.join(name)).ok();
    cores(&text("cpu.cfs_quota_us")?, &text("cpu.cfs_period_us")?)
}

fn cores(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (i64, i64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::read;

    const UNIFIED: &str =
        "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    fn quota(files: &[(&str, &str)]) -> Option<f64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        read(root.path())
    }

    #[test]
    fn takes_the_least_of_our_group_and_those_above() {
        let tree = |own, above| {
            quota(&[
                ("proc/self/mountinfo", UNIFIED),
                ("proc/self/cgroup", "0::/trading.slice/engine.service\n"),
                ("sys/fs/cgroup/trading.slice/engine.service/cpu.max", own),
                ("sys/fs/cgroup/trading.slice/cpu.max", above),
                // A group beside ours.
                ("sys/fs/cgroup/other.slice/cpu.max", "1000 100000\n"),
            ])
        };
        assert_eq!(tree("max 100000\n", "max 100000\n"), None);
        assert_eq!(tree("250000 100000\n", "max 100000\n"), Some(2.5));
        assert_eq!(tree("250000 100000\n", "150000 100000\n"), Some(1.5));
    }

    #[test]
    fn reads_the_first_version_where_a_container_shows_its_own_group() {
        let tree = |quota_text| {
            quota(&[
                (
                    "proc/self/mountinfo",
                    "31 23 0:27 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                     32 23 0:28 /docker/ab /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n",
                ),
                ("proc/self/cgroup", "5:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n"),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", quota_text),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ])
        };
        assert_eq!(tree("50000\n"), Some(0.5));
        assert_eq!(tree("-1\n"), None);
    }

    #[test]
    fn knows_of_no_quota_where_nothing_is_mounted() {
        assert_eq!(quota(&[]), None);
        assert_eq!(
            quota(&[("proc/self/cgroup", "0::/\n"), ("proc/self/mountinfo", "nonsense\n")]),
            None
        );
    }
}
