//! One child from start to start, until it is over or given up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{self, Instant};

use super::Inside;
use super::process::{Ended, Failure, Program, stopped};
use super::restarts::{End, Next, Restarts};
use super::turn::Turn;

/// Runs the program again and again, as its policy says, until `stop` has a grace; for the first time when its turn has come.
pub(super) async fn supervise(
    program: Program,
    mut turn: Turn,
    inside: Arc<dyn Inside>,
    mut stop: watch::Receiver<Option<Duration>>,
) {
    let mut restarts = Restarts::new(program.restart());
    let (path, component) = (program.path(), program.name());
    // One that is inside may start meanwhile: it is not let in before its turn.
    if !program.is_inside() {
        tokio::select! {
            () = turn.come() => {}
            _ = stopped(&mut stop) => return,
        }
    }
    loop {
        let begun = Instant::now();
        let ended = program.run(&*inside, &mut turn, &mut stop).await;
        let (end, text) = match ended {
            Ended::Stopped => return,
            Ended::Finished => (End::Finished, "ended".to_owned()),
            Ended::Failed(Failure::Failed(text)) => (End::Failed, text),
            Ended::Failed(Failure::Hopeless(text)) => (End::Hopeless, text),
        };
        let delay = match restarts.next(end, begun.elapsed()) {
            Next::StartAfter(delay) => {
                tracing::warn!(
                    target: "wamplet::components",
                    component,
                    "{path}: {text}; starts again in {delay:?}",
                );
                Some(delay)
            }
            Next::Over if end == End::Finished => {
                tracing::info!(target: "wamplet::components", component, "{path}: {text}");
                None
            }
            Next::Over => {
                tracing::error!(
                    target: "wamplet::components",
                    component,
                    "{path}: {text}; not started again",
                );
                None
            }
            Next::GiveUp(failures) => {
                tracing::error!(
                    target: "wamplet::components",
                    component,
                    "{path}: {text}; given up after {failures} failed starts in a row",
                );
                None
            }
        };
        // It may have ended before its turn: those behind it still wait for the ones before it.
        let pause = async { tokio::join!(turn.come(), time::sleep(delay.unwrap_or_default())) };
        tokio::select! {
            _ = pause => turn.held = None,
            _ = stopped(&mut stop) => return,
        }
        if delay.is_none() {
            return;
        }
    }
}
