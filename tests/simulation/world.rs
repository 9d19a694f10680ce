//! The world of one run: API server, NAS, two processes of the operator with their Lease, paused time, and the plan
//! of what goes wrong. The processes run the shipped pass; everything they can reach stands here.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use abb_operator::{
    act::Fence,
    api::{BackupTask, IntentAction},
    clock::Clock,
    controller::{Context, Fleet, Machine, pass, prepare},
    nas::{Carried, Carrier},
    simulator::{Control, DirectNas, Fault as NasFault, FaultKind, Nas, PackageState},
    telemetry::Metrics,
};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};

use super::{
    api_server::{ApiClient, ApiServer, Snapshot},
    faults::{Fault, Plan, Step},
    judge::Judge,
    weak::{self, Protocol},
};

/// Processes of the operator.
pub const PROCESSES: usize = 2;
/// Duration of the Lease; renewed every third of it.
const LEASE: Duration = Duration::from_secs(60);
/// How often another looks whether it is free.
const LOOK: Duration = Duration::from_secs(2);
/// A pause that outlives the Lease, and any connection of the NAS (20 s).
const PAUSE: Duration = Duration::from_secs(150);
/// How long a dead process stays dead.
const RESTART: Duration = Duration::from_secs(15);

/// Everything that changes.
pub struct State {
    pub api: ApiServer,
    pub nas: DirectNas,
    pub judge: Judge,
    plan: Plan,
    /// Calls so far.
    pub steps: u64,
    lease: Option<(usize, Timestamp)>,
    paused_until: [Option<Instant>; PROCESSES],
    barred_until: [Option<Instant>; PROCESSES],
    lags_until: [Option<Instant>; PROCESSES],
    disturbed_until: Option<Instant>,
    identities: u64,
    /// Whether the NAS asks for codes that its clock makes.
    pub has_codes_by_time: bool,
    /// Lives that each process has had.
    lives: [u64; PROCESSES],
    /// What happened, where somebody wants to read it.
    pub trace: Option<Vec<String>>,
}

/// The world.
pub struct World {
    pub clock: Clock,
    protocol: Protocol,
    state: Mutex<State>,
    fences: [Fence; PROCESSES],
    crash: [Notify; PROCESSES],
    version: watch::Sender<u64>,
    has_lease: watch::Sender<u64>,
    is_sound: bool,
}

impl State {
    /// Shows the judge what is committed and what took effect.
    pub fn judge(&mut self, now: Timestamp) {
        let nas = self.nas.lock();
        self.judge.look(self.api.now(), &nas, now);
    }

    /// Tells the judge whose the intents are that stand now.
    pub fn recorded(&mut self, process: usize) {
        let life = (process, self.lives[process]);
        self.judge.recorded(life, self.api.now());
    }

    fn note(&mut self, now: Timestamp, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{} {}", now.strftime("%H:%M:%S%.3f"), line()));
        }
    }
}

