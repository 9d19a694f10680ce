//! What a list of 10,000 tasks costs to parse: time and memory, next to a reader that makes a tree of everything.
//!
//! Each measurement is a child process of its own, so that each peak is its own. The figures come in pairs, one reader
//! right after the other; the medians count. Fails where the parser needs more than a fifth of the tree's memory.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has to panic")]

use std::{fs, hint::black_box, process::Command, time::Instant};

use abb_operator::nas::wire::task_list;
use serde_json::{Value, json};

const TASKS: usize = 10_000;
const PAIRS: usize = 5;
const LARGEST_RATIO: f64 = 0.2;
const SEED: &str = include_str!("../fixtures/seed/SYNO.ActiveBackup.Task.md");

/// In KiB and milliseconds.
#[derive(Clone, Copy)]
struct Cost {
    body: f64,
    beyond: f64,
    total: f64,
    time: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, reader, file] = arguments.as_slice()
        && mode == "--child"
    {
        child(reader, file);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.json");
    fs::write(&file, body()).unwrap();
    let file = file.to_str().unwrap();
    let (mut ours, mut trees) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        ours.push(measure("wire", file));
        trees.push(measure("tree", file));
    }
    let (ours, tree) = (median(&ours), median(&trees));
    println!(
        "{TASKS} tasks, {:.1} MB, medians of {PAIRS} pairs",
        ours.body / 1024.0
    );
    println!("{:<28}{:>12}{:>12}{:>8}", "", "task_list", "Value", "ratio");
    let row = |what: &str, ours: f64, tree: f64| {
        println!("{what:<28}{ours:>12.1}{tree:>12.1}{:>8.3}", ours / tree);
    };
    row(
        "peak beyond the body, MiB",
        ours.beyond / 1024.0,
        tree.beyond / 1024.0,
    );
    row("peak in total, MiB", ours.total / 1024.0, tree.total / 1024.0);
    row("time, ms", ours.time, tree.time);
    let ratio = ours.beyond / tree.beyond;
    if ratio > LARGEST_RATIO {
        eprintln!("the parser needs {ratio:.3} of the tree's memory, more than {LARGEST_RATIO}");
        std::process::exit(1);
    }
}

/// A list of tasks like the captured one, each with two devices: about 3 KB a row.
fn body() -> String {
    let section = SEED.split_once("#### Method: `list`\n").unwrap().1;
    let text = section
        .split_once("```json")
        .unwrap()
        .1
        .split("```")
        .next()
        .unwrap();
    let mut answer: Value = serde_json::from_str(text).unwrap();
    let task = answer["data"]["tasks"][0].take();
    let tasks = (0..TASKS).map(|number| {
        let mut task = task.clone();
        task["task_id"] = json!(number);
        task["task_name"] = json!(format!("task-{number:05}"));
        task["unikey"] = json!(format!("75711daf-8ee1-4bcb-bd84-{number:012}"));
        let device = task["devices"][0].clone();
        task["devices"] = json!([device, device]);
        task
    });
    answer["data"]["tasks"] = tasks.collect();
    answer["data"]["total"] = json!(TASKS);
    answer.to_string()
}

fn child(reader: &str, file: &str) {
    let body = fs::read(file).unwrap();
    black_box(body.iter().map(|byte| u64::from(*byte)).sum::<u64>());
    let before = status("VmRSS:");
    let start = Instant::now();
    let tasks = match reader {
        "wire" => black_box(task_list(&body).unwrap()).tasks.len(),
        _ => black_box(serde_json::from_slice::<Value>(&body).unwrap())["data"]["tasks"]
            .as_array()
            .unwrap()
            .len(),
    };
    let time = start.elapsed();
    assert_eq!(tasks, TASKS);
    let peak = status("VmHWM:");
    println!(
        "{} {} {peak} {}",
        body.len(),
        peak.saturating_sub(before),
        time.as_micros()
    );
}

fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn measure(reader: &str, file: &str) -> Cost {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--child", reader, file])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    Cost {
        body: figures[0] / 1024.0,
        beyond: figures[1],
        total: figures[2],
        time: figures[3] / 1000.0,
    }
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |of: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Cost {
        body: middle(|cost| cost.body),
        beyond: middle(|cost| cost.beyond),
        total: middle(|cost| cost.total),
        time: middle(|cost| cost.time),
    }
}
