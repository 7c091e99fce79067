//! The results: a table for the terminal and JSON with every round.

use crate::contender::{Contender, Metric, Sample};
use crate::figure::{Figure, Goal, Measured};
use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// What was measured.
#[derive(Default)]
pub struct Report {
    pub lines: Vec<Line>,
    pub samples: Vec<(Contender, Result<Vec<Sample>, String>)>,
    /// The figures that were left out because something is not installed.
    pub skipped: Vec<(&'static str, String)>,
}

/// A figure with its value in each round, or why it has none.
pub struct Line {
    pub figure: &'static Figure,
    pub values: Result<Values, String>,
    /// The CPU time per request of what the figure is about, in microseconds.
    cpu: Option<f64>,
}

/// The values of the rounds. There is at least one.
pub struct Values(Vec<f64>);

impl Values {
    fn new(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self(values))
    }

    /// Returns the value in the middle, or the mean of the two there.
    pub fn median(&self) -> f64 {
        let (low, high) = ((self.0.len() - 1) / 2, self.0.len() / 2);
        f64::midpoint(self.0[low], self.0[high])
    }

    /// Returns the lowest and the highest value.
    pub fn spread(&self) -> (f64, f64) {
        (self.0[0], self.0[self.0.len() - 1])
    }
}

impl Line {
    /// Computes a figure from the samples of its contenders.
    pub fn new(
        figure: &'static Figure,
        samples: &[(Contender, Result<Vec<Sample>, String>)],
    ) -> Self {
        let find = |contender: Contender| {
            let found = samples.iter().find(|(one, _)| *one == contender);
            let (_, samples) = found.ok_or_else(|| format!("{contender} was not measured"))?;
            samples.as_deref().map_err(Clone::clone)
        };
        let values = match figure.measured {
            Measured::Ratio(one, other) => find(one).and_then(|one| {
                let rounds = one.iter().zip(find(other)?);
                let ratio = |(one, other): (&Sample, &Sample)| {
                    Some(one.get(&Metric::PerSecond)? / other.get(&Metric::PerSecond)?)
                };
                Ok(rounds.filter_map(ratio).collect())
            }),
            Measured::Value(one, metric) => {
                let metric = |sample: &Sample| sample.get(&metric).copied();
                find(one).map(|one| one.iter().filter_map(metric).collect())
            }
        };
        let values = values
            .and_then(|values| Values::new(values).ok_or_else(|| "it has no value".to_owned()));
        let about = figure.measured.contenders()[0];
        let cpu = |sample: &Sample| sample.get(&Metric::CpuMicroseconds).copied();
        let cpu = find(about)
            .ok()
            .and_then(|samples| Values::new(samples.iter().filter_map(cpu).collect()));
        Self { figure, values, cpu: cpu.map(|cpu| cpu.median()) }
    }

    /// Returns whether the median reaches the goal.
    pub fn is_reached(&self) -> Option<bool> {
        let values = self.values.as_ref().ok()?;
        self.figure.goal.is_reached(values.median())
    }
}

impl Report {
    /// Returns whether every figure has a value.
    pub fn is_complete(&self) -> bool {
        self.lines.iter().all(|line| line.values.is_ok())
    }

    /// Prints the table, and writes the JSON and the plot into a folder.
    pub fn print(&self, folder: &Path) -> Result<()> {
        println!("{}", self.table());
        for line in &self.lines {
            if let Err(reason) = &line.values {
                println!("{} has no figure: {reason}", line.figure.name);
            }
        }
        for (name, reason) in &self.skipped {
            println!("{name} was left out: {reason}");
        }
        let file = folder.join("results.json");
        fs::write(&file, format!("{:#}\n", self.json()))
            .context("the results cannot be written")?;
        let plot = folder.join("results.svg");
        crate::plot::draw(&self.lines, &plot)?;
        println!("every round: {}\nplot: {}", file.display(), plot.display());
        Ok(())
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["name", "figure", "measured", "spread", "CPU", "goal", ""]);
        for line in &self.lines {
            let figure = line.figure;
            let (median, spread) = match &line.values {
                Ok(values) => {
                    let (low, high) = values.spread();
                    (number(values.median()), format!("{} to {}", number(low), number(high)))
                }
                Err(_) => ("-".to_owned(), String::new()),
            };
            let cpu = line.cpu.map_or_else(String::new, |cpu| format!("{cpu:.1} us"));
            let reached = match line.is_reached() {
                Some(true) => "reached",
                Some(false) => "missed",
                None if line.values.is_ok() => "",
                None => "no figure",
            };
            table.add_row([
                figure.name,
                figure.what,
                &median,
                &spread,
                &cpu,
                &goal(figure.goal),
                reached,
            ]);
        }
        table
    }

    fn json(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            let values = line.values.as_ref();
            json!({
                "name": line.figure.name,
                "figure": line.figure.what,
                "median": values.ok().map(Values::median),
                "spread": values.ok().map(Values::spread),
                "goal": goal(line.figure.goal),
                "reached": line.is_reached(),
                "reason": values.err(),
            })
        });
        let samples = self.samples.iter().map(|(contender, samples)| {
            json!({ "contender": contender.to_string(), "rounds": samples.as_ref().ok() })
        });
        json!({ "figures": lines.collect::<Vec<_>>(), "samples": samples.collect::<Vec<_>>() })
    }
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::AtLeast(value) => format!("at least {value}"),
        Goal::AtMost(value) => format!("at most {value}"),
        Goal::None => String::new(),
    }
}

fn number(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_rounds_is_the_mean_of_the_middle() {
        let values = |values: &[f64]| Values::new(values.to_vec()).unwrap();
        assert!((values(&[3.0, 1.0, 2.0]).median() - 2.0).abs() < f64::EPSILON);
        assert!((values(&[4.0, 1.0, 2.0, 3.0]).median() - 2.5).abs() < f64::EPSILON);
        assert_eq!(values(&[4.0, 1.0, 2.0]).spread(), (1.0, 4.0));
        assert!(Values::new(Vec::new()).is_none());
    }
}
