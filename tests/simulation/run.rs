//! One run: a scenario under a plan, to the end. The same two give the same run on every machine.

use std::{sync::Arc, time::Duration};

use abb_operator::{
    api::{BackupServer, IntentAction, ReceiptOutcome, State},
    clock::Clock,
    simulator::{Control, Nas, RequestRecord},
};
use jiff::SignedDuration;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    api_server::ApiServer,
    faults::Plan,
    scenarios::{self, Do, Scenario},
    weak::Protocol,
    world::{PROCESSES, World},
};

/// Simulated time within which everything must be settled once nothing goes wrong any more: an accepted call without
/// a trace is waited for for a day.
const PATIENCE: Duration = Duration::from_secs(26 * 3600);
/// What was in a watch's lag or in a process's sleep may still come in the first minutes.
const GRACE: Duration = Duration::from_secs(300);
/// Simulated time after that in which nothing may be written or sent.
const QUIET: Duration = Duration::from_secs(600);

/// What came of a run.
pub struct Outcome {
    /// Calls made until all was settled; what comes after is the same in every run.
    pub steps: u64,
    /// The first thing that must not be.
    pub violation: Option<String>,
    /// Tokens whose outcome could not be found out.
    pub unknown: u32,
    /// How the first task's token ended.
    pub answer: Option<ReceiptOutcome>,
    /// What happened, where it was asked for.
    pub trace: Vec<String>,
}

/// Runs a scenario under a plan.
pub fn run(scenario: &Scenario, plan: &Plan, traced: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(under(scenario, plan, traced, QUIET))
}

/// The same with a longer quiet time at the end.
fn run_quietly_for(scenario: &Scenario, quiet: Duration) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(under(scenario, &Plan::default(), false, quiet))
}

/// Tells every story and waits after its end, in which time nothing is to happen: for how long is said by its number.
pub fn assert_quiet_for(quiet: impl Fn(usize) -> Duration + Sync) {
    let scenarios = scenarios::all();
    let all_quiet = |first: usize| {
        for (number, scenario) in scenarios.iter().enumerate().skip(first).step_by(2) {
            let outcome = run_quietly_for(scenario, quiet(number));
            assert_eq!(outcome.violation, None, "{}", scenario.name);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| all_quiet(1));
        all_quiet(0);
    });
}

/// The world at its beginning.
fn world_of(scenario: &Scenario, plan: &Plan, protocol: Protocol, traced: bool) -> Arc<World> {
    let begin = scenarios::start();
    let clock = Clock::starting_at(begin);
    let nas = Nas::new(scenario.nas.clone(), 1.0, begin).unwrap();
    // A Lease that nobody renewed yet; the objects are a moment old.
    let before = begin - SignedDuration::from_secs(1);
    let mut api = ApiServer::new(scenario.server.clone(), scenario.tasks.clone(), before);
    api.edit_secret(scenario.secret);
    let world = World::new(api, nas, clock, protocol, plan.clone(), traced);
    let is_asked = scenario.nas.behaviour.two_factor && scenario.nas.totp_secret.is_some();
    {
        let mut state = world.lock();
        state.judge.is_told_unknown_numbers = scenario.nas.behaviour.unknown_enums;
        state.has_codes_by_time = is_asked;
    }
    world
}

fn begin(world: &Arc<World>) -> Vec<JoinHandle<()>> {
    (0..PROCESSES)
        .map(|process| tokio::spawn(Arc::clone(world).process(process)))
        .collect()
}

async fn under(scenario: &Scenario, plan: &Plan, traced: bool, quiet: Duration) -> Outcome {
    let world = world_of(scenario, plan, Protocol::Ours, traced);
    let processes = begin(&world);
    let ended = tell(&world, scenario, quiet).await;
    for process in processes {
        process.abort();
    }
    let mut state = world.lock();
    let mut unknown = 0;
    let steps = *ended.as_ref().unwrap_or(&state.steps);
    if let Err(why) = ended {
        state.judge.violation.get_or_insert(why);
    } else {
        let tasks: Vec<_> = state.api.now().tasks.values().cloned().collect();
        for task in tasks {
            unknown += state.judge.at_the_end(&task);
        }
    }
    let asked = state.judge.asks.iter().filter(|ask| ask.is(IntentAction::Backup));
    let backups: usize = asked.map(|ask| ask.effects as usize).sum();
    if plan.faults.is_empty()
        && unknown == 0
        && state.judge.violation.is_none()
        && backups != scenario.backups
    {
        state.judge.violation = Some(format!("{backups} runs where {} were to be", scenario.backups));
    }
    let first = state.api.now().tasks.values().next().cloned();
    let status = first.as_ref().and_then(|task| task.status.as_ref());
    let answer = status
        .and_then(|status| status.receipts.as_ref()?.request.as_ref())
        .map(|receipt| receipt.outcome);
    if plan.faults.is_empty() && state.judge.violation.is_none() {
        let ends = status.and_then(|status| status.state);
        let is_expected = scenario.answer.is_none_or(|expected| answer == Some(expected));
        if !is_expected || ends.is_some_and(|state| state != scenario.ends) {
            let (answered, end) = (scenario.answer, scenario.ends);
            state.judge.violation = Some(format!(
                "it ends as {ends:?} with {answer:?}, not as {end:?} with {answered:?}"
            ));
        }
    }
    if plan.faults.is_empty() && state.judge.violation.is_none() {
        let unmet = unmet(scenario, &state.nas.lock());
        state.judge.violation = unmet;
    }
    Outcome {
        answer,
        steps,
        violation: state.judge.violation.clone(),
        unknown,
        trace: state.trace.take().unwrap_or_default(),
    }
}

