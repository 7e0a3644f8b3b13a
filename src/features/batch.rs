//! The same values from many bars at once, on many cores.

use std::num::NonZeroUsize;

/// Returns what `step` makes of items `0..count`, one after the other, starting from `fresh`: the
/// same bits as in one thread, computed in chunks on `threads`.
///
/// A chunk cannot know what the chunk before it leaves behind. So each begins `overlap` items early
/// with a fresh state, which by the time its own items come should be equal to the true one: an
/// indicator forgets. When all chunks are done, their beginnings are compared with the ends of the
/// chunks before, and a chunk whose beginning was wrong is computed again from the true state.
/// Equal must mean "gives the same for every later item"; then the result does not depend on
/// `overlap` or `threads`, only the time does.
pub fn in_chunks<S, T>(
    fresh: &S,
    count: usize,
    overlap: usize,
    threads: NonZeroUsize,
    step: impl Fn(&mut S, usize) -> T + Sync,
) -> Vec<T>
where
    S: Clone + PartialEq + Send + Sync,
    T: Send,
{
    let length = count.div_ceil(threads.get()).max(1);
    // With chunks no longer than what is computed twice, one thread is faster.
    if threads.get() == 1 || length <= overlap {
        let mut state = fresh.clone();
        return (0..count).map(|item| step(&mut state, item)).collect();
    }
    let step = &step;
    let chunks: Vec<Chunk<S, T>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..count)
            .step_by(length)
            .map(|first| {
                scope.spawn(move || {
                    let mut state = fresh.clone();
                    for item in first.saturating_sub(overlap)..first {
                        step(&mut state, item);
                    }
                    let begin = state.clone();
                    let last = (first + length).min(count);
                    let values = (first..last).map(|item| step(&mut state, item)).collect();
                    Chunk { first, begin, values, end: state }
                })
            })
            .collect();
        running.into_iter().map(|chunk| chunk.join().expect("a step does not panic")).collect()
    });
    let mut all = Vec::with_capacity(count);
    let mut truth = fresh.clone();
    for Chunk { first, begin, mut values, end } in chunks {
        if begin == truth {
            truth = end;
        } else {
            for (value, item) in values.iter_mut().zip(first..) {
                *value = step(&mut truth, item);
            }
        }
        all.append(&mut values);
    }
    all
}

struct Chunk<S, T> {
    first: usize,
    /// The state that it began with.
    begin: S,
    values: Vec<T>,
    end: S,
}
