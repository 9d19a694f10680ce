//! The figures: what was measured for the operator and for the floor, beside what the limit is, as one table and one
//! JSON file. A verdict is reckoned here and nowhere else.

use std::{fmt::Write, fs};

use serde_json::{Value, json};

use crate::{
    markdown, plot,
    settings::Settings,
    stats::{least, median, most},
};

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// The operator's median may not be larger.
    AtMost(f64),
    /// The operator's largest value may not be larger.
    NeverAbove(f64),
    /// Every value must be this.
    Exactly(f64),
    /// The median of the pairs' ratios, operator by floor, may not be larger.
    RatioAtMost(f64),
    /// The median of the ratios may not be smaller.
    RatioAtLeast(f64),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Figure {
    section: String,
    name: String,
    unit: String,
    operator: Vec<f64>,
    /// What stands beside it: the floor, or whatever `beside` says.
    floor: Vec<f64>,
    beside: &'static str,
    limit: Option<Limit>,
    note: String,
}

impl Figure {
    pub fn new(section: &str, name: &str, unit: &str, operator: Vec<f64>) -> Self {
        Self {
            section: section.to_owned(),
            name: name.to_owned(),
            unit: unit.to_owned(),
            operator,
            floor: Vec::new(),
            beside: "floor",
            limit: None,
            note: String::new(),
        }
    }

    /// The floor's values, in the order of the pairs.
    pub fn floor(mut self, floor: Vec<f64>) -> Self {
        self.floor = floor;
        self
    }

    /// Values of something else than the floor to divide by.
    pub fn beside(mut self, what: &'static str, values: Vec<f64>) -> Self {
        self.beside = what;
        self.floor = values;
        self
    }

    pub fn limit(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Operator by floor, pair by pair.
    fn ratios(&self) -> Vec<f64> {
        let pairs = self.operator.iter().zip(&self.floor);
        pairs.map(|(operator, floor)| operator / floor).collect()
    }

    /// Whether the limit is kept; none without one. Values that are missing keep no limit.
    fn keeps(&self) -> Option<bool> {
        let limit = self.limit?;
        // Not a number compares as false.
        Some(match limit {
            Limit::AtMost(most) => median(&self.operator) <= most,
            Limit::NeverAbove(limit) => most(&self.operator) <= limit,
            Limit::Exactly(value) => {
                !self.operator.is_empty() && self.operator.iter().all(|it| (it - value).abs() < 1e-9)
            }
            Limit::RatioAtMost(most) => median(&self.ratios()) <= most,
            Limit::RatioAtLeast(least) => median(&self.ratios()) >= least,
        })
    }

    fn verdict(&self) -> &'static str {
        match self.keeps() {
            None => "",
            Some(true) => "ok",
            Some(false) => "MISSED",
        }
    }

    fn limit_text(&self) -> String {
        match self.limit {
            None => String::new(),
            Some(Limit::AtMost(value) | Limit::NeverAbove(value)) => format!("≤ {value}"),
            Some(Limit::Exactly(value)) => format!("= {value}"),
            Some(Limit::RatioAtMost(value)) => format!("≤ {value} ×"),
            Some(Limit::RatioAtLeast(value)) => format!("≥ {value} ×"),
        }
    }

    fn json(&self) -> Value {
        json!({
            "section": self.section,
            "figure": self.name,
            "unit": self.unit,
            "operator": series(&self.operator),
            "beside": (!self.floor.is_empty()).then_some(self.beside),
            "floor": (!self.floor.is_empty()).then(|| series(&self.floor)),
            "ratio": (!self.floor.is_empty()).then(|| series(&self.ratios())),
            "limit": self.limit.map(|_| self.limit_text()),
            "kept": self.keeps(),
            "note": self.note,
        })
    }
}

fn series(values: &[f64]) -> Value {
    json!({ "median": median(values), "least": least(values), "most": most(values), "values": values })
}

fn spread(values: &[f64]) -> String {
    match values {
        [] => "–".to_owned(),
        [value] => short(*value),
        values if (most(values) - least(values)).abs() < 1e-9 => short(values[0]),
        values => format!(
            "{} [{}–{}]",
            short(median(values)),
            short(least(values)),
            short(most(values))
        ),
    }
}

