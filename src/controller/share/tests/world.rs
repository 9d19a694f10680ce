//! An API server for Leases and processes around it, in paused time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use crate::{
    act::Fence,
    controller::{
        ServerKey,
        share::{
            Fences, Mode,
            core::{Core, Purpose, Request, Written},
            lease::{Leases, Record},
            watching::Told,
        },
    },
};

pub(super) const DURATION: Duration = Duration::from_secs(6);
/// How finely time passes.
const STEP: Duration = Duration::from_millis(50);

/// Numbers that look like chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

/// What a watch is told of: the version, and the Lease, or the last state of one that was deleted.
#[derive(Clone)]
struct Event {
    record: Record,
    is_deleted: bool,
}

/// What is on its way to the API server, or back.
enum Way {
    There(Request),
    Back(Answer),
}

enum Answer {
    Looked(Option<(Vec<Record>, u64)>),
    Listed(Vec<Record>, u64, Instant),
    Read(String, Option<Record>),
    Unread(String),
    Written(Purpose, Written),
    Drained(ServerKey),
}

struct Flight {
    process: usize,
    at: Instant,
    sent: Instant,
    reign: u64,
    /// The process has given up waiting for it.
    is_late: bool,
    way: Way,
}

#[allow(
    clippy::struct_excessive_bools,
    reason = "each says one thing of a process; no two make a state"
)]
struct Process {
    core: Core,
    fences: Fences,
    is_alive: bool,
    paused_until: Option<Instant>,
    /// Events before this one were told; they come that late.
    told: usize,
    lag: Duration,
    wake: Option<Instant>,
    stopping: bool,
    begun: bool,
    news: bool,
}

/// Everything.
pub(super) struct World {
    chance: Chance,
    servers: BTreeSet<ServerKey>,
    processes: Vec<Process>,
    leases: BTreeMap<String, Lease>,
    events: Vec<(Instant, Event)>,
    version: u64,
    flights: Vec<Flight>,
    is_calm: bool,
    begun: Instant,
    /// When each process has last had each server.
    acted: BTreeMap<(ServerKey, usize), Instant>,
    /// What was asked for.
    pub(super) requests: Vec<String>,
}

impl World {
    pub(super) fn new(seed: u64, servers: usize) -> Self {
        let server = |number| ("backups".to_owned(), format!("nas-{number}"));
        Self {
            chance: Chance(seed),
            servers: (0..servers).map(server).collect(),
            processes: Vec::new(),
            leases: BTreeMap::new(),
            events: Vec::new(),
            version: 1,
            flights: Vec::new(),
            is_calm: true,
            begun: Instant::now(),
            acted: BTreeMap::new(),
            requests: Vec::new(),
        }
    }

    pub(super) fn start(&mut self, mode: Mode) {
        let leases = Leases {
            name: "abb".to_owned(),
            identity: format!("process-{}", self.processes.len()),
            duration: DURATION,
        };
        let fences = Fences::of(Fence::leased(DURATION), mode == Mode::Single);
        let mut core = Core::new(leases, mode, Arc::new(fences.clone()));
        core.servers(self.servers.clone());
        self.processes.push(Process {
            core,
            fences,
            is_alive: true,
            paused_until: None,
            told: 0,
            lag: Duration::ZERO,
            wake: None,
            stopping: false,
            begun: false,
            news: true,
        });
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self, process: usize) {
        self.processes[process].is_alive = false;
    }

    /// SIGTERM.
    pub(super) fn stop(&mut self, process: usize) {
        let process = &mut self.processes[process];
        process.core.leave(Instant::now());
        process.stopping = true;
        process.news = true;
    }