/// The first part of a run, however it goes on: what was asked of the NAS, and the server as it is then.
#[allow(dead_code, reason = "the test's")]
pub fn watch(scenario: &Scenario, plan: &Plan, time: Duration) -> (Vec<RequestRecord>, BackupServer) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = world_of(scenario, plan, Protocol::Ours, false);
        let processes = begin(&world);
        let begun = Instant::now();
        for (second, deed) in &scenario.script {
            tokio::time::sleep_until(begun + Duration::from_secs(*second)).await;
            see(&world, deed).unwrap();
            carry_out(&world, deed);
        }
        tokio::time::sleep_until(begun + time).await;
        for process in processes {
            process.abort();
        }
        let state = world.lock();
        let requests = state.nas.lock().requests().to_vec();
        (requests, BackupServer::clone(&state.api.now().server))
    })
}

/// A fault of the story that never came: then the story does not show what its name says.
fn unmet(scenario: &Scenario, nas: &Nas) -> Option<String> {
    let told = scenario.script.iter().filter_map(|(_, deed)| match deed {
        Do::Nas(Control::AddFault(fault)) => Some(fault),
        _ => None,
    });
    let mut told = scenario.nas.faults.iter().chain(told);
    let unmet = told.find(|fault| fault.times > 0 && nas.waiting_faults().contains(fault));
    unmet.map(|fault| format!("nothing met {fault:?}"))
}

/// Backups in the ledger for the one token of a scenario under another protocol, 25 minutes later.
pub fn backups_of(protocol: Protocol, scenario: &Scenario, plan: &Plan) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = world_of(scenario, plan, protocol, false);
        let processes = begin(&world);
        sleep(Duration::from_secs(1500)).await;
        for process in processes {
            process.abort();
        }
        let state = world.lock();
        let nas = state.nas.lock();
        nas.ledger()
            .iter()
            .filter(|effect| effect.kind == "backup")
            .count()
    })
}

/// Tells the story, waits until all is settled, and then until it has been quiet for a while. Gives the number of
/// calls until all was settled.
async fn tell(world: &Arc<World>, scenario: &Scenario, quiet: Duration) -> Result<u64, String> {
    let begun = Instant::now();
    for (second, deed) in &scenario.script {
        tokio::time::sleep_until(begun + Duration::from_secs(*second)).await;
        if world.is_sound() {
            see(world, deed)?;
        }
        carry_out(world, deed);
    }
    let scheduled = begun + Duration::from_secs(scenario.lasts);
    let mut settled_since: Option<(Instant, u64, usize)> = None;
    let mut steps = 0;
    let mut calls = Calls::default();
    loop {
        // What happens in a long quiet time is counted, however far apart the looks are.
        let is_quiet = settled_since.is_some_and(|(since, ..)| since.elapsed() > GRACE);
        sleep(Duration::from_secs(if is_quiet { 30 } else { 5 })).await;
        if let Some(violation) = &world.lock().judge.violation {
            return Err(violation.clone());
        }
        let is_settled = Instant::now() > scheduled && world.is_calm() && is_settled(world, scenario);
        let (writes, mutations) = calls.marks(world);
        match settled_since {
            _ if !is_settled => settled_since = None,
            None => {
                steps = world.lock().steps;
                settled_since = Some((Instant::now(), writes, mutations));
            }
            Some((since, old_writes, old_mutations)) => {
                let passed = since.elapsed();
                if passed <= GRACE {
                    settled_since = Some((since, writes, mutations));
                } else if (writes, mutations) != (old_writes, old_mutations) {
                    return Err(format!(
                        "I6: {} writes and {} calls after all was settled",
                        writes - old_writes,
                        mutations - old_mutations
                    ));
                } else if passed > GRACE + quiet {
                    return Ok(steps);
                }
            }
        }
        if begun.elapsed() > PATIENCE + quiet {
            let state = world.lock();
            let tasks: Vec<String> = state
                .api
                .now()
                .tasks
                .values()
                .map(|task| super::world::brief(task))
                .collect();
            return Err(format!("I2: not settled after {PATIENCE:?}: {tasks:?}"));
        }
    }
}