/// As many digits as tell something.
pub fn short(value: f64) -> String {
    match value.abs() {
        _ if value.fract().abs() < 1e-9 => format!("{value:.0}"),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// All figures of one measurement.
pub struct Report {
    settings: Settings,
    figures: Vec<Figure>,
    /// Points of the plot: series, number of tasks, value.
    points: Vec<(String, f64, f64)>,
    broken: Vec<(String, String)>,
}

impl Report {
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            figures: Vec::new(),
            points: Vec::new(),
            broken: Vec::new(),
        }
    }

    pub fn add(&mut self, figure: Figure) {
        println!("  {}", row(&figure));
        self.figures.push(figure);
    }

    /// A point of how cost grows.
    pub fn point(&mut self, series: &str, tasks: f64, value: f64) {
        self.points.push((series.to_owned(), tasks, value));
    }

    /// A section that did not come to its end.
    pub fn broke(&mut self, section: &str, why: &str) {
        println!("  {section} broke: {why}");
        self.broken.push((section.to_owned(), why.to_owned()));
    }

    pub fn write(&self) {
        let bytes = fs::metadata(&self.settings.operator).map_or(0, |file| file.len());
        let whole = json!({
            "operator": { "path": self.settings.operator, "bytes": bytes },
            "at": jiff::Timestamp::now().to_string(),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "settings": format!("{:?}", self.settings),
            "figures": self.figures.iter().map(Figure::json).collect::<Vec<_>>(),
            "growth": self.points,
            "broken": self.broken,
        });
        let text = serde_json::to_string_pretty(&whole).unwrap();
        fs::write(&self.settings.json, text + "\n").unwrap();
        if !self.points.is_empty() {
            fs::write(&self.settings.plot, plot::svg(&self.points)).unwrap();
        }
    }

    /// Puts the figures of each section into the page of the documentation that was named, if one was.
    pub fn document(&self) {
        let Some(page) = &self.settings.docs else {
            return;
        };
        let mut sections: Vec<&str> = self.figures.iter().map(|figure| &*figure.section).collect();
        sections.dedup();
        for section in sections {
            markdown::replace(page, section, &self.section(section));
        }
    }

    fn section(&self, section: &str) -> String {
        let mut text = String::from(
            "\n| Figure | Operator | Beside it | Ratio | Limit | Kept |\n|---|---|---|---|---|---|\n",
        );
        for figure in self.figures.iter().filter(|figure| figure.section == section) {
            let (mut beside, mut ratio) = (String::new(), String::new());
            if !figure.floor.is_empty() {
                beside = format!("{}: {}", figure.beside, spread(&figure.floor));
                ratio = spread(&figure.ratios());
            }
            let kept = figure.keeps().map_or("", |kept| if kept { "yes" } else { "no" });
            let _ = writeln!(
                text,
                "| {}, {} | {} | {beside} | {ratio} | {} | {kept} |",
                markdown::cell(&figure.name),
                figure.unit,
                spread(&figure.operator),
                figure.limit_text(),
            );
        }
        text + "\n"
    }

    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<52} {:<30} {:<30} {:<18} {:<10} verdict\n",
            "figure", "operator median [spread]", "floor median [spread]", "ratio", "limit"
        );
        let mut section = "";
        for figure in &self.figures {
            if figure.section != section {
                section = &figure.section;
                let _ = writeln!(text, "{section}");
            }
            let _ = writeln!(text, "  {}", row(figure));
        }
        for (section, why) in &self.broken {
            let _ = writeln!(text, "{section} BROKE: {why}");
        }
        let _ = write!(
            text,
            "{}\n{}",
            self.settings.json.display(),
            self.settings.plot.display()
        );
        text
    }
}

fn row(figure: &Figure) -> String {
    let name = format!("{}, {}", figure.name, figure.unit);
    let (mut floor, ratio) = (spread(&figure.floor), spread(&figure.ratios()));
    if figure.floor.is_empty() {
        floor.clear();
    } else if figure.beside != "floor" {
        floor = format!("{}: {floor}", figure.beside);
    }
    let ratio = if figure.floor.is_empty() { "" } else { &ratio };
    let line = format!(
        "{name:<50} {:<30} {floor:<30} {ratio:<18} {:<10} {:<7} {}",
        spread(&figure.operator),
        figure.limit_text(),
        figure.verdict(),
        figure.note,
    );
    line.trim_end().to_owned()
}
