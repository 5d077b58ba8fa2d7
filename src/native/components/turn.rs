//! Whose turn it is: the components of a worker begin one after the other, and clients come after those of the router.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time;

/// How long others wait for a component that does not become ready: its `onJoin` may be meant to run for ever.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Held until a component is ready, or its first start has failed; dropped then.
pub(super) type Held = Arc<oneshot::Sender<()>>;

/// The wait for one component that goes before others.
#[derive(Debug)]
pub(super) struct Wait {
    /// Where that component stands in the configuration.
    pub path: String,
    end: oneshot::Receiver<()>,
}

/// A component's place among those of its worker. Default: it waits for nobody, and nobody for it.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// For the component before it, if there is one that has not been waited for.
    pub before: Option<Wait>,
    /// Those behind it wait as long as it is there: here until its turn has come, and where its output is read.
    pub held: Option<Held>,
}

impl Turn {
    /// The place of the component at `path`, behind the one that `before` waits for, and the wait for it.
    pub(super) fn behind(before: Option<Wait>, path: &str) -> (Self, Wait) {
        let (held, end) = oneshot::channel();
        (Self { before, held: Some(Arc::new(held)) }, Wait { path: path.to_owned(), end })
    }

    /// For the reader of the component's output. Whoever ends before its turn holds those behind it until that has come.
    pub(super) fn hold(&mut self) -> Option<Held> {
        if self.before.is_some() { self.held.clone() } else { self.held.take() }
    }

    /// Waits until it has come, but not for ever.
    pub(super) async fn come(&mut self) {
        if let Some(before) = &mut self.before {
            if time::timeout(PATIENCE, before.end()).await.is_err() {
                tracing::warn!(
                    target: "wamplet::components",
                    "{}: not ready after {PATIENCE:?}: the component behind it begins",
                    before.path,
                );
            }
            self.before = None;
        }
    }
}

impl Wait {
    /// Waits until the component is ready, or has failed.
    pub(super) async fn end(&mut self) {
        // Nothing is ever sent: it is the end of the other side that is waited for.
        let _ = (&mut self.end).await;
    }
}
