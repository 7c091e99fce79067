//! The plot: each figure as a bar on a scale on which 1 is its goal, and a line from its worst to its
//! best round. Bars that end right of 1 reach the goal.

use crate::figure::Goal;
use crate::report::Line;
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

const WIDTH: u32 = 900;
/// The height of a bar and its margin, in pixels.
const ROW: u32 = 34;
/// What is better than this many times the goal is cut.
const LONGEST: f64 = 2.0;

/// A figure on the scale of its goal.
struct Bar<'a> {
    name: &'a str,
    median: f64,
    spread: (f64, f64),
}

/// Draws the figures that have a goal above 0 into a file.
pub fn draw(lines: &[Line], file: &Path) -> Result<()> {
    // The first bar is the lowest one.
    let bars: Vec<_> = lines.iter().rev().filter_map(bar).collect();
    let height = ROW * (u32::try_from(bars.len())? + 3);
    let area = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    draw_bars(&bars, &area).map_err(|error| anyhow!("the plot cannot be drawn: {error}"))
}

fn bar(line: &Line) -> Option<Bar<'_>> {
    let values = line.values.as_ref().ok()?;
    let scale = |value: f64| match line.figure.goal {
        Goal::AtLeast(goal) => Some(value / goal),
        // A figure that must be low is better the lower it is.
        Goal::AtMost(goal) if goal > 0.0 && value > 0.0 => Some(goal / value),
        Goal::AtMost(_) | Goal::None => None,
    };
    let (one, other) = (scale(values.spread().0)?, scale(values.spread().1)?);
    let spread = (one.min(other), one.max(other));
    Some(Bar { name: line.figure.name, median: scale(values.median())?, spread })
}

fn draw_bars(
    bars: &[Bar<'_>],
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption("measured, as a part of the goal", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(150)
        .build_cartesian_2d(0.0..LONGEST, (0..bars.len()).into_segmented())?;
    let label = |place: &SegmentValue<usize>| match place {
        SegmentValue::CenterOf(index) => bars.get(*index).map_or("", |bar| bar.name).to_owned(),
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(bars.len() + 1)
        .y_label_formatter(&label)
        .draw()?;
    for (index, bar) in bars.iter().enumerate() {
        let color = if bar.median >= 1.0 { RGBColor(70, 140, 90) } else { RGBColor(200, 110, 60) };
        let (bottom, top) = (SegmentValue::Exact(index), SegmentValue::Exact(index + 1));
        let mut rectangle = Rectangle::new(
            [(0.0, bottom), (bar.median.min(LONGEST), top)],
            color.mix(0.6).filled(),
        );
        rectangle.set_margin(6, 6, 0, 0);
        let center = SegmentValue::CenterOf(index);
        let (low, high) = (bar.spread.0.min(LONGEST), bar.spread.1.min(LONGEST));
        let line = PathElement::new([(low, center.clone()), (high, center)], BLACK.stroke_width(2));
        chart.draw_series([rectangle])?;
        chart.draw_series([line])?;
    }
    let (bottom, top) = (SegmentValue::Exact(0), SegmentValue::Exact(bars.len()));
    chart.draw_series([PathElement::new([(1.0, bottom), (1.0, top)], BLACK)])?;
    area.present()?;
    Ok(())
}
