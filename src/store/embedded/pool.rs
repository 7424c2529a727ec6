//! The threads that read, each with a connection of its own, so that a replay never stands in the way of a commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use tokio::sync::{mpsc, oneshot};

use super::{error::closed, reader::Reader};
use crate::store::StoreError;

/// Reads that may wait for a free reader; further ones wait in the task that asks, in the order in which they came.
const QUEUE: usize = 64;

type Read = Box<dyn FnOnce(&Reader) + Send>;

/// What a reader is asked.
enum Request {
    /// To do this.
    Read(Read),
    /// To end: one for each reader.
    Stop,
}

/// The readers.
pub(super) struct Pool {
    requests: Requests,
    threads: Vec<JoinHandle<()>>,
}

/// Where reads are asked for.
#[derive(Clone)]
pub(super) struct Requests {
    queue: mpsc::Sender<Request>,
}

impl Pool {
    /// Opens `readers` connections, at least one, and starts their threads.
    pub(super) fn open(path: &Path, readers: usize) -> Result<Self, StoreError> {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let inbox = Arc::new(Mutex::new(inbox));
        let mut threads = Vec::new();
        for number in 0..readers.max(1) {
            let reader = Reader::open(path)?;
            let inbox = Arc::clone(&inbox);
            let thread = thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || run(&reader, &inbox))
                .map_err(|error| StoreError::Unavailable(format!("cannot start its readers: {error}")))?;
            threads.push(thread);
        }
        Ok(Self { requests: Requests { queue }, threads })
    }

    pub(super) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Answers what waits in the queue, then ends; blocks until the last connection is closed.
    pub(super) fn close(self) {
        for _ in &self.threads {
            // An error says that they have ended already.
            let _ = self.requests.queue.blocking_send(Request::Stop);
        }
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

impl Requests {
    /// Asks the next free reader. A read that nobody waits for any more when its turn comes is left out.
    pub(super) async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Read(Box::new(move |reader| {
            if !answer.is_closed() {
                let _ = answer.send(read(reader));
            }
        }));
        self.queue.send(request).await.map_err(|_| closed())?;
        // Dropped unanswered: the readers ended before its turn, or it panicked.
        answered.await.map_err(|_| StoreError::Unavailable("a read was not answered".into()))?
    }
}

fn run(reader: &Reader, inbox: &Mutex<mpsc::Receiver<Request>>) {
    loop {
        let request = inbox.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match request {
            // A panic drops the answer, which tells the one who waits; the connection only reads and is as good as before.
            Some(Request::Read(read)) => drop(catch_unwind(AssertUnwindSafe(|| read(reader)))),
            Some(Request::Stop) | None => return,
        }
    }
}
