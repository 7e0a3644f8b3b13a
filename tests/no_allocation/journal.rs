//! The allocations of an append to the journal.

use algospace_hft::journal::Writer;

use crate::counting_allocator::allocations;

#[test]
fn an_append_allocates_nothing_between_windows() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&folder.path().join("run.journal"), b"").unwrap();
    let before = allocations();
    for number in 0_u64..1_600_000 {
        let payload: [u8; 32] =
            std::array::from_fn(|place| (number as u8).wrapping_add(place as u8));
        writer.append(1, number, &payload).unwrap();
    }
    // 77 MB are three windows; not even taking a new one allocates.
    assert_eq!(allocations() - before, 0);
    drop(std::hint::black_box(vec![1_u8]));
    assert_eq!(allocations() - before, 1, "the counter does not count");
}
