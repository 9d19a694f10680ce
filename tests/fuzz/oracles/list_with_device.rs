//! As for the list of tasks: each pair is what a second reader finds.

use abb_operator::nas::wire::device_task_list;

use super::reference::text;
use super::task_list::{compare, list_of_tree, of_model, of_tree};

pub fn check(body: &[u8]) {
    compare(
        body,
        device_task_list,
        |list| {
            let pairs = list
                .tasks
                .iter()
                .map(|pair| (pair.unique_id.clone(), of_model(&pair.task)))
                .collect();
            (pairs, list.total, list.unreadable_rows, list.is_complete())
        },
        |tree| {
            list_of_tree(tree, ("tasks", "total"), |row| {
                Some((text(row.get("unique_id")), of_tree(row)?))
            })
        },
    );
}
