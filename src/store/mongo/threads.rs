//! The threads that the driver runs on: its calls and what it does in the background end there, and nobody drops them half way.

use tokio::{runtime::Runtime, task::JoinHandle};

use crate::store::StoreError;

/// One for the commits, one for what is read meanwhile.
const THREADS: usize = 2;

/// They end, without being waited for, when this is dropped.
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    pub fn start() -> Result<Self, StoreError> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(THREADS).thread_name("store-mongo").enable_all().build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| StoreError::Unavailable(format!("cannot start its threads: {error}")))
    }

    /// Runs a task to its end, whether or not anybody waits for it that long. None once they have ended.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Option<JoinHandle<T>> {
        self.0.as_ref().map(|runtime| runtime.spawn(task))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // This may be an async context, where a runtime must not be waited for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
