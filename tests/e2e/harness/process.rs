//! A child process that cannot outlive the test process. It runs below a shell that reads signal names from a
//! pipe held by the test process; the kernel closes the pipe when the test process ends in whatever way, and
//! the shell then kills the child.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use super::eventually::attempt;

/// `$@` is the program. Standard input carries signal names, one a line; its end means KILL. The shell ends
/// with the child and with the child's exit code (128 + n after signal n).
const SUPERVISOR: &str = r#"
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{ while read -r signal <&3; do kill -s "$signal" "$child"; done; kill -s KILL "$child"; } 2>/dev/null &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill -s KILL "$watcher" 2>/dev/null
exit "$code"
"#;

/// A running child with its output in a file.
#[derive(Debug)]
pub struct Process {
    shell: Child,
    signals: Option<ChildStdin>,
    output: PathBuf,
}

impl Process {
    /// Starts the program; standard output and standard error go to the file `output`.
    pub fn start(
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        output: &Path,
    ) -> io::Result<Self> {
        let file = File::create(output)?;
        let mut shell = Command::new("sh")
            .args(["-c", SUPERVISOR, "sh"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let signals = shell.stdin.take();
        Ok(Self {
            shell,
            signals,
            output: output.to_owned(),
        })
    }

    /// Sends a signal by its name, such as `TERM`; nothing if the child has ended.
    pub fn signal(&mut self, name: &str) {
        if let Some(pipe) = &mut self.signals {
            let _ended = writeln!(pipe, "{name}").and_then(|()| pipe.flush());
        }
    }

    /// The exit status, once there is one.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().unwrap()
    }

    /// Waits for the end of the child.
    ///
    /// # Panics
    /// With the output when the deadline has passed.
    pub async fn ended_within(&mut self, deadline: Duration) -> ExitStatus {
        let status = attempt(deadline, async || self.exit_status()).await;
        status.unwrap_or_else(|_| {
            panic!(
                "the process has not ended within {deadline:?}; its output:\n{}",
                self.output()
            )
        })
    }

    /// What the child has written so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signals = None;
        let _already_ended = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleep() -> Process {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let output = tempfile::NamedTempFile::new_in(directory).unwrap();
        Process::start(Path::new("sleep"), &["1000".to_owned()], &[], output.path()).unwrap()
    }

    #[tokio::test]
    async fn a_signal_reaches_the_child_and_its_code_comes_back() {
        for (signal, code) in [("TERM", 128 + 15), ("KILL", 128 + 9)] {
            let mut child = sleep();
            assert_eq!(child.exit_status(), None);
            child.signal(signal);
            assert_eq!(
                child.ended_within(Duration::from_secs(10)).await.code(),
                Some(code)
            );
        }
    }

    #[tokio::test]
    async fn the_end_of_the_pipe_ends_the_child() {
        let mut child = sleep();
        child.signals = None;
        assert_eq!(
            child.ended_within(Duration::from_secs(10)).await.code(),
            Some(128 + 9)
        );
    }
}
