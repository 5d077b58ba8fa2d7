//! The socket through which a component comes in, once.
//!
//! It stands in a directory that nobody but this user can enter, under a name that nobody can guess, and lets in who
//! shows the ticket. The ticket reaches the component through its standard input, so that neither `ps` nor the
//! environment of a process shows it. With the first right ticket the door is gone.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::time;

use crate::native::secret::random_hex;

/// Bytes of a ticket, before they are written as hexadecimal digits.
const TICKET_LENGTH: usize = 32;
/// Time for a ticket, once somebody has connected.
const TICKET_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failure to accept: the process may be out of descriptors for a while.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A listening socket and who may come in.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    directory: Directory,
    ticket: String,
}

impl Door {
    /// A new door in `XDG_RUNTIME_DIR`, or else in the directory for temporary files.
    pub(super) fn open() -> Result<Self, String> {
        let runtime =
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let temporary = std::env::temp_dir();
        runtime
            .and_then(|parent| Self::open_in(&parent).ok())
            .map_or_else(|| Self::open_in(&temporary), Ok)
            .map_err(|error| format!("cannot make a socket in {}: {error}", temporary.display()))
    }

    fn open_in(parent: &Path) -> io::Result<Self> {
        let directory = Directory(parent.join(format!("wamplet-{}", random_hex(16)?)));
        DirBuilder::new().mode(0o700).create(&directory.0)?;
        let listener = UnixListener::bind(directory.socket())?;
        Ok(Self { listener, directory, ticket: random_hex(TICKET_LENGTH)? })
    }

    /// Where the component connects.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.socket()
    }

    /// What the component must send first.
    pub(super) fn ticket(&self) -> &str {
        &self.ticket
    }

    /// Waits for the component. Whoever comes without its ticket is sent away.
    pub(super) async fn admit(self) -> UnixStream {
        loop {
            let mut stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(target: "wamplet::components", "cannot accept a component: {error}");
                    time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let mut shown = [0; TICKET_LENGTH * 2];
            let read = time::timeout(TICKET_TIMEOUT, stream.read_exact(&mut shown)).await;
            if matches!(read, Ok(Ok(_))) && is_equal(&shown, self.ticket.as_bytes()) {
                return stream;
            }
            tracing::warn!(
                target: "wamplet::components",
                "refused a connection to {}: it did not show the ticket of the component",
                self.path().display(),
            );
        }
    }
}

/// A directory that holds one socket, and goes with it.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing depends on it: what is left holds no secret and leads nowhere.
        let _ = std::fs::remove_file(self.socket());
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Equality in a time that does not depend on where the two differ.
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |all, (left, right)| all | (left ^ right)) == 0
}
