//! How cost grows, as a picture without scripts: one line per series over the number of tasks.

use std::{collections::BTreeMap, fmt::Write};

use crate::{report::short, stats::most};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
const TICKS: u8 = 5;
/// Told apart by those who see no red or no green.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// The picture. Points are series, number of tasks and value; the unit is part of the series' name.
pub fn svg(points: &[(String, f64, f64)]) -> String {
    let mut series: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for (name, tasks, value) in points {
        series.entry(name).or_default().push((*tasks, *value));
    }
    let largest = |what: fn(&(String, f64, f64)) -> f64| {
        let values: Vec<f64> = points.iter().map(what).collect();
        round_up(most(&values))
    };
    let (most_tasks, most_value) = (largest(|point| point.1), largest(|point| point.2));
    let x = |tasks: f64| LEFT + tasks / most_tasks * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / most_value * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>How cost grows with the number of tasks</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    for tick in 0..=TICKS {
        let part = f64::from(tick) / f64::from(TICKS);
        let (tasks, value) = (part * most_tasks, part * most_value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{0:.1}\" x2=\"{1}\" y2=\"{0:.1}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\">{4}</text>\n\
             <text x=\"{5:.1}\" y=\"{6}\" text-anchor=\"middle\">{7}</text>",
            y(value),
            WIDTH - RIGHT,
            LEFT - 8.0,
            y(value) + 4.0,
            short(value),
            x(tasks),
            HEIGHT - BOTTOM + 20.0,
            short(tasks),
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">BackupTasks</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 15.0
    );
    let mut legend = LEFT;
    for ((name, mut points), colour) in series.into_iter().zip(COLOURS) {
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let path: Vec<String> = points
            .iter()
            .map(|(tasks, value)| format!("{:.1},{:.1}", x(*tasks), y(*value)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for (tasks, value) in &points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"><title>{name}: {} at {}</title></circle>",
                x(*tasks),
                y(*value),
                short(*value),
                short(*tasks),
            );
        }
        let _ = writeln!(
            svg,
            "<rect x=\"{legend}\" y=\"16\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"27\">{name}</text>",
            legend + 18.0
        );
        legend += 220.0;
    }
    svg + "</svg>\n"
}

/// The next 1, 2 or 5 with zeros that is no smaller.
fn round_up(value: f64) -> f64 {
    let decade = 10_f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * decade)
        .find(|candidate| *candidate >= value * 0.999)
        .unwrap_or(value)
}
