//! A worker's thread and its runtime.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use super::{Inbox, Parts, Scheme, Settings, Worker, ring};
use crate::accept::{accept, accept_waiting, receive};

/// Time in which the reactor looks at new connections at least once.
const REACTION: Duration = Duration::from_millis(2);

/// What the workers are told to do; each step includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Accept and serve.
    Serve,
    /// Accept no more: another process does. Connections end behind the request that they carry.
    Leave,
    /// Accept no more; close idle connections, and busy ones when they become idle.
    Drain,
    /// End now.
    Stop,
}

/// Starts the worker's thread. It ends after [`Phase::Stop`], and with it every connection that is left.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub fn spawn(
    number: usize,
    parts: Parts,
    listeners: Vec<(Scheme, TcpListener)>,
    inbox: Inbox,
    phase: watch::Receiver<Phase>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                // Many connections are served before the next look at the sockets, so that the frames that they leave on
                // one connection of HTTP/2 go out together.
                .event_interval(512)
                .build_local(Default::default());
            match runtime {
                Ok(runtime) => {
                    runtime.block_on(run(parts, listeners, inbox, phase));
                    // Not waited for: a name look-up may still be under way.
                    runtime.shutdown_background();
                }
                Err(error) => tracing::error!(target: "router", %error, "worker-failed"),
            }
        })
}

async fn run(
    parts: Parts,
    listeners: Vec<(Scheme, TcpListener)>,
    inbox: Inbox,
    mut phase: watch::Receiver<Phase>,
) {
    if parts.io_uring {
        match ring::start() {
            Ok(driver) => drop(tokio::task::spawn_local(driver)),
            Err(error) => tracing::warn!(target: "router", %error, "io-uring-refused"),
        }
    }
    let settings = parts.settings.clone();
    let worker = Worker::new(parts);
    tokio::task::spawn_local(Rc::clone(&worker).tick());
    tokio::task::spawn_local(renew(Rc::clone(&worker), settings));
    let mut accepting = Vec::new();
    for (scheme, listener) in listeners {
        let opened = listener.try_clone().and_then(|same| {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let task = tokio::task::spawn_local(accept(listener, scheme, Rc::clone(&worker)));
            Ok((task, scheme, same))
        });
        match opened {
            Ok(opened) => accepting.push(opened),
            Err(error) => tracing::error!(target: "router", %error, "worker-failed"),
        }
    }
    tokio::task::spawn_local(receive(inbox, Rc::clone(&worker)));
    // An error means that the control plane is gone: nothing is left to wait for.
    let next = phase.wait_for(|phase| *phase >= Phase::Leave).await;
    if let Ok(next) = next.map(|phase| *phase) {
        for (task, scheme, listener) in accepting.drain(..) {
            task.abort();
            // Who waits in the queue is left to the process that takes over.
            if next > Phase::Leave {
                accept_waiting(&listener, scheme, &worker.latest());
            }
        }
        worker.leave();
        // What was accepted just now looks idle until the reactor has heard of it.
        tokio::time::sleep(REACTION).await;
        drop(phase.wait_for(|phase| *phase >= Phase::Drain).await);
        worker.drain();
        drop(phase.wait_for(|phase| *phase >= Phase::Stop).await);
    }
    worker.log.borrow_mut().flush();
}

/// Brings new settings into force, until the thread ends. Keeps the worker under the latest ones.
async fn renew(mut worker: Rc<Worker>, mut settings: watch::Receiver<Settings>) {
    // An error means that the control plane is gone, and then so is the thread soon.
    while settings.changed().await.is_ok() {
        let latest = settings.borrow_and_update().clone();
        worker = worker.renew(latest);
    }
    std::future::pending().await
}
