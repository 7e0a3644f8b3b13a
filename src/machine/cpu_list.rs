//! Lists of CPUs as the kernel writes them: `0-3,8,10-11`.

/// Reads the CPUs of `text`, ascending; none if it is empty or not such a list.
pub(super) fn parse(text: &str) -> Vec<usize> {
    /// More CPUs than Linux can be built for: a longer range is not a list of CPUs.
    const MOST: usize = 1 << 16;
    let range = |part: &str| -> Option<std::ops::RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (last < MOST).then_some(first..=last)
    };
    let Some(ranges) = text.trim().split(',').map(range).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let mut cpus: Vec<usize> = ranges.into_iter().flatten().collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

/// Writes `cpus`, ascending, as the kernel would write them.
pub(super) fn write(cpus: &[usize]) -> String {
    cpus.chunk_by(|before, after| before + 1 == *after)
        .map(|run| match run {
            [first, .., last] => format!("{first}-{last}"),
            [only] => only.to_string(),
            [] => String::new(),
        })
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::{parse, write};

    #[test]
    fn reads_and_writes_what_the_kernel_writes() {
        for (text, cpus) in [
            ("0-3,8,10-11", vec![0, 1, 2, 3, 8, 10, 11]),
            ("5", vec![5]),
            ("0-1", vec![0, 1]),
            ("1,3,5", vec![1, 3, 5]),
        ] {
            assert_eq!(parse(&format!("{text}\n")), cpus);
            assert_eq!(write(&cpus), text);
        }
    }

    #[test]
    fn reads_nothing_from_what_is_no_list() {
        for text in ["", "\n", "(null)", "1-", "3;4", "0-99999999999"] {
            assert_eq!(parse(text), Vec::<usize>::new(), "{text:?}");
        }
    }
}
