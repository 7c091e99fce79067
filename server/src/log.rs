//! The log: formats records as lines, and queues them in memory for a thread that writes them.
//!
//! A slow reader never blocks a request. If the queue is full, lines are dropped and counted; errors
//! are dropped last. The formats are in `json` and `row`.

mod json;
mod row;

use clap::ValueEnum;
use slog::{Drain, Level, Logger, Never, OwnedKVList, Record, o, warn};
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{mem, thread};

/// The capacity of the queue in bytes: more than a second of full load (60,000 lines of 400 bytes).
const CAPACITY: usize = 32 * 1024 * 1024;

/// Additional capacity for errors, in bytes.
const ERROR_CAPACITY: usize = 1024 * 1024;

/// The maximum size of a write in bytes. A write contains whole lines.
const BLOCK: usize = 64 * 1024;

/// How long the writer waits for more lines before it writes, and after a failed write.
const PAUSE: Duration = Duration::from_millis(10);

/// The format of a line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// A row for people
    Text,
    /// A row with colors.
    #[value(skip)]
    ColoredText,
    /// A JSON object for programs
    Json,
}

/// A log. Its clones write to the same sink.
#[derive(Clone, Debug)]
pub struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    format: Format,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    blocks: VecDeque<Vec<u8>>,
    /// How many bytes are in the blocks and in the one that is being written.
    bytes: usize,
    /// How many lines were lost since the last warning about lost lines.
    lost: usize,
    /// How many lines were lost since the start.
    total_lost: u64,
}

impl Log {
    /// Starts to write lines to `sink`, on a thread that ends with the process.
    pub fn start(format: Format, sink: impl Write + Send + 'static) -> Self {
        let shared = Shared { format, queue: Mutex::default(), changed: Condvar::new() };
        let log = Self(Arc::new(shared));
        let writer = log.clone();
        thread::spawn(move || writer.write_to(sink));
        log
    }

    /// Returns a logger that writes to this log.
    pub fn logger(&self) -> Logger {
        Logger::root(self.clone(), o!())
    }

    /// Waits until all lines are written, but at most `timeout`.
    pub fn flush(&self, timeout: Duration) {
        let written = self.0.changed.wait_timeout_while(self.lock(), timeout, |q| q.bytes > 0);
        drop(written);
    }

    /// Returns how many lines were lost since the start.
    pub fn lost(&self) -> u64 {
        self.lock().total_lost
    }

    fn write_to(&self, mut sink: impl Write) {
        let logger = self.logger();
        loop {
            let block = self.next_block();
            write_all(&mut sink, &block);
            let lost = self.finish(block.len());
            if lost > 0 {
                warn!(logger, "log lines were lost: the reader of the log was too slow"; "count" => lost);
            }
        }
    }

    fn next_block(&self) -> Vec<u8> {
        let empty = self.0.changed.wait_while(self.lock(), |queue| queue.blocks.is_empty());
        let mut queue = empty.unwrap_or_else(PoisonError::into_inner);
        if queue.blocks.len() == 1 {
            drop(queue);
            thread::sleep(PAUSE);
            queue = self.lock();
        }
        queue.blocks.pop_front().unwrap_or_default()
    }

