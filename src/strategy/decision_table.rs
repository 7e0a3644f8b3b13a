//! Decisions as a table: one row a question, every field.

use std::path::Path;

use super::decision_record::{
    AGENTS, CLASSES, DecisionRecord, MOST_REGIME, Opportunity, RiskProposal,
};
use crate::execution::Target;
use crate::table::{Cell, Column, ColumnKind, TableError, TableWriter};

/// A table of decisions that is being written; `docs/decisions.md` tells what its columns mean.
#[derive(Debug)]
pub struct DecisionTable {
    table: TableWriter,
}

/// Name and kind of every column, in order.
fn columns() -> Vec<Column> {
    use ColumnKind::{Instant, Integer, Real, Text};
    let mut columns = vec![
        ("question".to_owned(), Integer),
        ("bar_end_utc".to_owned(), Instant),
        ("position".to_owned(), Integer),
        ("decided".to_owned(), Text),
        ("reasons".to_owned(), Text),
        ("direction".to_owned(), Text),
    ];
    let reals = ["confidence", "aleatoric", "epistemic", "agreement"];
    columns.extend(reals.map(|name| (name.to_owned(), Real)));
    columns.extend(CLASSES.map(|class| (format!("p_{class}"), Real)));
    for agent in AGENTS {
        columns.extend(CLASSES.map(|class| (format!("{agent}_p_{class}"), Real)));
        columns.extend(CLASSES.map(|class| (format!("{agent}_votes_{class}"), Integer)));
    }
    columns.extend((1..=MOST_REGIME).map(|number| (format!("regime_{number}"), Real)));
    columns.extend(["size", "stop_ranges", "reward"].map(|name| (name.to_owned(), Real)));
    let whole = ["contracts", "stop_ticks", "target_ticks", "stop_at_node"];
    columns.extend(whole.map(|name| (name.to_owned(), Integer)));
    let reals = ["risk_dollars", "risk_share", "p_execute"];
    columns.extend(reals.map(|name| (name.to_owned(), Real)));
    columns.into_iter().map(|(name, kind)| Column::new(name, kind)).collect()
}

impl DecisionTable {
    /// The names of its columns, in order.
    pub fn column_names() -> Vec<String> {
        columns().into_iter().map(|column| column.name).collect()
    }

