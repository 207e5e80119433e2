//! Jobs for the database's threads, and the folding of writes.
//!
//! One thread writes. It takes what waits (at most [`Options::fold_max`]
//! closures), runs them in one transaction, commits once, and only then
//! answers: so a commit costs one sync however many callers wait for it, and
//! nobody hears of a success that is not durable.
//!
//! There are no savepoints. When one closure of a group fails, the whole group
//! is rolled back and its members are run again one by one, each in a
//! transaction of its own; hence closures are `Fn`. That is done only where
//! the group certainly was not committed: a broken disk or a connection lost
//! during the commit is answered as it is.
//!
//! A closure that panics is a closure that failed: the thread lives on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::{broadcast, oneshot};

use super::{Error, Options, Row, Tx, Value};

/// What a closure came to.
pub(super) type Outcome<T, E> = Result<T, E>;

/// Closures that may wait for a thread before callers are turned away.
const QUEUE_LENGTH: usize = 16_384;
/// Names of committed writes that are kept for listeners that are slow.
const COMMITTED_KEPT: usize = 256;

/// A write that waits for its turn, its types erased.
pub(super) trait AnyWrite: Send {
    /// For traces.
    fn name(&self) -> &'static str;
    /// Runs the closure and keeps what it returned; tells whether it succeeded.
    fn run(&mut self, tx: &mut dyn Tx) -> bool;
    /// Answers the caller; `committed` says what became of the transaction.
    fn answer(self: Box<Self>, committed: Result<(), Error>);
}

/// A read that waits for its turn.
pub(super) trait AnyRead: Send {
    /// For traces.
    fn name(&self) -> &'static str;
    /// Runs the closure, or takes why it cannot run.
    fn run(&mut self, tx: Result<&mut dyn Tx, Error>);
    /// Answers the caller.
    fn answer(self: Box<Self>);
}

pub(super) struct WriteJob<T, E, W> {
    name: &'static str,
    work: W,
    outcome: Option<Outcome<T, E>>,
    reply: oneshot::Sender<Outcome<T, E>>,
    /// Told the name once the write is durable.
    committed: broadcast::Sender<&'static str>,
}

impl<T, E, W> WriteJob<T, E, W>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    W: Fn(&mut dyn Tx) -> Result<T, E> + Send + 'static,
{
    #[expect(clippy::new_ret_no_self, reason = "the job is only ever used with its types erased")]
    pub(super) fn new(
        name: &'static str,
        committed: broadcast::Sender<&'static str>,
        work: W,
    ) -> (Box<dyn AnyWrite>, oneshot::Receiver<Outcome<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(WriteJob { name, work, outcome: None, reply, committed }), answer)
    }
}

impl<T, E, W> AnyWrite for WriteJob<T, E, W>
where
    T: Send,
    E: From<Error> + Send,
    W: Fn(&mut dyn Tx) -> Result<T, E> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, tx: &mut dyn Tx) -> bool {
        let mut watched = Watched { tx, failed: None };
        let outcome = match catch_unwind(AssertUnwindSafe(|| (self.work)(&mut watched))) {
            // PostgreSQL has given the transaction up by then, SQLite has not;
            // so that both do the same, a failed statement is the end.
            Ok(Ok(_)) if let Some(error) = watched.failed => Err(E::from(Error::Failed {
                detail: format!("\"{}\" went on after a statement had failed: {error}", self.name),
            })),
            Ok(outcome) => outcome,
            Err(panic) => Err(E::from(panicked(self.name, &*panic))),
        };
        let succeeded = outcome.is_ok();
        self.outcome = Some(outcome);
        succeeded
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
        let outcome = match (self.outcome, committed) {
            // A closure's own refusal says more than the rollback that followed it.
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => {
                // Nobody may be listening.
                let _ = self.committed.send(self.name);
                Ok(value)
            }
            (_, Err(error)) => Err(E::from(error)),
            (None, Ok(())) => unreachable!("a transaction commits only after each of its closures ran"),
        };
        // The caller may have given up waiting; the write stands all the same.
        let _ = self.reply.send(outcome);
    }
}