/// What the first task, or the server, says of itself is what the scenario expects, and so is what the NAS answered.
fn see(world: &Arc<World>, deed: &Do) -> Result<(), String> {
    let state = world.lock();
    if let Do::Answered(method, outcome) = deed {
        let nas = state.nas.lock();
        let mut asked = nas.requests().iter().filter(|request| request.method == *method);
        let is_met = asked.any(|request| request.outcome == *outcome);
        return is_met
            .then_some(())
            .ok_or_else(|| format!("{method} was to be answered {outcome}"));
    }
    if let Do::NeverAnswered(method, outcome) = deed {
        let nas = state.nas.lock();
        let mut asked = nas.requests().iter().filter(|request| request.method == *method);
        return match asked.find(|request| request.outcome == *outcome) {
            Some(met) => Err(format!("{method} was answered {outcome} at {}", met.at)),
            None => Ok(()),
        };
    }
    if let Do::Entries(kind, wanted) = deed {
        let nas = state.nas.lock();
        let count = nas.ledger().iter().filter(|effect| effect.kind == *kind).count();
        return (count == *wanted)
            .then_some(())
            .ok_or_else(|| format!("{count} entries of {kind:?} where {wanted} were to be"));
    }
    let now = state.api.now();
    let task = now.tasks.values().next();
    let (reason, conditions) = match deed {
        Do::See(reason) => (
            reason,
            task.and_then(|task| Some(&task.status.as_ref()?.conditions)),
        ),
        Do::SeeServer(reason) => (
            reason,
            now.server.status.as_ref().map(|status| &status.conditions),
        ),
        _ => return Ok(()),
    };
    let mut shown = conditions.into_iter().flatten();
    if shown.any(|condition| condition.reason == reason.as_str()) {
        return Ok(());
    }
    let task = task.map(|task| super::world::brief(task)).unwrap_or_default();
    Err(format!("{reason:?} was to be seen: {conditions:?} of {task}"))
}

fn carry_out(world: &Arc<World>, deed: &Do) {
    let now = world.clock.now();
    match deed {
        Do::Edit(name, change) => {
            world.note(|| format!("      user edits {name}"));
            world.lock().api.edit(name, now, change);
        }
        Do::EditServer(change) => {
            world.note(|| "      user edits the server".to_owned());
            world.lock().api.edit_server(now, change);
        }
        Do::Delete(name) => {
            world.note(|| format!("      user deletes {name}"));
            world.lock().api.delete(name, now);
        }
        Do::Secret(keys) => {
            world.note(|| "      user edits the Secret".to_owned());
            world.lock().api.edit_secret(keys);
        }
        Do::Nas(control) => world.control(control.clone()),
        Do::See(_) | Do::SeeServer(_) | Do::Answered(..) | Do::NeverAnswered(..) | Do::Entries(..) => {
            return;
        }
    }
    world.wake();
}

/// Calls of the operator that change something, counted as the requests come in.
#[derive(Default)]
struct Calls {
    seen: usize,
    count: usize,
}

impl Calls {
    /// Writes and such calls so far.
    fn marks(&mut self, world: &Arc<World>) -> (u64, usize) {
        let state = world.lock();
        let nas = state.nas.lock();
        let new = &nas.requests()[self.seen..];
        let is_call = |method: &str| matches!(method, "backup" | "cancel" | "remove");
        self.count += new.iter().filter(|request| is_call(&request.method)).count();
        self.seen += new.len();
        (state.api.writes, self.count)
    }
}

/// Whether nothing is open: no call, no run, no token without an end.
fn is_settled(world: &Arc<World>, scenario: &Scenario) -> bool {
    let state = world.lock();
    let tasks = &state.api.now().tasks;
    // What goes without our doing may be gone before it is asked for.
    let vanishes = |(_, deed): &(u64, Do)| matches!(deed, Do::Nas(Control::VanishTask { .. }));
    let may_miss = scenario.script.iter().any(vanishes);
    tasks.values().all(|task| {
        let Some(status) = &task.status else { return false };
        let receipts = status.receipts.clone().unwrap_or_default();
        let token = &task.spec.triggers.request;
        let answered = token.as_ref().is_none_or(|token| {
            receipts
                .request
                .as_ref()
                .is_some_and(|receipt| receipt.token == *token && receipt.outcome.is_final())
        });
        let cancel = task.spec.cancel.as_ref().is_none_or(|cancel| {
            receipts
                .cancel
                .as_ref()
                .is_some_and(|r| r.token == cancel.request && r.outcome.is_final())
        });
        let open = status.intent.is_some() || status.run.is_some() || status.due_since.is_some();
        let waits = status.next_attempt_time.is_some() || status.retry_attempt.is_some();
        let is_removed = status.state == Some(State::Removed);
        let is_missed = may_miss && status.state == Some(State::Missing);
        let removing = scenario.ends == State::Removed && !is_removed && !is_missed;
        answered && cancel && !open && !waits && !removing && task.metadata.deletion_timestamp.is_none()
    })
}
