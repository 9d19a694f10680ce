//! What a list of 10,000 tasks costs to parse: time and memory of the parser that reads it as it arrives, of the one that
//! has it as a whole, and of a reader that makes a tree of everything.
//!
//! Each measurement is a child process of its own, so that each peak is its own. The figures come in threes, one reader
//! right after the other; the medians count. Fails where a parser needs more than a fifth of the tree's memory, and where
//! reading as it arrives, with nothing kept, needs more than a megabyte.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has to panic")]

use std::{fs, hint::black_box, io::Read, process::Command, time::Instant};

use abb_operator::nas::{
    Task, TaskSink,
    wire::{TaskStream, task_list},
};
use serde_json::{Value, json};

const TASKS: usize = 10_000;
const PAIRS: usize = 5;
const LARGEST_RATIO: f64 = 0.2;
/// KiB that a stream may need beside what its sink keeps.
const LARGEST_STREAM: f64 = 1024.0;
/// Bytes that a connection brings at once.
const PIECE: usize = 64 * 1024;
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
    let mut measured = READERS.map(|_| Vec::new());
    for _ in 0..PAIRS {
        for (reader, costs) in READERS.iter().zip(&mut measured) {
            costs.push(measure(reader, file));
        }
    }
    let costs = measured.map(|costs| median(&costs));
    let [stream, kept, whole, tree] = costs;
    println!(
        "{TASKS} tasks, {:.1} MB, medians of {PAIRS} rounds",
        whole.body / 1024.0
    );
    println!(
        "{:<24}{}",
        "",
        READERS.map(|reader| format!("{reader:>14}")).concat()
    );
    let row = |what: &str, of: fn(&Cost) -> f64| {
        let figures = costs.map(|cost| format!("{:>14.2}", of(&cost))).concat();
        println!("{what:<24}{figures}");
    };
    row("memory needed, MiB", |cost| cost.beyond / 1024.0);
    row("peak in total, MiB", |cost| cost.total / 1024.0);
    row("time, ms", |cost| cost.time);
    let mut failed = false;
    for (reader, cost) in READERS.iter().skip(1).zip([kept, whole]) {
        let ratio = cost.beyond / tree.beyond;
        if ratio > LARGEST_RATIO {
            eprintln!("{reader} needs {ratio:.3} of the tree's memory, more than {LARGEST_RATIO}");
            failed = true;
        }
    }
    if stream.beyond > LARGEST_STREAM {
        eprintln!("a stream needs {} KiB, more than {LARGEST_STREAM}", stream.beyond);
        failed = true;
    }
    if failed {
        std::process::exit(1);
    }
}

/// A stream of which nothing is kept, one of which every task is, the parser of the whole body, and the tree.
const READERS: [&str; 4] = ["stream", "stream, kept", "whole", "tree"];

/// Counts tasks and keeps none.
struct Counted(usize);

impl TaskSink for Counted {
    fn begin(&mut self) {
        self.0 = 0;
    }

    fn take(&mut self, task: Task, _row: Option<&[u8]>) {
        black_box(task);
        self.0 += 1;
    }
}

/// Reads the file as it would come over a connection.
fn stream(file: &str, sink: &mut dyn TaskSink) -> usize {
    let mut file = fs::File::open(file).unwrap();
    let mut stream = TaskStream::new(sink);
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).unwrap() {
            0 => return stream.finish().unwrap().rows,
            length => stream.push(&piece[..length]).unwrap(),
        }
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
    // A stream holds no body; the others are given theirs.
    let body = if reader.starts_with("stream") {
        Vec::new()
    } else {
        fs::read(file).unwrap()
    };
    black_box(body.iter().map(|byte| u64::from(*byte)).sum::<u64>());
    let before = status("VmRSS:");
    let mut kept = Vec::new();
    let start = Instant::now();
    let tasks = match reader {
        "stream" => stream(file, &mut Counted(0)),
        "stream, kept" => stream(file, &mut kept),
        "whole" => black_box(task_list(&body).unwrap()).tasks.len(),
        _ => black_box(serde_json::from_slice::<Value>(&body).unwrap())["data"]["tasks"]
            .as_array()
            .unwrap()
            .len(),
    };
    let time = start.elapsed();
    assert_eq!(tasks, TASKS);
    black_box(kept);
    let peak = status("VmHWM:");
    println!(
        "{} {} {peak} {}",
        fs::metadata(file).unwrap().len(),
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