    /// Begins a table at `path`, a `.csv` or `.parquet`; `facts` is what a Parquet file tells of
    /// itself.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn begin(path: &Path, facts: &[(String, String)]) -> Result<DecisionTable, TableError> {
        Ok(DecisionTable { table: TableWriter::begin(path, columns(), facts)? })
    }

    /// Appends a decision.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, record: &DecisionRecord) -> Result<(), TableError> {
        let reasons = record.reasons.iter().map(|reason| reason.name()).collect::<Vec<_>>();
        let reasons = reasons.join(";");
        let real = |number: f32| Cell::Real(number.into());
        let vote = record.opportunity.as_ref();
        let of_vote =
            |read: fn(&Opportunity) -> f32| vote.map_or(Cell::Empty, |vote| real(read(vote)));
        let direction = match vote.map(|vote| vote.direction) {
            Some(Target::Long) => "long",
            Some(_) => "short",
            None => "",
        };
        let mut cells = vec![
            Cell::Integer(record.question as i64),
            Cell::Instant(record.bar_end),
            Cell::Integer(record.position),
            Cell::Text(if record.is_executed() { direction } else { "none" }),
            if reasons.is_empty() { Cell::Empty } else { Cell::Text(&reasons) },
            if direction.is_empty() { Cell::Empty } else { Cell::Text(direction) },
            of_vote(|vote| vote.confidence),
            of_vote(|vote| vote.aleatoric),
            of_vote(|vote| vote.epistemic),
            of_vote(|vote| vote.agreement),
        ];
        let classes = 0..CLASSES.len();
        cells.extend(
            classes.clone().map(|class| vote.map_or(Cell::Empty, |v| real(v.probabilities[class]))),
        );
        for agent in 0..AGENTS.len() {
            let p = |class: usize| vote.map_or(Cell::Empty, |v| real(v.agents[agent][class]));
            cells.extend(classes.clone().map(p));
            let votes = |class: usize| {
                vote.map_or(Cell::Empty, |v| Cell::Integer(v.votes[agent][class].into()))
            };
            cells.extend(classes.clone().map(votes));
        }
        let width = usize::from(record.regime_width);
        cells.extend((0..MOST_REGIME).map(|at| match at < width {
            true => real(record.regime[at]),
            false => Cell::Empty,
        }));
        let proposal = record.proposal.as_ref();
        let of = |read: fn(&RiskProposal) -> Cell<'static>| proposal.map_or(Cell::Empty, read);
        cells.extend([
            of(|proposal| Cell::Real(proposal.size.into())),
            of(|proposal| Cell::Real(proposal.stop.into())),
            of(|proposal| Cell::Real(proposal.reward.into())),
            of(|proposal| Cell::Integer(proposal.contracts.into())),
            of(|proposal| Cell::Integer(proposal.stop_ticks.into())),
            of(|proposal| Cell::Integer(proposal.target_ticks.into())),
            of(|proposal| Cell::Integer(proposal.stop_at_node.into())),
            of(|proposal| Cell::Real(proposal.risk.as_f64())),
            of(|proposal| Cell::Real(proposal.risk_share.into())),
            record.execute.map_or(Cell::Empty, real),
        ]);
        self.table.write_row(cells)
    }

    /// Ends the table; returns how many decisions it holds.
    ///
    /// # Errors
    /// If it cannot be written out.
    pub fn finish(self) -> Result<u64, TableError> {
        self.table.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::{Reason, Reasons};

    #[test]
    fn every_decision_is_a_row_with_every_field() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.csv");
        let mut table = DecisionTable::begin(&path, &[]).unwrap();
        let mut refused = DecisionRecord { question: 1, ..DecisionRecord::EMPTY };
        refused.reasons.add(Reason::NotReady);
        refused.reasons.add(Reason::Fault);
        table.write(&refused).unwrap();
        let vote = Opportunity {
            direction: Target::Short,
            probabilities: [0.5, 0.25, 0.25],
            agents: [[0.5, 0.25, 0.25]; 3],
            votes: [[2, 1, 0]; 3],
            confidence: 0.5,
            aleatoric: 1.0,
            epistemic: 0.125,
            agreement: 0.75,
        };
        let proposal = RiskProposal {
            size: 0.5,
            stop: 1.5,
            reward: 2.0,
            contracts: 3,
            stop_ticks: 10,
            target_ticks: 20,
            risk: crate::market::Money::from_dollars(375),
            risk_share: 0.00390625,
            stop_at_node: true,
        };
        let mut executed = DecisionRecord {
            question: 2,
            regime_width: 2,
            opportunity: Some(vote),
            proposal: Some(proposal),
            execute: Some(0.625),
            reasons: Reasons::NONE,
            ..DecisionRecord::EMPTY
        };
        executed.regime[..2].copy_from_slice(&[-1.5, 2.5]);
        table.write(&executed).unwrap();
        assert_eq!(table.finish().unwrap(), 2);

        let text = std::fs::read_to_string(path).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        let cell = |row: usize, name: &str| {
            rows[row][rows[0].iter().position(|column| *column == name).expect(name)]
        };
        assert!(rows.iter().all(|row| row.len() == rows[0].len()));
        assert_eq!((cell(1, "decided"), cell(1, "reasons")), ("none", "not_ready;fault"));
        assert!(rows[1][5..].iter().all(|cell| cell.is_empty()));
        for (name, expected) in [
            ("question", "2"),
            ("decided", "short"),
            ("reasons", ""),
            ("epistemic", "0.125"),
            ("regime_p_stand_aside", "0.25"),
            ("structure_votes_short", "2"),
            ("regime_2", "2.5"),
            ("regime_3", ""),
            ("stop_at_node", "1"),
            ("risk_dollars", "375"),
            ("p_execute", "0.625"),
        ] {
            assert_eq!(cell(2, name), expected, "{name}");
        }
    }
}
