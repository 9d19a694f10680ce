//! Results come newest number first; a row is over by its status or by an end that is not before its start; only status
//! 2 is a success.

use abb_operator::{api::ResultStatus, nas::wire::result_page};

use super::task_list::{compare, list_of_tree, result_of_model, result_of_tree};

pub fn check(body: &[u8]) {
    compare(
        body,
        result_page,
        |page| {
            let rows = page.rows.iter().map(result_of_model).collect();
            (rows, page.count, page.unreadable_rows, page.is_complete())
        },
        |tree| {
            list_of_tree(tree, ("results", "count"), result_of_tree).map(
                |(mut rows, count, unreadable, complete)| {
                    rows.sort_by_key(|row| std::cmp::Reverse(row.0));
                    (rows, count, unreadable, complete)
                },
            )
        },
    );
    let Ok(page) = result_page(body) else { return };
    assert!(
        page.rows
            .is_sorted_by(|one, next| one.result_id >= next.result_id)
    );
    for row in &page.rows {
        let ended = match (row.time_start, row.time_end) {
            (Some(start), Some(end)) => end >= start,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        assert_eq!(row.is_finished(), row.status != 1 || ended, "{row:?}");
        assert_eq!(
            ResultStatus::from_code(row.status) == ResultStatus::Success,
            row.status == 2,
            "{row:?}"
        );
        assert_eq!(row.is_backup(), row.job_action == 1, "{row:?}");
    }
}
