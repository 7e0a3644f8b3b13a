//! The parts that all charts share.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use plotly::common::{Font, Orientation, Title};
use plotly::configuration::ModeBarButtonName;
use plotly::layout::{Axis, Layout, Legend, Margin};
use plotly::{Configuration, Plot};

/// Of axes.
pub(crate) const GREY: &str = "#8794a1";
const GRID: &str = "#e8ecf0";

/// Returns milliseconds since 1970 as if a clock that shows this time were UTC's: the charts know
/// no other zone.
pub(crate) fn clock(shown: DateTime) -> i64 {
    let utc = TimeZone::UTC.to_timestamp(shown);
    utc.expect("every market time lies in the calendar's range").as_millisecond()
}

pub(crate) fn axis(title: &str) -> Axis {
    Axis::new()
        .title(Title::with_text(title))
        .grid_color(GRID)
        .line_color(GREY)
        .zero_line_color("#b9c2cb")
        .auto_margin(true)
}

pub(crate) fn layout() -> Layout {
    Layout::new()
        .auto_size(true)
        .margin(Margin::new().left(72).right(16).top(28).bottom(40))
        .font(Font::new().size(12).color("#1c2733").family("system-ui, Segoe UI, Roboto, Arial"))
        .paper_background_color("#ffffff")
        .plot_background_color("#ffffff")
        .legend(Legend::new().orientation(Orientation::Horizontal).x(0.0).y(-0.09))
}

/// Returns the chart as part of the page; `name` becomes the id of its element.
pub(crate) fn draw(name: &str, class: &str, height: u32, plot: &mut Plot) -> String {
    plot.set_configuration(
        Configuration::new().responsive(true).display_logo(false).mode_bar_buttons_to_remove(vec![
            ModeBarButtonName::Select2d,
            ModeBarButtonName::Lasso2d,
        ]),
    );
    format!(
        "<div class=\"chart {class}\" style=\"height:{height}px\">{}</div>",
        plot.to_inline_html(Some(&format!("chart-{name}")))
    )
}