pub(super) struct ReadJob<T, E, W> {
    name: &'static str,
    work: Option<W>,
    outcome: Option<Outcome<T, E>>,
    reply: oneshot::Sender<Outcome<T, E>>,
}

impl<T, E, W> ReadJob<T, E, W>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    W: FnOnce(&mut dyn Tx) -> Result<T, E> + Send + 'static,
{
    #[expect(clippy::new_ret_no_self, reason = "the job is only ever used with its types erased")]
    pub(super) fn new(name: &'static str, work: W) -> (Box<dyn AnyRead>, oneshot::Receiver<Outcome<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(ReadJob { name, work: Some(work), outcome: None, reply }), answer)
    }
}

impl<T, E, W> AnyRead for ReadJob<T, E, W>
where
    T: Send,
    E: From<Error> + Send,
    W: FnOnce(&mut dyn Tx) -> Result<T, E> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, tx: Result<&mut dyn Tx, Error>) {
        let Some(work) = self.work.take() else { return };
        self.outcome = Some(match tx {
            Ok(tx) => match catch_unwind(AssertUnwindSafe(|| work(tx))) {
                Ok(outcome) => outcome,
                Err(panic) => Err(E::from(panicked(self.name, &*panic))),
            },
            Err(error) => Err(E::from(error)),
        });
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.expect("a session runs each job that it is given");
        // The caller may have given up waiting.
        let _ = self.reply.send(outcome);
    }
}

/// A transaction that remembers whether a statement failed.
struct Watched<'a> {
    tx: &'a mut dyn Tx,
    failed: Option<Error>,
}

impl Watched<'_> {
    fn note<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            self.failed.get_or_insert_with(|| error.clone());
        }
        result
    }
}

impl Tx for Watched<'_> {
    fn execute(&mut self, sql: &str, args: &[Value]) -> Result<u64, Error> {
        let result = self.tx.execute(sql, args);
        self.note(result)
    }

    fn execute_many(&mut self, sql: &str, sets: &[Vec<Value>]) -> Result<u64, Error> {
        let result = self.tx.execute_many(sql, sets);
        self.note(result)
    }

    fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error> {
        let result = self.tx.query(sql, args);
        self.note(result)
    }
}

fn panicked(name: &str, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(closure = name, panic = text, "a closure on the control database panicked");
    Error::Failed { detail: format!("\"{name}\" panicked: {text}") }
}

/// One engine's way to run a transaction.
pub(super) trait Session: Send {
    /// Begins, lets `work` run, and commits if it returns true, else rolls
    /// back. `work` is called again where the engine asks for a repetition.
    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> bool) -> Result<bool, Error>;
    /// Lets `job` read a snapshot; it runs in any case. An error is for the
    /// program, which must stop on a broken disk.
    fn read(&mut self, job: &mut dyn AnyRead) -> Result<(), Error>;
}

/// The threads behind a [`Db`](super::Db). Dropping it lets them finish what
/// was accepted, and waits for them.
pub(super) struct Threads {
    writes: Mutex<Option<SyncSender<Box<dyn AnyWrite>>>>,
    reads: Mutex<Option<SyncSender<Box<dyn AnyRead>>>>,
    running: Mutex<Vec<JoinHandle<()>>>,
    in_step: bool,
    /// Names of writes that were committed.
    committed: broadcast::Sender<&'static str>,
}

impl Threads {
    pub(super) fn start(writer: Box<dyn Session>, readers: Vec<Box<dyn Session>>, options: &Options) -> Self {
        let (writes, waiting_writes) = sync_channel(QUEUE_LENGTH);
        let (reads, waiting_reads) = sync_channel::<Box<dyn AnyRead>>(QUEUE_LENGTH);
        let mut threads = Vec::new();
        let for_writer = options.clone();
        threads.push(spawn("db-writer", move || write_loop(writer, &waiting_writes, &for_writer)));
        let waiting_reads = std::sync::Arc::new(Mutex::new(waiting_reads));
        for mut reader in readers {
            let waiting = waiting_reads.clone();
            let on_broken_disk = options.on_broken_disk.clone();
            threads.push(spawn("db-reader", move || {
                loop {
                    // The lock is held while waiting for the next job and given
                    // back before it runs, so that readers take turns.
                    let next = waiting.lock().recv();
                    match next {
                        Ok(mut job) => {
                            // The program knows before the caller does, and
                            // nothing is done behind the caller's back.
                            if let Err(error) = reader.read(&mut *job) {
                                on_broken_disk(&error);
                            }
                            job.answer();
                        }
                        Err(_) => return,
                    }
                }
            }));
        }
        Threads {
            writes: Mutex::new(Some(writes)),
            reads: Mutex::new(Some(reads)),
            running: Mutex::new(threads),
            in_step: options.in_step,
            committed: broadcast::channel(COMMITTED_KEPT).0,
        }
    }

