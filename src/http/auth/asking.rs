//! Mode `http`: asks an existing system at `auth.url` whether this user may read, with the credentials that the caller has sent.
//!
//! An answer is kept for `auth.cache_for`, and of many who ask the same at once only the first one does: a dashboard opens a
//! stream and reads history in one breath, and a whole fleet of them comes back after a restart.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest,
    http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue},
    rt::{self, task::JoinHandle},
};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::{
    DoorError, Pass,
    cache::{Cache, Key, key},
    outgoing::{Outgoing, Unanswered},
};
use crate::{config::Auth, error::Refusal};

/// What the other system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    In,
    Out,
    /// It knows the caller, who is not this user.
    NotThisUser,
}

/// What is sent to it.
struct Question {
    key: Key,
    user: String,
    credentials: Vec<(HeaderName, HeaderValue)>,
}

/// Who waits for each answer.
type Waiting = HashMap<Key, Vec<oneshot::Sender<Result<Verdict, Unanswered>>>>;

/// The mode.
pub struct Asking {
    shared: Arc<Shared>,
    questions: mpsc::UnboundedSender<Question>,
}

struct Shared {
    answers: Cache<(Verdict, Instant)>,
    good_for: Duration,
    waiting: Mutex<Waiting>,
}

impl Asking {
    /// With the task that asks, on this thread: one pool of connections for all workers.
    pub fn open(config: &Auth) -> Result<(Self, JoinHandle<()>), DoorError> {
        let url = config.url.as_ref().and_then(|url| url.expose().parse().ok()).unwrap_or_default();
        let outgoing = Outgoing::new(&url, config.timeout)?;
        let (good_for, waiting) = (config.cache_for, Mutex::default());
        let shared = Arc::new(Shared { answers: Cache::new(config.cache_size), good_for, waiting });
        let (questions, asked) = mpsc::unbounded_channel();
        let task = rt::spawn(ask(outgoing, shared.clone(), asked));
        Ok((Self { shared, questions }, task))
    }

    pub async fn admit(&self, user: &str, request: &HttpRequest) -> Result<Pass, Refusal> {
        let question = Question::new(user, request);
        let verdict = match self.shared.known(&question.key) {
            Some(verdict) => verdict,
            None => self.ask(question).await?,
        };
        match verdict {
            Verdict::In => Ok(Pass::WITHOUT_END),
            Verdict::Out => Err(Refusal::new(401, "unauthorized", "This user_id may not connect here.")),
            Verdict::NotThisUser => Err(Refusal::new(403, "wrong_user", "These credentials are not for this user_id.")),
        }
    }

    async fn ask(&self, question: Question) -> Result<Verdict, Refusal> {
        let (tell, told) = oneshot::channel();
        let is_first = {
            let mut waiting = self.shared.waiting();
            let all = waiting.entry(question.key).or_default();
            all.push(tell);
            all.len() == 1
        };
        if is_first && let Err(mpsc::error::SendError(question)) = self.questions.send(question) {
            // The server stops.
            self.shared.waiting().remove(&question.key);
        }
        match told.await {
            Ok(Ok(verdict)) => Ok(verdict),
            Ok(Err(_)) | Err(_) => {
                Err(Refusal::busy("auth_unavailable", "The auth system does not answer; try again in a moment.", 5))
            }
        }
    }
}

impl Question {
    fn new(user: &str, request: &HttpRequest) -> Self {
        let mut credentials = Vec::new();
        for name in [AUTHORIZATION, COOKIE] {
            credentials.extend(request.headers().get_all(&name).map(|value| (name.clone(), value.clone())));
        }
        let texts = credentials.iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        Self { key: key([user.as_bytes()].into_iter().chain(texts)), user: user.to_owned(), credentials }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, key: &Key) -> Option<Verdict> {
        let (verdict, at) = self.answers.get(key)?;
        (at.elapsed() < self.good_for).then_some(verdict)
    }
}

/// Asks for as long as anybody may, each question in a task of its own.
async fn ask(outgoing: Outgoing, shared: Arc<Shared>, mut questions: mpsc::UnboundedReceiver<Question>) {
    while let Some(Question { key, user, credentials }) = questions.recv().await {
        let open = Open { shared: shared.clone(), key, answer: None };
        rt::spawn(open.close(outgoing.clone(), user, credentials));
    }
}

fn verdict(status: u16) -> Result<Verdict, Unanswered> {
    match status {
        200..=299 => Ok(Verdict::In),
        401 | 404 => Ok(Verdict::Out),
        403 => Ok(Verdict::NotThisUser),
        other => Err(Unanswered::Status(other)),
    }
}

/// A question that is open. However its task ends, nobody waits for it any longer.
struct Open {
    shared: Arc<Shared>,
    key: Key,
    answer: Option<Result<Verdict, Unanswered>>,
}

impl Open {
    async fn close(mut self, outgoing: Outgoing, user: String, credentials: Vec<(HeaderName, HeaderValue)>) {
        let status = outgoing.post(&json!({ "user_id": user }), &credentials).await;
        self.answer = Some(status.and_then(|status| verdict(status.as_u16())));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        match &self.answer {
            Some(Ok(verdict)) => self.shared.answers.put(self.key, (*verdict, Instant::now())),
            Some(Err(error)) => log::warn!(target: "sse", "event=auth_unavailable error={:?}", error.to_string()),
            None => {}
        }
        let waiting = self.shared.waiting().remove(&self.key);
        let (Some(waiting), Some(answer)) = (waiting, &self.answer) else { return };
        for tell in waiting {
            // Who has hung up meanwhile is not told.
            let _ = tell.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn what_an_answer_is_kept_under_tells_users_and_credentials_apart() {
        let question = |user, headers: &[(&'static str, &'static str)]| {
            let request = headers.iter().fold(TestRequest::default(), |request, header| request.append_header(*header));
            Question::new(user, &request.to_http_request())
        };
        let (ana, token) = (("authorization", "Bearer a"), ("cookie", "s=1"));
        let questions = [
            question("ana", &[]),
            question("ben", &[]),
            question("ana", &[ana]),
            question("ana", &[token]),
            question("ana", &[ana, token]),
            question("ana", &[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
            question("ana", &[("authorization", "s=1")]),
        ];
        for (i, one) in questions.iter().enumerate() {
            assert!(questions[..i].iter().all(|other| other.key != one.key), "question {i}");
        }
        assert_eq!(questions[4].key, question("ana", &[token, ana, ("accept", "*/*")]).key);
        assert_eq!(questions[5].credentials.len(), 2, "each header goes along");
    }

    #[test]
    fn only_clear_answers_are_verdicts() {
        for (status, expected) in
            [(200, Verdict::In), (204, Verdict::In), (401, Verdict::Out), (404, Verdict::Out), (403, Verdict::NotThisUser)]
        {
            assert_eq!(verdict(status), Ok(expected), "{status}");
        }
        for status in [100, 301, 302, 307, 400, 402, 405, 429, 500, 503] {
            assert_eq!(verdict(status), Err(Unanswered::Status(status)));
        }
    }
}
