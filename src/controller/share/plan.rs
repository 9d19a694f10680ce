//! Who takes and who gives what: a pure function of what one process knows. Processes that know the same give and take the
//! same, so they do not race; where they know different things, the compare-and-swap decides.
//!
//! With N servers and M members each has N / M of them, rounded down or up. What is within that does not move. The
//! remainder goes to the first members in the order of their slots.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::{
    Mode,
    lease::{Leases, Record, Takes},
    view::{Life, View},
};
use crate::controller::ServerKey;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Move {
    /// Read all Leases: whether somebody who was not heard of is really gone.
    Look,
    /// Take a slot.
    Claim(u32),
    /// Lead: everything, or what belongs to no server.
    Lead,
    /// Take a server.
    Take(ServerKey),
    /// Give a server away, or up.
    Give(ServerKey),
    /// Give the slot up: somebody leads alone.
    Retire,
    /// Delete a Lease that nobody needs.
    Drop(String),
    /// A Lease that was deleted while it was held is nobody's now.
    Forget(String),
}

/// What one process knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation<'a> {
    pub(super) leases: &'a Leases,
    pub(super) mode: Mode,
    /// It is about to end.
    pub(super) is_leaving: bool,
    /// The slot it holds.
    pub(super) slot: Option<u32>,
    /// What it knows of the Leases is at least as new as its hold on the slot.
    pub(super) is_current: bool,
    /// The servers that exist with the names of their Leases, once they are known.
    pub(super) servers: Option<&'a BTreeMap<ServerKey, String>>,
    /// The servers it has.
    pub(super) owned: &'a BTreeSet<ServerKey>,
    /// The slot that is being taken, or was to be a moment ago.
    pub(super) claiming: Option<u32>,
    /// Servers on their way out: their last pass is waited for, or their Lease is being released.
    pub(super) outgoing: &'a BTreeSet<ServerKey>,
    /// Takes and releases of servers are under way.
    pub(super) is_busy: bool,
    pub(super) view: &'a View,
    pub(super) now: Instant,
}

/// Says what is to be done, in the order of urgency.
pub(super) fn plan(situation: &Situation<'_>) -> Vec<Move> {
    let mut moves = Vec::new();
    if situation.view.is_anybody_silent(situation.me(), situation.now) {
        moves.push(Move::Look);
    }
    slot(situation, &mut moves);
    if situation.mode == Mode::Shared {
        servers(situation, &mut moves);
        tidy(situation, &mut moves);
    }
    moves
}

impl Situation<'_> {
    fn me(&self) -> &str {
        &self.leases.identity
    }

    fn may_act(&self, identity: &str) -> bool {
        !identity.is_empty() && self.view.life(identity, self.now) != Life::Dead
    }

    /// The slots that somebody holds who may act.
    fn occupied(&self) -> Vec<(u32, &Record)> {
        let mut slots = self.view.slots();
        slots.retain(|(_, record)| record.holder == self.me() || self.may_act(&record.holder));
        slots
    }

    fn sole_leader(&self) -> Option<&str> {
        self.view.sole_leader(self.me(), self.now)
    }
}

fn slot(situation: &Situation<'_>, moves: &mut Vec<Move>) {
    let occupied = situation.occupied();
    let others = || {
        occupied
            .iter()
            .filter(|(_, record)| record.holder != situation.me())
    };
    let is_alone = situation.mode == Mode::Single || situation.sole_leader().is_some();
    // Its own, by a write of which it has heard nothing.
    let forgotten = occupied
        .iter()
        .find(|(_, record)| record.holder == situation.me());
    match situation.slot {
        None if situation.is_leaving => {}
        None if forgotten.is_some() && !(is_alone && forgotten.is_some_and(|(index, _)| *index > 0)) => {
            moves.extend(forgotten.map(|(index, _)| Move::Claim(*index)));
        }
        // Whoever takes everything has the first slot: there is no other to wait for.
        None if is_alone => {
            if situation.sole_leader().is_none() && !others().any(|(index, _)| *index == 0) {
                moves.push(Move::Claim(0));
            }
        }
        // Behind all the others, so that those who were there before keep their order.
        None => moves.push(Move::Claim(
            others().map(|(index, _)| index + 1).max().unwrap_or(0),
        )),
        Some(0) => {
            let is_first = situation.mode == Mode::Shared || others().next().is_none();
            if situation.is_current && is_first && !situation.is_leaving {
                moves.push(Move::Lead);
            }
        }
        Some(_) if situation.is_leaving => {}
        Some(_) if situation.sole_leader().is_some() => {
            if situation.owned.is_empty() && !situation.is_busy {
                moves.push(Move::Retire);
            }
        }
        Some(mine) => {
            let below = others().map(|(index, _)| *index).filter(|index| *index < mine);
            let lowest = below.map(|index| index + 1).max().unwrap_or(0);
            if lowest < mine {
                moves.push(Move::Claim(lowest));
            }
        }
    }
}

/// Whose a server is.
enum Owner<'a> {
    /// It may be taken.
    Nobody,
    /// This process's, by its Lease.
    Me,
    /// A member's.
    Member(&'a str),
    /// Somebody's who may still act, and is no member.
    Other,
}

