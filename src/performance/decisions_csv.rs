//! `decisions.csv`: one line a question to the agents, as [`DecisionTable`] writes it.

use std::io;
use std::path::Path;

use super::RunDirectoryError;
use super::csv_row::{CsvRow, read_table};
use crate::execution::Target;
use crate::market::Money;
use crate::strategy::{
    AGENTS, CLASSES, DecisionRecord, DecisionTable, MOST_REGIME, Opportunity, Reason, Reasons,
    RiskProposal,
};
use crate::table::TableError;

/// Writes the decisions to the file at `path`.
pub(super) fn write_decisions(
    path: &Path,
    decisions: &[DecisionRecord],
) -> Result<(), RunDirectoryError> {
    let write = || -> Result<(), TableError> {
        let mut table = DecisionTable::begin(path, &[])?;
        decisions.iter().try_for_each(|record| table.write(record))?;
        table.finish().map(|_| ())
    };
    write().map_err(|error| RunDirectoryError::Io {
        path: path.to_owned(),
        action: "write",
        source: match error {
            TableError::Write { source, .. } => source,
            TableError::Ending { .. } => io::Error::other(error),
        },
    })
}

/// Reads what [`write_decisions`] wrote.
///
/// # Errors
/// Naming the line and the column that cannot be read.
pub(super) fn read_decisions(
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<DecisionRecord>, RunDirectoryError> {
    let columns = DecisionTable::column_names();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    read_table(path, bytes, &columns, |row| {
        let mut record = DecisionRecord {
            question: row.parse("question")?,
            bar_end: row.parse("bar_end_utc")?,
            position: row.parse("position")?,
            opportunity: filled(row, "direction").then(|| opportunity(row)).transpose()?,
            proposal: filled(row, "contracts").then(|| proposal(row)).transpose()?,
            execute: filled(row, "p_execute").then(|| real(row, "p_execute")).transpose()?,
            reasons: row.value("reasons", reasons)?,
            ..DecisionRecord::EMPTY
        };
        let regime = (1..=MOST_REGIME).map(|number| format!("regime_{number}"));
        for (number, column) in record.regime.iter_mut().zip(regime) {
            if filled(row, &column) {
                *number = real(row, &column)?;
                record.regime_width += 1;
            }
        }
        Ok(record)
    })
}

fn filled(row: &CsvRow, column: &str) -> bool {
    !row.text(column).is_empty()
}

/// Reads a number that is not NaN.
fn real(row: &CsvRow, column: &str) -> Result<f32, RunDirectoryError> {
    row.value(column, |text| match text.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err("it must be finite".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

fn opportunity(row: &CsvRow) -> Result<Opportunity, RunDirectoryError> {
    let direction = row.value("direction", |text| match text {
        "long" => Ok(Target::Long),
        "short" => Ok(Target::Short),
        _ => Err("it must be long or short"),
    })?;
    let mut vote = Opportunity {
        direction,
        probabilities: [0.0; 3],
        agents: [[0.0; 3]; 3],
        votes: [[0; 3]; 3],
        confidence: real(row, "confidence")?,
        aleatoric: real(row, "aleatoric")?,
        epistemic: real(row, "epistemic")?,
        agreement: real(row, "agreement")?,
    };
    for (place, class) in CLASSES.into_iter().enumerate() {
        vote.probabilities[place] = real(row, &format!("p_{class}"))?;
        for (number, agent) in AGENTS.into_iter().enumerate() {
            vote.agents[number][place] = real(row, &format!("{agent}_p_{class}"))?;
            vote.votes[number][place] = row.parse(&format!("{agent}_votes_{class}"))?;
        }
    }
    Ok(vote)
}

fn proposal(row: &CsvRow) -> Result<RiskProposal, RunDirectoryError> {
    Ok(RiskProposal {
        size: real(row, "size")?,
        stop: real(row, "stop_ranges")?,
        reward: real(row, "reward")?,
        contracts: row.parse("contracts")?,
        stop_ticks: row.parse("stop_ticks")?,
        target_ticks: row.parse("target_ticks")?,
        risk: row.value("risk_dollars", |text| {
            let dollars = text.parse::<f64>().map_err(|error| error.to_string())?;
            Money::from_f64(dollars).ok_or_else(|| "it is no amount of money".to_owned())
        })?,
        risk_share: real(row, "risk_share")?,
        stop_at_node: row.parse::<u8>("stop_at_node")? != 0,
    })
}

/// Reads reasons by name, joined by `;`.
fn reasons(text: &str) -> Result<Reasons, String> {
    let mut reasons = Reasons::NONE;
    for name in text.split(';').filter(|name| !name.is_empty()) {
        let reason = Reason::ALL.into_iter().find(|reason| reason.name() == name);
        reasons.add(reason.ok_or_else(|| format!("there is no reason `{name}`"))?);
    }
    Ok(reasons)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::market::Timestamp;

    fn any_real() -> impl Strategy<Value = f32> {
        prop_oneof![-100.0f32..100.0, any::<f32>().prop_filter("finite", |n| n.is_finite())]
    }

    prop_compose! {
        fn any_vote()(
            long in any::<bool>(),
            probabilities in prop::array::uniform3(any_real()),
            agents in prop::array::uniform3(prop::array::uniform3(any_real())),
            votes in prop::array::uniform3(prop::array::uniform3(any::<u16>())),
            measures in prop::array::uniform4(any_real()),
        ) -> Opportunity {
            let direction = if long { Target::Long } else { Target::Short };
            let [confidence, aleatoric, epistemic, agreement] = measures;
            Opportunity { direction, probabilities, agents, votes, confidence, aleatoric, epistemic, agreement }
        }
    }

    prop_compose! {
        fn any_proposal()(
            reals in prop::array::uniform4(any_real()),
            whole in prop::array::uniform3(any::<u32>()),
            nanos in 0i64..1_000_000_000_000_000,
            stop_at_node in any::<bool>(),
        ) -> RiskProposal {
            let [size, stop, reward, risk_share] = reals;
            let [contracts, stop_ticks, target_ticks] = whole;
            let risk = Money::from_nanos(nanos);
            RiskProposal { size, stop, reward, contracts, stop_ticks, target_ticks, risk, risk_share, stop_at_node }
        }
    }

    prop_compose! {
        fn any_record()(
            question in 0..i64::MAX as u64,
            nanos in any::<i64>(),
            position in any::<i64>(),
            regime in prop::collection::vec(any_real(), 0..MOST_REGIME),
            opportunity in prop::option::of(any_vote()),
            proposal in prop::option::of(any_proposal()),
            execute in prop::option::of(any_real()),
            given in prop::collection::vec(prop::sample::select(Reason::ALL.to_vec()), 0..4),
        ) -> DecisionRecord {
            let mut record = DecisionRecord {
                question,
                bar_end: Timestamp::from_nanos(nanos),
                position,
                regime_width: regime.len() as u8,
                opportunity,
                proposal,
                execute,
                ..DecisionRecord::EMPTY
            };
            record.regime[..regime.len()].copy_from_slice(&regime);
            given.into_iter().for_each(|reason| record.reasons.add(reason));
            record
        }
    }

    proptest! {
        #[test]
        fn reads_back_exactly_what_was_written(records in prop::collection::vec(any_record(), 0..8)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("decisions.csv");
            write_decisions(&path, &records).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            prop_assert_eq!(read_decisions(&path, &bytes).unwrap(), records);
        }
    }
}