impl World {
    pub fn new(
        api: ApiServer,
        nas: Nas,
        clock: Clock,
        protocol: Protocol,
        plan: Plan,
        traced: bool,
    ) -> Arc<Self> {
        let is_sound = plan.faults.is_empty();
        let state = State {
            api,
            nas: DirectNas::new(nas, clock),
            judge: Judge::default(),
            plan,
            steps: 0,
            lease: None,
            paused_until: [None; PROCESSES],
            barred_until: [None; PROCESSES],
            lags_until: [None; PROCESSES],
            disturbed_until: None,
            identities: 0,
            has_codes_by_time: false,
            lives: [0; PROCESSES],
            trace: traced.then(Vec::new),
        };
        Arc::new(Self {
            clock,
            protocol,
            state: Mutex::new(state),
            fences: std::array::from_fn(|_| Fence::leased(LEASE)),
            crash: std::array::from_fn(|_| Notify::new()),
            version: watch::channel(0).0,
            has_lease: watch::channel(0).0,
            is_sound,
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a process sees that is not told the newest: a little behind, or long ago.
    pub fn seen(&self, process: usize) -> Snapshot {
        let state = self.lock();
        let lags = state.lags_until[process].is_some_and(|until| until > Instant::now());
        let lag = SignedDuration::from_millis(if lags { 30_000 } else { 20 });
        state.api.seen_at(self.clock.now() - lag).clone()
    }

    /// Something was committed.
    pub fn wake(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Writes a line into the trace.
    pub fn note(&self, line: impl FnOnce() -> String) {
        let now = self.clock.now();
        self.lock().note(now, line);
    }

    /// A call begins: waits while the process is stopped, and says what goes wrong with it.
    pub async fn step(&self, process: usize, step: Step, what: impl FnOnce() -> String) -> Option<Fault> {
        self.wait_while_paused(process).await;
        let fault = {
            let mut state = self.lock();
            state.steps += 1;
            let count = state.steps;
            let due = state
                .plan
                .faults
                .first()
                .filter(|(at, fault)| *at <= count && fault.fits(step));
            let fault = due.map(|(_, fault)| *fault);
            if fault.is_some() {
                state.plan.faults.remove(0);
            }
            let now = self.clock.now();
            state.note(now, || {
                let trouble = fault.map_or(String::new(), |fault| format!("   <- {fault:?}"));
                format!("[{process}] {count:>4} {}{trouble}", what())
            });
            fault
        };
        match fault {
            Some(Fault::CrashBefore) => self.die(process).await,
            Some(Fault::AllCrash) => {
                for notify in &self.crash {
                    notify.notify_one();
                }
                std::future::pending::<()>().await;
            }
            Some(Fault::Pause) => {
                self.lock().paused_until[process] = Some(Instant::now() + PAUSE);
                self.wait_while_paused(process).await;
            }
            Some(Fault::LeaseLoss) => {
                self.fences[process].hold_until(None);
                self.lock().barred_until[process] = Some(Instant::now() + 3 * LEASE);
            }
            Some(Fault::StaleView) => {
                self.lock().lags_until[process] = Some(Instant::now() + Duration::from_secs(120));
            }
            Some(Fault::SlowReply | Fault::Hang) => {
                // Its end shows at the end of the time that a read is given, and at polls ever further apart.
                let over = Instant::now() + Duration::from_secs(900);
                let mut state = self.lock();
                state.disturbed_until = state.disturbed_until.max(Some(over));
            }
            Some(Fault::Reboot) => self.control(Control::Reboot),
            Some(Fault::ClockJump) => {
                self.control(Control::Clock { offset_seconds: 7200 });
                if self.lock().has_codes_by_time {
                    // No code fits until somebody sets the clock right.
                    self.later(600, Control::Clock { offset_seconds: 0 });
                }
            }
            Some(Fault::Upgrade | Fault::PackageStopped) => {
                let state = if fault == Some(Fault::Upgrade) {
                    PackageState::Upgrading
                } else {
                    PackageState::Stopped
                };
                self.control(Control::Package { state });
                self.later(
                    120,
                    Control::Package {
                        state: PackageState::Running,
                    },
                );
            }
            Some(Fault::PowerCut) => {
                self.control(Control::Power { on: false });
                self.later(300, Control::Power { on: true });
            }
            _ => {}
        }
        fault
    }

    /// A call has had its effect, its answer is on the way.
    pub async fn after(&self, process: usize, fault: Option<Fault>) {
        if fault == Some(Fault::CrashAfter) {
            self.die(process).await;
        }
        self.wait_while_paused(process).await;
    }

    async fn die(&self, process: usize) {
        self.crash[process].notify_one();
        std::future::pending::<()>().await;
    }

    async fn wait_while_paused(&self, process: usize) {
        loop {
            let until = self.lock().paused_until[process];
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    /// Pulls a lever of the NAS.
    pub fn control(&self, control: Control) {
        let mut state = self.lock();
        let now = self.clock.now();
        state.note(now, || format!("      NAS: {control:?}"));
        let answer = state.nas.lock().control(control, now);
        // A lever that does not fit the moment (no run to finish) changes nothing.
        drop(answer);
        state.judge(now);
    }

    fn later(&self, seconds: u64, control: Control) {
        let nas = {
            let mut state = self.lock();
            // A poll may come only after the doubled pause of a NAS that does not answer.
            let over = Instant::now() + Duration::from_secs(seconds) + Duration::from_secs(180);
            state.disturbed_until = state.disturbed_until.max(Some(over));
            state.nas.clone()
        };
        let clock = self.clock;
        tokio::spawn(async move {
            sleep(Duration::from_secs(seconds)).await;
            let answer = nas.lock().control(control, clock.now());
            drop(answer);
        });
    }

    /// Whether nothing was to go wrong.
    pub fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// Whether every fault has happened.
    pub fn is_calm(&self) -> bool {
        let state = self.lock();
        let now = Instant::now();
        let over = |until: &Option<Instant>| until.is_none_or(|until| until <= now);
        // A fault of a write or a call that never comes does not come either.
        let polls = [Step::Read, Step::NasRead, Step::NasList];
        let is_over = state
            .plan
            .faults
            .first()
            .is_none_or(|(at, fault)| *at <= state.steps && !polls.iter().any(|step| fault.fits(*step)));
        is_over
            && state.paused_until.iter().all(over)
            && state.barred_until.iter().all(over)
            && state.lags_until.iter().all(over)
            && over(&state.disturbed_until)
    }

    /// One process, restarted whenever it dies.
    pub async fn process(self: Arc<Self>, process: usize) {
        loop {
            let fence = self.fences[process].clone();
            fence.hold_until(None);
            self.lock().lives[process] += 1;
            let life = self.life(process, &fence);
            tokio::select! {
                biased;
                () = self.crash[process].notified() => {}
                () = life => {}
            }
            self.note(|| format!("[{process}] is dead"));
            // Its Lease runs on without it; nobody acts by it.
            fence.hold_until(None);
            sleep(RESTART).await;
        }
    }

    async fn life(self: &Arc<Self>, process: usize, fence: &Fence) {
        let identity = Arc::clone(self);
        let carrier = Line {
            world: Arc::clone(self),
            process,
        };
        let context = Context {
            cluster: ApiClient {
                world: Arc::clone(self),
                process,
            },
            fleet: Fleet::default(),
            fence: fence.clone().into(),
            metrics: Arc::new(Metrics::new()),
            machine: Machine {
                clock: self.clock,
                carrier: Some(Arc::new(carrier)),
                identity: Arc::new(move || {
                    let mut state = identity.lock();
                    state.identities += 1;
                    format!("i{}", state.identities)
                }),
                ..Machine::default()
            },
        };
        tokio::join!(self.contend(process, fence), self.passes(process, &context));
    }

    /// The election as `controller::leader` holds it, without its writes: the holder's time runs from before the
    /// renewal, another takes over after one whole duration without one.
    async fn contend(&self, process: usize, fence: &Fence) {
        // Not in step with each other.
        sleep(Duration::from_millis(100 + 700 * process as u64)).await;
        loop {
            self.wait_while_paused(process).await;
            let now = self.clock.now();
            let is_barred = self.lock().barred_until[process].is_some_and(|until| until > Instant::now());
            let (held, rest) = {
                let mut state = self.lock();
                let duration = SignedDuration::try_from(LEASE).unwrap_or(SignedDuration::MAX);
                let is_free = state.lease.is_none_or(|(holder, renewed)| {
                    holder == process || now.duration_since(renewed) >= duration
                });
                if is_free && !is_barred {
                    state.lease = Some((process, now));
                }
                // Until the Lease may be free, every look is in vain.
                let of_another = state.lease.filter(|(holder, _)| *holder != process);
                let rest = of_another.map_or(SignedDuration::ZERO, |(_, renewed)| {
                    duration - now.duration_since(renewed)
                });
                (is_free && !is_barred, rest)
            };
            if held {
                fence.hold_until(Some(Instant::now() + LEASE));
                self.has_lease.send_modify(|turn| *turn += 1);
            }
            let looks = u32::try_from(rest.as_millis().div_euclid(2000))
                .unwrap_or(0)
                .max(1);
            sleep(if held { LEASE / 3 } else { looks * LOOK }).await;
        }
    }

    async fn passes(&self, process: usize, context: &Context<ApiClient>) {
        let mut changes = self.version.subscribe();
        let mut leases = self.has_lease.subscribe();
        let mut is_prepared = false;
        loop {
            self.wait_while_paused(process).await;
            if !context.fence_of_orphans().is_open() {
                // The only error is the end of the world.
                let _ = leases.changed().await;
                continue;
            }
            if !std::mem::replace(&mut is_prepared, true) && self.protocol == Protocol::Ours {
                // As long as a process that has just begun lists the tasks.
                let server = Arc::clone(&self.lock().api.now().server);
                prepare(context, &server).await;
                continue;
            }
            let Snapshot { server, tasks, .. } = self.seen(process);
            let tasks: Vec<_> = tasks.into_values().collect();
            changes.mark_unchanged();
            let next = match self.protocol {
                Protocol::Ours => pass(context, &server, tasks).await,
                weak => weak::pass(weak, context, &tasks).await,
            };
            tokio::select! {
                biased;
                _ = changes.changed() => sleep(Duration::from_millis(25)).await,
                () = sleep(next.min(Duration::from_secs(3600))) => {}
            }
        }
    }
}

/// One process's line to the NAS.
struct Line {
    world: Arc<World>,
    process: usize,
}

impl Carrier for Line {
    fn carry(&self, path: &str, form: String, token: Option<String>) -> BoxFuture<'static, Option<Carried>> {
        let (world, process, path) = (Arc::clone(&self.world), self.process, path.to_owned());
        // I8, at the moment in which the call is handed over: there is no await between the fence and this line.
        let method = field(&form, "method").unwrap_or_default().to_owned();
        let is_call = matches!(method.as_str(), "backup" | "cancel" | "remove");
        if is_call {
            let open = world.fences[process].allowance(Duration::from_secs(20)).is_some();
            let mut state = world.lock();
            let life = (process, state.lives[process]);
            let task = field(&form, "task_ids").unwrap_or_default().to_owned();
            let now = state.api.now().clone();
            state.judge.call(life, open, &method, &task, &now);
        }
        Box::pin(async move {
            let step = match method.as_str() {
                _ if is_call => Step::NasCall,
                "list" if form.contains("ActiveBackup.Task") => Step::NasList,
                _ => Step::NasRead,
            };
            let fault = world.step(process, step, || format!("NAS {method}")).await;
            if fault == Some(Fault::Pause) {
                // The connection was opened before the pause; the NAS has closed it.
                return None;
            }
            let carried = {
                let nas = world.lock().nas.clone();
                if let Some(kind) = fault.and_then(nas_fault) {
                    nas.lock().add_fault(NasFault::new(kind));
                }
                nas.carry(&path, form, token)
            };
            let answer = carried.await;
            {
                let mut state = world.lock();
                let now = world.clock.now();
                state.judge(now);
            }
            world.after(process, fault).await;
            answer
        })
    }
}

fn field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    form.split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

fn nas_fault(fault: Fault) -> Option<FaultKind> {
    Some(match fault {
        Fault::ReplyLostBefore => FaultKind::LoseReplyBefore,
        Fault::ReplyLostAfter => FaultKind::LoseReplyAfter,
        // Within the deadline of a call (20 s) and the settling time (60 s), and after the end of a run that was
        // started too early in its place.
        Fault::LateEffect => FaultKind::LateEffect { milliseconds: 75_000 },
        Fault::TooLateEffect => FaultKind::LateEffect {
            milliseconds: 400_000,
        },
        Fault::SlowReply => FaultKind::Delay {
            milliseconds: 200_000,
            before_effect: false,
        },
        Fault::Hang => FaultKind::Hang,
        Fault::SessionExpired => FaultKind::ExpireSession,
        Fault::SessionTimeout => FaultKind::ErrorCode { code: 106 },
        Fault::SessionReplaced => FaultKind::ErrorCode { code: 107 },
        Fault::SessionElsewhere => FaultKind::ErrorCode { code: 150 },
        Fault::NoPermission => FaultKind::ErrorCode { code: 105 },
        Fault::BadGateway => FaultKind::Http { status: 502 },
        Fault::EmptyBody => FaultKind::EmptyBody,
        Fault::CutBody => FaultKind::CutBody,
        Fault::WrongType => FaultKind::WrongType,
        Fault::LoginPage => FaultKind::Html,
        Fault::ConflictAfterEffect => FaultKind::ErrorCodeAfter { code: 1202 },
        Fault::QueueDown => FaultKind::ErrorCode { code: 1006 },
        Fault::MissingRow => FaultKind::MissingRows { task_ids: vec![1, 2] },
        _ => return None,
    })
}

/// What of a status a reader of the trace wants to see.
pub fn brief(task: &BackupTask) -> String {
    let Some(status) = &task.status else {
        return String::new();
    };
    let intent = status.intent.as_ref().map(|intent| {
        let action = match intent.action {
            IntentAction::Backup => "backup",
            IntentAction::Cancel => "cancel",
            IntentAction::Remove => "remove",
        };
        format!(
            "{action} {} #{} over {}",
            intent.id, intent.attempt, intent.baseline_result_id
        )
    });
    let receipts = status.receipts.clone().unwrap_or_default();
    let receipt = |receipt: Option<abb_operator::api::Receipt>| {
        receipt
            .map(|r| format!("{}:{:?}", r.token, r.outcome))
            .unwrap_or_default()
    };
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready");
    format!(
        "{:?} intent[{}] run[{}] request[{}] cancel[{}] last[{}] {}",
        status.state,
        intent.unwrap_or_default(),
        status
            .run
            .as_ref()
            .map(|run| format!("{:?} {:?}", run.origin, run.result_id))
            .unwrap_or_default(),
        receipt(receipts.request),
        receipt(receipts.cancel),
        status
            .last_result
            .as_ref()
            .map(|r| format!("{} {}", r.result_id, r.status_code))
            .unwrap_or_default(),
        ready
            .map(|ready| format!("{}: {}", ready.reason, ready.message))
            .unwrap_or_default(),
    )
}
