//! Which process talks to which port, from the kernel's own tables: who called a NAS is not what a process says of
//! itself.

use std::{collections::HashMap, fs};

/// Connections of a process over IPv4: its own port and the other side's.
pub fn connections(pid: u32) -> Vec<(u16, u16)> {
    let inodes: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|link| {
            let link = link.to_string_lossy().into_owned();
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = table();
    let own = inodes.iter().filter_map(|inode| table.get(inode));
    own.copied().collect()
}

/// Ports of all connections of the machine by the number of their socket.
fn table() -> HashMap<String, (u16, u16)> {
    let text = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let ports = (port(fields.get(1)?)?, port(fields.get(2)?)?);
            Some(((*fields.get(9)?).to_owned(), ports))
        })
        .collect()
}

/// The port of an address such as `http://127.0.0.1:5000` or `127.0.0.1:5000`.
pub fn port_of(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}
