//! The programs of `examples/` run, and do what they show.

#[path = "../../examples/features_of_a_day.rs"]
#[expect(dead_code, reason = "its `main` is the program's")]
mod features_of_a_day;

#[test]
fn a_day_has_a_row_for_each_half_hour() {
    // 17:00 to 16:00 of the next day, without a halt.
    assert_eq!(features_of_a_day::run().unwrap(), 46);
}