    /// Frees the capacity that a written block occupied. Returns how many lines were lost, once half of
    /// the queue is free again.
    fn finish(&self, bytes: usize) -> usize {
        let mut queue = self.lock();
        queue.bytes -= bytes;
        if queue.bytes == 0 {
            self.0.changed.notify_all();
        }
        if queue.bytes <= CAPACITY / 2 { mem::take(&mut queue.lost) } else { 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drain for Log {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        let line = match self.0.format {
            Format::Json => json::line(record, values),
            Format::Text => row::line(&json::line(record, values), false),
            Format::ColoredText => row::line(&json::line(record, values), true),
        };
        let is_error = record.level().is_at_least(Level::Error);
        let capacity = if is_error { CAPACITY + ERROR_CAPACITY } else { CAPACITY };
        let mut queue = self.lock();
        if queue.bytes + line.len() > capacity {
            queue.lost += 1;
            queue.total_lost += 1;
            return Ok(());
        }
        queue.bytes += line.len();
        match queue.blocks.back_mut() {
            Some(block) if block.len() + line.len() <= BLOCK => block.extend(line),
            _ => {
                let mut block = Vec::with_capacity(BLOCK.max(line.len()));
                block.extend(line);
                queue.blocks.push_back(block);
                // If there were blocks before, the writer is not waiting.
                if queue.blocks.len() == 1 {
                    self.0.changed.notify_all();
                }
            }
        }
        Ok(())
    }
}

/// Writes all bytes. Retries failed writes forever, because a full disk may have space later.
fn write_all(sink: &mut impl Write, mut rest: &[u8]) {
    while !rest.is_empty() {
        match sink.write(rest) {
            Ok(count) if count > 0 => rest = &rest[count..],
            _ => thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use slog::{error, info};
    use std::io::{self, Error};
    use std::sync::mpsc::{self, Receiver, Sender};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A sink that blocks until its gate is dropped, and then fails some times.
    struct Sink {
        gate: Receiver<()>,
        failures: usize,
        written: Sender<String>,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.gate.recv();
            if self.failures > 0 {
                self.failures -= 1;
                return Err(Error::other("intended by the test"));
            }
            let half = bytes.len().div_ceil(2);
            self.written.send(String::from_utf8(bytes[..half].to_vec()).unwrap()).unwrap();
            Ok(half)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Writes these records while the sink blocks. Returns all lines.
    fn lines(format: Format, failures: usize, write: impl FnOnce(&Logger)) -> Vec<String> {
        lines_and_lost(format, failures, write).0
    }

    /// Like [`lines`], and also returns how many lines were lost.
    fn lines_and_lost(
        format: Format,
        failures: usize,
        write: impl FnOnce(&Logger),
    ) -> (Vec<String>, u64) {
        let ((gate, opened), (written, read)) = (mpsc::channel(), mpsc::channel());
        let log = Log::start(format, Sink { gate: opened, failures, written });
        write(&log.logger());
        log.flush(Duration::ZERO);
        drop(gate);
        log.flush(PATIENCE);
        let lines = read.try_iter().collect::<String>().lines().map(str::to_owned).collect();
        (lines, log.lost())
    }

    fn parse(lines: &[String]) -> Vec<Value> {
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_full_queue_counts_dropped_lines_and_drops_errors_last() {
        let text = "x".repeat(1024 * 1024);
        let (lines, lost) = lines_and_lost(Format::Json, 0, |logger| {
            (0..35).for_each(|_| info!(logger, "{text}"));
            (0..100).for_each(|_| error!(logger, "kept"));
        });
        let has = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        assert_eq!((has("xxx"), has("kept")), (31, 100));
        assert_eq!((has("lost"), has("\"count\":4"), lost), (1, 1, 4));
    }

    #[test]
    fn a_sink_that_fails_for_a_while_loses_nothing() {
        let lines = lines(Format::Json, 3, |logger| {
            (0..1000).for_each(|index| info!(logger, "line"; "index" => index));
        });
        let indexes = parse(&lines).into_iter().map(|line| line["index"].as_u64().unwrap());
        assert!(indexes.eq(0..1000));
    }

    #[test]
    fn a_json_line_has_the_keys_of_bunyan_and_of_the_record() {
        let lines = parse(&lines(Format::Json, 0, |logger| {
            info!(logger.new(o!("request_id" => "r")), "a \"b\"\n"; "status" => 200_u16, "at" => %1);
        }));
        let line = lines[0].as_object().unwrap();
        let keys: Vec<_> = line.keys().map(String::as_str).collect();
        let bunyan = ["hostname", "level", "msg", "name", "pid", "time", "v"];
        let mut expected = [&bunyan[..], &["at", "request_id", "status"]].concat();
        expected.sort_unstable();
        assert_eq!((lines.len(), keys), (1, expected));
        assert_eq!((line["msg"].as_str(), line["level"].as_u64()), (Some("a \"b\"\n"), Some(30)));
        assert_eq!((line["status"].as_u64(), line["at"].as_str()), (Some(200), Some("1")));
        assert!(line["time"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().is_ok());
    }

    #[test]
    fn a_terminal_shows_one_row_per_record() {
        let rows = |format| {
            lines(format, 0, |logger| {
                let (operation, latency) = ("listAPITokens", 912_u128);
                let logger = logger.new(o!("request_id" => "r"));
                info!(logger, "request"; "method" => "GET", "status" => 200_u16, "token_id" => "-",
                    "latency_us" => latency, "operation" => operation, "client" => "::1");
                error!(logger, "request failed"; "reason" => "a\nb");
            })
        };
        let plain = [
            "GET 200 0.9ms listAPITokens client=::1 request_id=r",
            "error: request failed reason=\"a\\nb\" request_id=r",
        ];
        let without_time = |row: &String| row.split_once("Z ").unwrap().1.to_owned();
        assert_eq!(rows(Format::Text).iter().map(without_time).collect::<Vec<_>>(), plain);
        assert_eq!(
            without_time(&rows(Format::ColoredText)[0]),
            "GET \x1b[32m200\x1b[0m 0.9ms listAPITokens client=::1 request_id=r"
        );
    }
}