fn owner<'a>(situation: &Situation<'a>, members: &[&'a str], name: &str) -> Owner<'a> {
    let deleted = || {
        situation
            .view
            .deleted(name, situation.now)
            .map(|(record, _)| record)
    };
    let Some(record) = situation.view.get(name).or_else(deleted) else {
        return Owner::Nobody;
    };
    if record.holder == situation.leases.identity {
        return Owner::Me;
    }
    match members.iter().find(|member| **member == record.holder) {
        Some(member) => Owner::Member(member),
        None if situation.may_act(&record.holder) => Owner::Other,
        None => Owner::Nobody,
    }
}

fn servers(situation: &Situation<'_>, moves: &mut Vec<Move>) {
    let me = situation.me();
    let Some(servers) = situation.servers else { return };
    let is_mine = |name: &String| {
        let record = situation.view.get(name);
        record.is_some_and(|record| record.holder == me)
    };
    // A version that knew one leader only, or somebody who leads alone; that the former is dead is certain only when its
    // Lease has been taken.
    let is_older = |record: &Record| !record.is_watched && !record.holder.is_empty() && record.holder != me;
    let gives_all = situation.is_leaving
        || situation.sole_leader().is_some()
        || situation
            .view
            .get(&situation.leases.slot(0))
            .is_some_and(is_older);
    // Somebody else has written there, or the server is gone.
    let is_kept = |server: &ServerKey| !gives_all && servers.get(server).is_some_and(is_mine);
    let mut given: BTreeSet<&ServerKey> = situation.owned.iter().filter(|server| !is_kept(server)).collect();
    if gives_all {
        given.extend(
            servers
                .iter()
                .filter(|(_, name)| is_mine(name))
                .map(|(server, _)| server),
        );
    }
    moves.extend(given.into_iter().cloned().map(Move::Give));
    if gives_all {
        return;
    }
    if situation.slot.is_none() || !situation.is_current {
        return;
    }
    let occupied = situation.occupied();
    let mut members: Vec<&str> = Vec::new();
    for (_, record) in &occupied {
        let shares = record.takes == Takes::Share || record.holder == me;
        if shares && !members.contains(&record.holder.as_str()) {
            members.push(&record.holder);
        }
    }
    let mut counts: BTreeMap<&str, usize> = members.iter().map(|member| (*member, 0)).collect();
    let mut free: Vec<&ServerKey> = Vec::new();
    for (server, name) in servers {
        if situation.outgoing.contains(server) {
            continue;
        }
        match owner(situation, &members, name) {
            Owner::Nobody => free.push(server),
            Owner::Me => {
                *counts.entry(me).or_default() += 1;
                if !situation.owned.contains(server) {
                    moves.push(Move::Take(server.clone()));
                }
            }
            Owner::Member(member) => *counts.entry(member).or_default() += 1,
            Owner::Other => {}
        }
    }
    let targets = targets(&members, &counts, servers.len());
    let surplus = counts
        .get(me)
        .copied()
        .unwrap_or(0)
        .saturating_sub(targets.get(me).copied().unwrap_or(0));
    let stays = |server: &&ServerKey| is_kept(server) && !situation.outgoing.contains(*server);
    let mine = situation.owned.iter().rev().filter(stays);
    moves.extend(mine.take(surplus).cloned().map(Move::Give));
    for server in free {
        // The neediest first; of several, the first in order.
        let need = |member: &&&str| targets[*member].saturating_sub(counts[*member]);
        let Some(next) = members.iter().rev().max_by_key(need) else {
            break;
        };
        if need(&next) == 0 {
            break;
        }
        *counts.entry(next).or_default() += 1;
        if *next == me {
            moves.push(Move::Take(server.clone()));
        }
    }
}

/// How many servers each member is to have: all the same, and of those that have more already the first keep one of the
/// remainder, before the first that have not.
fn targets<'a>(
    members: &[&'a str],
    counts: &BTreeMap<&'a str, usize>,
    servers: usize,
) -> BTreeMap<&'a str, usize> {
    if members.is_empty() {
        return BTreeMap::new();
    }
    let (share, remainder) = (servers / members.len(), servers % members.len());
    let has_more = |member: &&&str| counts[*member] > share;
    let with = members.iter().filter(has_more);
    let without = members.iter().filter(|member| !has_more(member));
    let favoured: BTreeSet<&str> = with.chain(without).take(remainder).copied().collect();
    members
        .iter()
        .map(|member| (*member, share + usize::from(favoured.contains(member))))
        .collect()
}

/// What nobody needs: the holder of the first slot sees to it, and everybody to what is its own.
fn tidy(situation: &Situation<'_>, moves: &mut Vec<Move>) {
    let (view, me) = (situation.view, situation.me());
    let Some(slot) = situation.slot.filter(|_| situation.is_current) else {
        return;
    };
    // One below may be on its way to being the slot.
    let moves_down = situation.claiming.is_some() || moves.iter().any(|next| matches!(next, Move::Claim(_)));
    let own = view
        .slots()
        .into_iter()
        .filter(|(index, record)| record.holder == me && (*index > slot || *index < slot && !moves_down));
    moves.extend(own.map(|(_, record)| Move::Drop(record.name.clone())));
    let Some(servers) = situation.servers else { return };
    let names: BTreeSet<&String> = servers.values().collect();
    for record in view.of_servers() {
        if let Some((_, is_late)) = view.deleted(&record.name, situation.now) {
            let is_left = record.holder != me && (is_late || !situation.may_act(&record.holder));
            if is_left || !names.contains(&record.name) {
                moves.push(Move::Forget(record.name.clone()));
            }
        } else if !names.contains(&record.name) {
            let is_used = |server: &ServerKey| situation.leases.server(server) == record.name;
            let mut used = situation.owned.iter().chain(situation.outgoing);
            let is_unused = record.holder == me && !used.any(is_used);
            if is_unused || slot == 0 && !situation.may_act(&record.holder) {
                moves.push(Move::Drop(record.name.clone()));
            }
        }
    }
    if slot == 0 && !situation.is_leaving {
        let last = situation.occupied().last().map_or(0, |(index, _)| *index);
        let unneeded = view.slots().into_iter().filter(|(index, _)| *index > last);
        moves.extend(unneeded.map(|(_, record)| Move::Drop(record.name.clone())));
    }
}
