//! What the commands that show put on a screen, against the real API server, the running operator and the simulated NAS,
//! in a pseudo-terminal: compared with the pictures in `tests/fixtures/screens`, which `UPDATE_SCREENS=1` draws anew. The
//! live view: changes, sizes, an API server that is away, and how it ends.

mod live;
mod picture;
mod states;
mod trouble;

use picture::{compare, plugin, print_in};
use states::States;

/// Columns of the terminals of the pictures.
const WIDTHS: [u16; 2] = [80, 140];

#[tokio::test]
async fn each_command_shows_every_state() {
    let states = States::new().await;
    for (name, arguments) in [
        ("status", &["status"][..]),
        ("status-wide", &["status", "-o", "wide"]),
        ("status-named", &["status", "mail", "twin"]),
        ("status-labels", &["status", "-l", "tier=gold"]),
        ("status-no-labels", &["status", "-l", "tier=lead"]),
        ("history", &["history", "files"]),
        ("history-wide", &["history", "files", "-o", "wide"]),
        ("history-running", &["history", "video"]),
        ("history-empty", &["history", "photos"]),
        ("history-unbound", &["history", "gone"]),
        ("tasks", &["tasks", "nas"]),
        ("tasks-wide", &["tasks", "nas", "-o", "wide"]),
    ] {
        for width in WIDTHS {
            let screen = print_in(&states.lab.namespace, arguments, width).await;
            compare(&format!("{name}-{width}"), &screen);
        }
        let (code, text, err) = plugin(&states.lab.namespace, arguments, &[]).await;
        assert_eq!(code, 0, "{arguments:?}: {err}");
        assert!(!text.contains('\u{1b}'), "colours in a pipe: {text:?}");
        compare(&format!("{name}-piped"), &text);
    }
    states.sessions_are_ended();
}
