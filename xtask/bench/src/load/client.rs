//! Requests that `wrk` cannot send: at a given rate, or changes. One thread serves all connections,
//! so that the client takes little of the machine. A latency counts from the moment at which a request
//! was due, not from when a connection became free for it.

use super::connection::Connection;
use anyhow::{Result, bail, ensure};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long answers may take after the last request was sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    /// How many requests per second become due. Without it each connection sends its next request
    /// when the one before was answered.
    pub rate: Option<f64>,
    pub duration: Duration,
}

/// How long each request took.
#[derive(Debug)]
pub struct Answers {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Answers {
    pub fn count(&self) -> u64 {
        self.latencies.len() as u64
    }

    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the latency in milliseconds that this part of the requests did not exceed.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a part of a length"
    )]
    pub fn percentile(&mut self, part: f64) -> f64 {
        self.latencies.sort_unstable();
        let index = (self.latencies.len() as f64 * part).ceil() as usize;
        let latency = self.latencies.get(index.saturating_sub(1)).copied();
        latency.unwrap_or_default().as_secs_f64() * 1e3
    }
}

impl Load {
    /// Sends what `write` writes for a connection, until the time is over.
    ///
    /// # Errors
    /// If any answer is not 200.
    pub fn run(self, write: impl FnMut(usize, &mut Vec<u8>)) -> Result<Answers> {
        Run::new(self)?.run(write)
    }
}

struct Run {
    load: Load,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    idle: VecDeque<usize>,
    /// When the requests that wait for a connection were due.
    due: VecDeque<Instant>,
    /// When the next request becomes due, if there is a rate.
    next: Instant,
    start: Instant,
    latencies: Vec<Duration>,
}

impl Run {
    fn new(load: Load) -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for index in 0..load.connections {
            let connection = Connection::open(load.address)?;
            let data = EventData::new_u64(index as u64);
            epoll::add(&epoll, connection.socket(), data, EventFlags::IN)?;
            connections.push(connection);
        }
        let (idle, start) = ((0..load.connections).collect(), Instant::now());
        let (due, latencies) = (VecDeque::new(), Vec::new());
        Ok(Self { load, epoll, connections, idle, due, next: start, start, latencies })
    }

    fn run(mut self, mut write: impl FnMut(usize, &mut Vec<u8>)) -> Result<Answers> {
        let (end, mut request) = (self.start + self.load.duration, Vec::new());
        loop {
            let now = Instant::now();
            if now < end {
                self.add_due(now);
            }
            while let Some(index) = self.idle.pop_front() {
                let Some(due) = self.due.pop_front() else {
                    self.idle.push_front(index);
                    break;
                };
                request.clear();
                write(index, &mut request);
                self.connections[index].send(&request, due)?;
            }
            if now >= end && self.idle.len() == self.connections.len() {
                break;
            }
            ensure!(now < end + PATIENCE, "some requests were not answered");
            self.receive(now, end)?;
        }
        ensure!(!self.latencies.is_empty(), "nothing was answered");
        Ok(Answers { latencies: self.latencies, elapsed: self.start.elapsed() })
    }

    fn add_due(&mut self, now: Instant) {
        match self.load.rate {
            None => self.due.extend(std::iter::repeat_n(now, self.idle.len())),
            Some(rate) => {
                while self.next <= now {
                    self.due.push_back(self.next);
                    self.next += Duration::from_secs_f64(1.0 / rate);
                }
            }
        }
    }

    /// Waits for answers, but not longer than until the next request is due.
    fn receive(&mut self, now: Instant, end: Instant) -> Result<()> {
        let until = match self.load.rate {
            Some(_) if now < end => self.next.min(end),
            _ => end.max(now + Duration::from_millis(10)),
        };
        let timeout = Timespec::try_from(until.saturating_duration_since(now))?;
        let mut events = Vec::with_capacity(self.connections.len());
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout))
        {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => bail!("cannot wait for answers: {error}"),
        }
        for event in events {
            let index = usize::try_from(event.data.u64())?;
            if let Some(due) = self.connections[index].receive()? {
                self.latencies.push(due.elapsed());
                self.idle.push_back(index);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_latency_that_this_part_does_not_exceed() {
        let latencies = (1..=100).rev().map(Duration::from_millis).collect();
        let mut answers = Answers { latencies, elapsed: Duration::from_secs(2) };
        let percentiles = [0.5, 0.99, 1.0].map(|part| answers.percentile(part).to_string());
        assert_eq!(percentiles, ["50", "99", "100"]);
        assert_eq!(answers.per_second().to_string(), "50");
    }
}
