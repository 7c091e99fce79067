//! Who asks, for many requests in one statement of PostgreSQL. Questions gather until a place for a
//! statement is free, and then go out together. So no answer is older than its question.

use super::super::connection::{Row, sql};
use super::super::postgres::Postgres;
use super::super::snapshot::Counts;
use super::super::{Error, Result, broken, rows};
use super::{Access, TARGET, access};
use crate::caller::Credential;
use crate::name::Slug;
use crate::token::TokenDigest;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// How many statements are under way at once. More of them have fewer questions each, and take more
/// CPU.
const STATEMENTS: usize = 2;

/// How long questions wait for a place.
const WAIT: Duration = Duration::from_secs(1);

/// How many questions go out in one statement. A silent connection holds up no more.
const QUESTIONS: usize = 32;

const STATEMENT: &str = access!(
    ", q.place",
    "unnest($1::bytea[], $2::text[]) WITH ORDINALITY AS q (digest, slug, place) CROSS JOIN",
    "q.digest",
    "LEFT JOIN organizations o ON o.slug = q.slug",
    ""
);

pub struct Questions {
    waiting: Mutex<Vec<Question>>,
    places: Semaphore,
}

struct Question {
    digest: TokenDigest,
    /// Without an organization it is empty, which no slug is.
    slug: String,
    answer: oneshot::Sender<Result<Access>>,
}

impl Default for Questions {
    fn default() -> Self {
        Self { waiting: Mutex::default(), places: Semaphore::new(STATEMENTS) }
    }
}

impl Questions {
    /// Returns who asks and, if `slug` is given, their place in that organization.
    pub async fn ask(
        self: &Arc<Self>,
        postgres: &Postgres,
        counts: &Arc<Counts>,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Result<Access> {
        let (sender, answer) = oneshot::channel();
        let slug = slug.map_or_else(String::new, |slug| slug.as_str().to_owned());
        let count = {
            let mut waiting = self.waiting.lock();
            waiting.push(Question { digest: credential.digest, slug, answer: sender });
            waiting.len()
        };
        // The first one has a statement sent, which takes the others along.
        if count % QUESTIONS == 1 {
            let (questions, postgres) = (Arc::clone(self), postgres.clone());
            let counts = Arc::clone(counts);
            tokio::spawn(async move { questions.send(&postgres, &counts).await });
        }
        answer.await.unwrap_or_else(|_| Err(broken("a statement panicked")))
    }

    async fn send(&self, postgres: &Postgres, counts: &Counts) {
        let place = timeout(WAIT, self.places.acquire()).await;
        let questions: Vec<_> = {
            let mut waiting = self.waiting.lock();
            let count = waiting.len().min(QUESTIONS);
            waiting.drain(..count).collect()
        };
        counts.add(1);
        let answers = match place {
            Ok(_) => answers(postgres, &questions).await,
            Err(_) => Err(Error::Unavailable(format!("no statement ended within {WAIT:?}"))),
        };
        let answers = answers.unwrap_or_else(|error| vec![Err(error); questions.len()]);
        for (question, answer) in questions.into_iter().zip(answers) {
            // It fails if the request has ended.
            let _ = question.answer.send(answer);
        }
    }
}

/// Returns the answers in the order of the questions.
async fn answers(postgres: &Postgres, questions: &[Question]) -> Result<Vec<Result<Access>>> {
    let digests: Vec<_> = questions.iter().map(|question| *question.digest.as_bytes()).collect();
    let slugs: Vec<_> = questions.iter().map(|question| question.slug.clone()).collect();
    let read = |row: &dyn Row| Ok((row.get::<i64>(TARGET)?, rows::access(row)));
    let statements = vec![sql!(STATEMENT, digests, slugs)];
    let found = postgres.read(false).await?.query(statements, read).await?;
    let mut answers = vec![Err(Error::NotAccepted); questions.len()];
    for (place, access) in found {
        let index = usize::try_from(place - 1).ok();
        if let Some(answer) = index.and_then(|index| answers.get_mut(index)) {
            *answer = access;
        }
    }
    Ok(answers)
}