    pub(super) fn committed(&self) -> &broadcast::Sender<&'static str> {
        &self.committed
    }

    pub(super) fn send_write(&self, job: Box<dyn AnyWrite>) -> Result<(), Error> {
        send(&self.writes, job)
    }

    pub(super) fn send_read(&self, job: Box<dyn AnyRead>) -> Result<(), Error> {
        send(&self.reads, job)
    }

    /// Waits for the answer to a job that was sent.
    pub(super) async fn answer<T>(&self, answer: oneshot::Receiver<T>) -> Result<T, oneshot::error::RecvError> {
        if !self.in_step {
            return answer.await;
        }
        let answer = wait_here(answer);
        tokio::task::yield_now().await;
        answer
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.writes.lock().take();
        self.reads.lock().take();
        for thread in self.running.lock().drain(..) {
            // The last handle may be dropped by a closure on the thread itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn send<J>(queue: &Mutex<Option<SyncSender<J>>>, job: J) -> Result<(), Error> {
    let queue = queue.lock();
    let Some(sender) = queue.as_ref() else {
        return Err(Error::Unavailable { detail: "it is shutting down".into() });
    };
    match sender.try_send(job) {
        Ok(()) => Ok(()),
        Err(TrySendError::Full(_)) => Err(Error::Unavailable { detail: format!("{QUEUE_LENGTH} calls wait for it") }),
        Err(TrySendError::Disconnected(_)) => Err(Error::Unavailable { detail: "its thread has ended".into() }),
    }
}

/// Waits for an answer while this thread does nothing else, which
/// `blocking_recv` refuses where a runtime polls.
fn wait_here<T>(answer: oneshot::Receiver<T>) -> Result<T, oneshot::error::RecvError> {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    // The turn of the task that is polled here must not come to its end.
    let mut answer = std::pin::pin!(tokio::task::unconstrained(answer));
    loop {
        match answer.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(answer) => return answer,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .expect("a thread can be started while the program starts")
}

fn write_loop(mut session: Box<dyn Session>, waiting: &Receiver<Box<dyn AnyWrite>>, options: &Options) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        while group.len() < options.fold_max {
            match waiting.try_recv() {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        commit(&mut *session, group, options);
    }
}

/// Runs a group in one transaction; where that does not work out, each of its
/// members alone.
fn commit(session: &mut dyn Session, mut group: Vec<Box<dyn AnyWrite>>, options: &Options) {
    let together = session.write(&mut |tx| group.iter_mut().all(|job| job.run(tx)));
    match together {
        Ok(true) => {
            for job in group {
                job.answer(Ok(()));
            }
        }
        Ok(false) | Err(Error::Full | Error::Constraint { .. }) if group.len() > 1 => {
            tracing::debug!(closures = group.len(), first = group[0].name(), "a folded commit is taken apart");
            for job in group {
                commit(session, vec![job], options);
            }
        }
        Ok(false) => {
            // The closure's own error is the answer; this one is never shown.
            answer_all(group, &Error::Failed { detail: "the closure refused".into() });
        }
        Err(error) => {
            if matches!(error, Error::BrokenDisk { .. }) {
                (options.on_broken_disk)(&error);
            }
            answer_all(group, &error);
        }
    }
}

fn answer_all(group: Vec<Box<dyn AnyWrite>>, error: &Error) {
    for job in group {
        job.answer(Err(error.clone()));
    }
}