    /// Slow and lost answers, a watch that lags, crashes, pauses, members that come and go.
    pub(super) async fn trouble(&mut self, time: Duration) {
        self.is_calm = false;
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.disturb();
            self.step().await;
        }
        self.is_calm = true;
        for process in &mut self.processes {
            process.lag = Duration::ZERO;
        }
    }

    pub(super) async fn calm(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step().await;
        }
    }

    pub(super) async fn calm_until(&mut self, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + DURATION * 5;
        while !holds(self) {
            assert!(Instant::now() < end, "{:?}, {:?}", self.shares(), self.owners());
            self.step().await;
        }
    }

    fn disturb(&mut self) {
        if !self.chance.one_in(20) {
            return;
        }
        let living: Vec<usize> = (0..self.processes.len())
            .filter(|process| self.processes[*process].is_alive && !self.processes[*process].stopping)
            .collect();
        let now = Instant::now();
        let one = living
            .get(usize::try_from(self.chance.below(8)).unwrap())
            .copied();
        let what = self.chance.below(9);
        self.log(|| format!("disturb {what} {one:?}"));
        match (what, one) {
            (0, Some(one)) if living.len() > 1 => self.kill(one),
            (1, Some(one)) if living.len() > 1 => self.stop(one),
            (2 | 3, Some(one)) => {
                let pause = self.chance.millis(12_000);
                self.processes[one].paused_until = Some(now + pause);
            }
            (4 | 5, Some(one)) => self.processes[one].lag = self.chance.millis(9_000),
            (6, Some(one)) => self.processes[one].lag = Duration::ZERO,
            (7, _) if living.len() < 5 => {
                let mode = if self.chance.one_in(4) && self.has_single() {
                    Mode::Single
                } else {
                    Mode::Shared
                };
                self.start(mode);
            }
            _ => {}
        }
    }

    fn has_single(&self) -> bool {
        self.processes.iter().any(|process| process.fences.is_alone())
    }

    async fn step(&mut self) {
        let now = Instant::now();
        let mut landed = Vec::new();
        self.flights.retain_mut(|flight| {
            let is_due = flight.at <= now;
            if is_due {
                let way = std::mem::replace(&mut flight.way, Way::Back(Answer::Looked(None)));
                landed.push((flight.process, flight.sent, flight.reign, flight.is_late, way));
            }
            !is_due
        });
        for (process, sent, reign, is_late, way) in landed {
            match way {
                Way::There(request) => self.arrive(process, sent, reign, is_late, request),
                Way::Back(answer) => self.answer(process, sent, reign, answer),
            }
        }
        for process in 0..self.processes.len() {
            self.turn(process, now);
        }
        self.judge();
        tokio::time::advance(STEP).await;
    }

    fn delay(&mut self) -> Duration {
        if self.is_calm {
            return STEP;
        }
        match self.chance.below(12) {
            0 => self.chance.millis(9_000),
            1 | 2 => self.chance.millis(2_500),
            _ => self.chance.millis(150),
        }
    }

    /// A process that is not paused takes its turn.
    fn turn(&mut self, number: usize, now: Instant) {
        let Self {
            processes, events, ..
        } = self;
        let process = &mut processes[number];
        if !process.is_alive || process.paused_until.is_some_and(|until| until > now) {
            return;
        }
        if !process.begun {
            process.begun = true;
            self.requests.push("List".to_owned());
            self.send(number, Request::Rewatch, now);
            return;
        }
        while process.told > 0 && process.told <= events.len() {
            let Some((at, event)) = events.get(process.told - 1) else {
                break;
            };
            if *at + process.lag > now {
                break;
            }
            let told = if event.is_deleted {
                Told::Hidden(event.record.clone())
            } else {
                Told::Shown(event.record.clone())
            };
            process.core.told(told, now);
            process.told += 1;
            process.news = true;
        }
        if !process.news && process.wake.is_none_or(|wake| wake > now) {
            return;
        }
        process.news = false;
        let (requests, wake) = process.core.next(now);
        process.wake = wake;
        let is_over = process.stopping && process.core.is_empty();
        process.core.gains();
        for request in requests {
            self.log(|| format!("[{number}] sends {request:?}"));
            self.note(&request);
            self.send(number, request, now);
        }
        if is_over {
            let process = &mut self.processes[number];
            process.is_alive = false;
            if let Some(request) = process.core.retire() {
                self.send(number, request, now);
            }
        }
    }

    fn log(&self, text: impl FnOnce() -> String) {
        if std::env::var("SHARE_LOG").is_ok() {
            eprintln!("{:?} {}", self.begun.elapsed(), text());
        }
    }

    fn note(&mut self, request: &Request) {
        let text = match request {
            Request::Look | Request::Rewatch => "List".to_owned(),
            Request::Read(_) => "Read".to_owned(),
            Request::Drain(..) => return,
            Request::Write { purpose, .. } | Request::Delete { purpose, .. } => match purpose {
                Purpose::Take(_) => "Take".to_owned(),
                Purpose::Release(_) => "Release".to_owned(),
                purpose => format!("{purpose:?}"),
            },
        };
        self.requests.push(text);
    }

    fn send(&mut self, process: usize, request: Request, now: Instant) {
        let reign = self.processes[process].fences.whole.reign();
        let there = self.delay();
        if let Request::Drain(server, _) = request {
            let pass = if self.is_calm {
                Duration::from_millis(900)
            } else {
                self.chance.millis(3_000)
            };
            // The fence is ended when the pass is over, at the moment that the answer is made.
            let answer = Answer::Drained(server);
            self.flights.push(Flight {
                process,
                at: now + pass,
                sent: now,
                reign,
                is_late: false,
                way: Way::Back(answer),
            });
            return;
        }
        let is_late = there > DURATION / 3;
        if is_late {
            self.give_up(process, &request, now, reign);
        }
        self.flights.push(Flight {
            process,
            at: now + there,
            sent: now,
            reign,
            is_late,
            way: Way::There(request),
        });
    }

    /// After a third of the time the process waits no longer; what it has sent may still arrive.
    fn give_up(&mut self, process: usize, request: &Request, sent: Instant, reign: u64) {
        let answer = match request {
            Request::Look => Answer::Looked(None),
            Request::Read(name) => Answer::Unread(name.clone()),
            Request::Write { purpose, .. } | Request::Delete { purpose, .. } => {
                Answer::Written(purpose.clone(), Written::Unknown)
            }
            _ => return,
        };
        self.flights.push(Flight {
            process,
            at: sent + DURATION / 3,
            sent,
            reign,
            is_late: false,
            way: Way::Back(answer),
        });
    }

    fn arrive(&mut self, process: usize, sent: Instant, reign: u64, is_late: bool, request: Request) {
        let now = Instant::now();
        let all = |world: &Self| -> Vec<Record> {
            world
                .leases
                .values()
                .map(|lease| Record::of(lease, DURATION))
                .collect()
        };
        let answer = match request {
            Request::Look => Answer::Looked(Some((all(self), self.version))),
            Request::Rewatch => Answer::Listed(all(self), self.version, sent),
            Request::Read(name) => {
                let record = self.leases.get(&name).map(|lease| Record::of(lease, DURATION));
                Answer::Read(name, record)
            }
            Request::Write {
                purpose,
                version,
                lease,
                with_labels,
            } => {
                let written = self.write(version.as_deref(), &lease, with_labels);
                Answer::Written(purpose, written)
            }
            Request::Delete {
                purpose,
                name,
                version,
            } => {
                let is_there = self.leases.get(&name).is_some_and(|lease| {
                    lease.metadata.resource_version.as_deref() == Some(version.as_str())
                });
                let written = if is_there {
                    self.delete(&name);
                    Written::Deleted
                } else {
                    Written::Conflict
                };
                Answer::Written(purpose, written)
            }
            Request::Drain(..) => return,
        };
        let back = self.delay();
        if is_late && !matches!(answer, Answer::Listed(..)) {
            return;
        }
        let is_lost = now.duration_since(sent) + back > DURATION / 3;
        let (at, answer) = match answer {
            Answer::Written(purpose, _) if is_lost => (
                (sent + DURATION / 3).max(now),
                Answer::Written(purpose, Written::Unknown),
            ),
            Answer::Read(name, _) if is_lost => ((sent + DURATION / 3).max(now), Answer::Unread(name)),
            Answer::Looked(_) if is_lost => ((sent + DURATION / 3).max(now), Answer::Looked(None)),
            answer => (now + back, answer),
        };
        self.flights.push(Flight {
            process,
            at,
            sent,
            reign,
            is_late: false,
            way: Way::Back(answer),
        });
    }

    fn write(&mut self, version: Option<&str>, lease: &Lease, with_labels: bool) -> Written {
        let name = lease.metadata.name.clone().unwrap();
        let before = self.leases.get(&name);
        let stands = before.and_then(|lease| lease.metadata.resource_version.as_deref());
        if stands != version {
            return Written::Conflict;
        }
        let mut metadata = lease.metadata.clone();
        if let Some(before) = before.filter(|_| !with_labels) {
            metadata.labels.clone_from(&before.metadata.labels);
        }
        self.version += 1;
        metadata.resource_version = Some(self.version.to_string());
        let lease = Lease {
            metadata,
            spec: lease.spec.clone(),
        };
        let record = Record::of(&lease, DURATION);
        self.leases.insert(name, lease);
        let event = Event {
            record: record.clone(),
            is_deleted: false,
        };
        self.events.push((Instant::now(), event));
        Written::Done(record)
    }

    /// Deletes a Lease; a person may, too.
    pub(super) fn delete(&mut self, name: &str) {
        let Some(lease) = self.leases.remove(name) else {
            return;
        };
        self.version += 1;
        let mut record = Record::of(&lease, DURATION);
        record.version = self.version.to_string();
        let is_deleted = true;
        self.events.push((Instant::now(), Event { record, is_deleted }));
    }

    fn answer(&mut self, number: usize, sent: Instant, reign: u64, answer: Answer) {
        let now = Instant::now();
        let until = self.processes[number].paused_until.filter(|until| *until > now);
        if let Some(at) = until {
            // It lies in the socket until the process runs on.
            let way = Way::Back(answer);
            let is_late = false;
            self.flights.push(Flight {
                process: number,
                at,
                sent,
                reign,
                is_late,
                way,
            });
            return;
        }
        let told = self.events.len();
        let process = &mut self.processes[number];
        if !process.is_alive {
            return;
        }
        process.news = true;
        let mut follow = None;
        if std::env::var("SHARE_LOG").is_ok() {
            let text = match &answer {
                Answer::Written(purpose, written) => format!("{purpose:?} {written:?}"),
                Answer::Looked(found) => format!("looked {}", found.is_some()),
                Answer::Listed(..) => "listed".to_owned(),
                Answer::Read(name, read) => format!("{name} {read:?}"),
                Answer::Unread(name) => format!("{name} unread"),
                Answer::Drained(server) => format!("drained {server:?}"),
            };
            eprintln!("{:?} [{number}] got {text}", self.begun.elapsed());
        }
        match answer {
            Answer::Looked(listed) => process.core.looked(listed, now),
            Answer::Listed(records, version, asked) => {
                let before = self
                    .events
                    .iter()
                    .position(|(_, event)| event.record.number() > version);
                process.told = before.unwrap_or(told) + 1;
                process.core.told(Told::Listed(records, version, asked), now);
            }
            Answer::Read(name, record) => process.core.read_one(&name, Ok(record), now),
            Answer::Unread(name) => process.core.read_one(&name, Err(()), now),
            Answer::Written(purpose, written) => process.core.answered(purpose, written, sent, reign, now),
            Answer::Drained(server) => {
                process.fences.of_server(&server).end();
                follow = process.core.drained(&server);
            }
        }
        if let Some(request) = follow {
            self.note(&request);
            self.send(number, request, now);
        }
    }

    /// Who may act for a server now: with what was begun before it was to be given away, too.
    fn actors(&self, server: &ServerKey) -> Vec<usize> {
        let may_act = |process: &Process| process.fences.of_server(server).of_this_reign().is_open();
        let all = self.processes.iter().enumerate();
        all.filter(|(_, process)| process.is_alive && may_act(process))
            .map(|(number, _)| number)
            .collect()
    }

    fn judge(&mut self) {
        let now = Instant::now();
        for server in self.servers.clone() {
            let actors = self.actors(&server);
            assert!(actors.len() <= 1, "{server:?} has several masters: {actors:?}");
            for actor in actors {
                self.acted.insert((server.clone(), actor), now);
                let since = self.processes[actor].fences.of_server(&server).since();
                let others = self
                    .acted
                    .iter()
                    .filter(|((of, by), _)| *of == server && *by != actor);
                if let (Some(since), Some(last)) = (since, others.map(|(_, last)| *last).max()) {
                    assert!(
                        last < since,
                        "[{actor}] may read {server:?} as it was before the last write"
                    );
                }
            }
        }
        let orphans = self
            .processes
            .iter()
            .filter(|process| process.is_alive && process.fences.of_orphans().of_this_reign().is_open());
        assert!(
            orphans.count() <= 1,
            "what belongs to no server has several masters"
        );
    }

    /// The names of all Leases.
    pub(super) fn leases(&self) -> Vec<String> {
        self.leases.keys().cloned().collect()
    }

    /// Who serves each server.
    pub(super) fn owners(&self) -> Vec<Option<usize>> {
        self.servers
            .iter()
            .map(|server| self.actors(server).first().copied())
            .collect()
    }

    /// How many each living process serves, the least first.
    pub(super) fn shares(&self) -> Vec<usize> {
        let owners = self.owners();
        let living = self
            .processes
            .iter()
            .enumerate()
            .filter(|(_, process)| process.is_alive);
        let mut shares: Vec<usize> = living
            .map(|(number, _)| owners.iter().filter(|owner| **owner == Some(number)).count())
            .collect();
        shares.sort_unstable();
        shares
    }

    /// Who holds the first slot.
    pub(super) fn first_slot(&self) -> Option<usize> {
        self.processes
            .iter()
            .position(|process| process.is_alive && process.fences.of_orphans().is_open())
    }

    pub(super) fn is_shared(&self) {
        let shares = self.shares();
        let (least, most) = (shares[0], shares[shares.len() - 1]);
        assert!(most - least <= 1, "{shares:?}");
        self.is_served();
    }

    pub(super) fn is_served(&self) {
        assert!(self.owners().iter().all(Option::is_some), "{:?}", self.owners());
        assert!(self.first_slot().is_some());
    }
}
