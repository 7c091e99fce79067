//! The rounds: each measures every contender of a group, one after the other, so that what disturbs
//! the machine for a while disturbs all of them alike.

use crate::Options;
use crate::contender::{Contender, Sample};
use crate::figure::{FIGURES, Figure, Group};
use crate::load::wrk;
use crate::report::{Line, Report};
use crate::world::{Workshop, World};
use anyhow::{Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

/// How long, and how often.
struct Plan {
    rounds: usize,
    seconds: u64,
}

/// What a contender did in each round, or why that is not known.
type Samples = Vec<(Contender, Result<Vec<Sample>, String>)>;

/// Measures and reports. Returns false if something could not be measured.
pub fn run(options: &Options) -> Result<bool> {
    let figures = select(options)?;
    ensure!(wrk::is_installed(), wrk::NOT_INSTALLED);
    let plan =
        if options.quick { Plan { rounds: 3, seconds: 1 } } else { Plan { rounds: 7, seconds: 3 } };
    let workshop = Workshop::new()?;
    let mut report = Report::default();
    for group in Group::ALL {
        let figures: Vec<_> = figures.iter().filter(|figure| figure.group == *group).collect();
        if figures.is_empty() {
            continue;
        }
        if let Err(reason) = group.prepare(&workshop) {
            report.skipped.extend(figures.iter().map(|figure| (figure.name, reason.clone())));
            continue;
        }
        let samples = measure(&workshop, &plan, &contenders(&figures))?;
        report.lines.extend(figures.into_iter().map(|figure| Line::new(figure, &samples)));
        report.samples.extend(samples);
    }
    report.print(&workshop.folder)?;
    Ok(report.is_complete())
}

fn select(options: &Options) -> Result<Vec<&'static Figure>> {
    for name in &options.only {
        if !FIGURES.iter().any(|figure| figure.name == name) {
            let names: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
            bail!("there is no figure `{name}`: use one of {}", names.join(", "));
        }
    }
    let is_selected = |figure: &&Figure| {
        let contenders = figure.measured.contenders();
        let is_slow = contenders.iter().any(|contender| contender.is_slow_to_prepare());
        let is_named = options.only.iter().any(|name| name == figure.name);
        is_named || options.only.is_empty() && !(options.quick && is_slow)
    };
    Ok(FIGURES.iter().filter(is_selected).collect())
}

/// Returns the contenders of these figures, each once.
fn contenders(figures: &[&&'static Figure]) -> Vec<Contender> {
    let mut contenders = Vec::new();
    for contender in figures.iter().flat_map(|figure| figure.measured.contenders()) {
        if !contenders.contains(&contender) {
            contenders.push(contender);
        }
    }
    contenders
}

fn measure(workshop: &Workshop, plan: &Plan, contenders: &[Contender]) -> Result<Samples> {
    let mut world = World::new(workshop)?;
    let mut samples: Samples =
        contenders.iter().map(|contender| (*contender, Ok(Vec::new()))).collect();
    // The first round starts the servers and fills their memory. Neither its samples nor its errors
    // count.
    let bar = bar((plan.rounds + 1) * contenders.len());
    for round in 0..=plan.rounds {
        for (contender, samples) in &mut samples {
            bar.set_message(format!("round {round} of {}: {contender}", plan.rounds));
            let seconds = if round == 0 { 1 } else { plan.seconds };
            if let Ok(before) = samples {
                match contender.measure(&mut world, seconds) {
                    _ if round == 0 => {}
                    Ok(sample) => before.push(sample),
                    Err(error) => *samples = Err(format!("{error:#}")),
                }
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(samples)
}

fn bar(length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
    ProgressBar::new(length as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
