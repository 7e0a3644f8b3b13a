//! The columns as a header line names them.

use super::layout::{Column, Layout, meanings, name, normalise};

/// Returns the layout of a file with this header; `layouts` say whether trades or bars are wanted,
/// and where a trade's columns stand if the header does not tell.
///
/// Columns go by name. Trades whose header has unknown names go by position, as many files name the
/// columns in words of their own, if there are as many as a layout has, unless a name contradicts
/// its position. Columns of unknown names are not read; `is_vendors` says that the header's order
/// is the vendor's, so that such columns may stand before those that are read.
pub(super) fn layout(
    fields: &[&[u8]],
    layouts: &[Layout],
    is_vendors: bool,
) -> Result<Layout, String> {
    let names: Vec<String> = fields.iter().map(|field| normalise(field)).collect();
    let shown = || {
        let shown: Vec<_> = fields.iter().map(|field| String::from_utf8_lossy(field)).collect();
        shown.join(",").chars().take(120).collect::<String>()
    };
    let known = meanings(&names);
    let columns = known.iter().map(|column| column.unwrap_or(Column::Unread)).collect();
    let named = Layout { columns, more: false };
    let alike = layouts.iter().find(|layout| layout.is_bar() == named.is_bar());
    let expected = alike.unwrap_or(&layouts[0]);
    let problem = named.problem().or_else(|| match (expected.is_bar(), named.is_bar()) {
        (true, false) => Some(format!("no column `{}`", name(Column::Open))),
        (false, true) => Some(format!("no column `{}`", name(Column::Price))),
        _ => None,
    });
    if expected.is_bar() || is_vendors {
        return match problem {
            Some(problem) => Err(format!("{problem} in the header `{}`", shown())),
            None => Ok(named),
        };
    }
    // Where every name is known, none but the one that is meant can be meant.
    let all_known = || known.iter().all(Option::is_some);
    let in_front = || {
        use Column::{Clock, Date, Down, Price, Time, Up, Volume};
        let must =
            |column: &Column| matches!(column, Time | Date | Clock | Price | Volume | Up | Down);
        let last = named.columns.iter().rposition(must).expect("there is no problem");
        known[..last].iter().all(Option::is_some)
            && matches!(named.columns[0], Column::Time | Column::Date)
    };
    if problem.is_none() && (all_known() || in_front()) {
        return Ok(named);
    }
    let fits = |layout: &&Layout| {
        let has_time = known.contains(&Some(Column::Time));
        !layout.is_bar()
            && layout.fits(names.len())
            && !(has_time && layout.columns.contains(&Column::Date))
    };
    let fitting = layouts.iter().find(fits);
    let expected = fitting.unwrap_or(expected);
    for (index, &wanted) in expected.columns.iter().enumerate() {
        let here = known.get(index).copied().flatten();
        let is_elsewhere = wanted != Column::Unread && known.contains(&Some(wanted));
        let is_id = names.get(index).is_some_and(|name| name.ends_with("id"));
        if here == Some(wanted) || (here.is_none() && !is_elsewhere && !is_id) {
            continue;
        }
        return Err(format!(
            "column {} must be the {}, but the header `{}` names it `{}`; say what every column is with `--columns`, such as `--columns time,price,size,-`",
            index + 1,
            name(wanted),
            shown(),
            names.get(index).map_or("", String::as_str),
        ));
    }
    if let Some(problem) = problem.filter(|_| fitting.is_none() && all_known()) {
        return Err(format!("{problem} in the header `{}`", shown()));
    }
    if fitting.is_none() {
        return Err(format!(
            "{} columns, some of unknown names, in the header `{}`, and a row of this format has {}; say what every column is with `--columns`, such as `--columns time,price,size,-`",
            names.len(),
            shown(),
            expected.columns.len(),
        ));
    }
    let columns = known.iter().enumerate().map(|(index, column)| {
        expected.columns.get(index).copied().unwrap_or(match column {
            Some(
                column @ (Column::Bid
                | Column::Ask
                | Column::Side
                | Column::Contract
                | Column::InstrumentId),
            ) => *column,
            _ => Column::Unread,
        })
    });
    Ok(Layout { columns: columns.collect(), more: false })
}
