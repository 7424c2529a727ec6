//! Webhook bodies and what was read from them: new notifications, repetitions, dead letters.

use std::sync::Arc;

use mongodb::bson::{Binary, Document, doc, oid::ObjectId};
use serde::Deserialize;

use super::{
    documents::{self, BodyDocument, LetterDocument, NOTIFICATION, RetoldDocument, ScreeningDocument, UPDATE, binary, date},
    draft::{Appended, Draft},
    read::bound,
    transaction::{Failure, only},
};
use crate::{
    notification::{NotificationId, Timestamp, entry::Kind, message, subject::Subject},
    store::{Kept, NewNotification, Receive},
};

/// A body that is on its way into the store, or is there already.
struct Body<'r> {
    receive: &'r Receive,
    id: Option<ObjectId>,
}

/// The body that a notification came in, or was told again by.
#[derive(Debug, Deserialize)]
struct CameIn {
    notification: ObjectId,
    body: ObjectId,
}

impl Draft<'_> {
    /// Takes in what was read from a body, of which `known` is the id where it is there already.
    pub(super) async fn receive(&mut self, receive: &Receive, known: Option<ObjectId>) -> Result<Vec<Kept>, Failure> {
        let mut body = Body { receive, id: known };
        let (mut kept, mut retold) = (Vec::with_capacity(receive.notifications.len()), Vec::new());
        for new in &receive.notifications {
            let of = |key: Option<[u8; 32]>| key.and_then(|key| self.seen.get(&key).copied());
            // The delivery key is asked first: it says "the same request", and that costs nothing.
            let (by_delivery, by_fact) = (of(new.delivery_key), of(new.fact_key));
            let Some(id) = by_delivery.or(by_fact) else {
                self.keep(new, &mut body)?;
                kept.push(Kept { id: new.id, duplicate: false });
                continue;
            };
            if by_delivery.is_none() {
                retold.push(id);
            }
            if let Some(subject) = &new.screen {
                self.screen_after_all(id, receive.received_at, subject).await?;
            }
            kept.push(Kept { id, duplicate: true });
        }
        if !retold.is_empty() {
            self.keep_beside(&retold, &mut body).await?;
        }
        for letter in &receive.dead_letters {
            let row = LetterDocument {
                seq: 0,
                received_at: date(receive.received_at),
                item: letter.item.map(bound),
                reason: letter.reason.into(),
                detail: letter.detail.clone(),
                body: self.kept(&mut body)?,
                body_bytes: bound(receive.raw.len()),
            };
            self.bury(row);
        }
        Ok(kept)
    }

    /// The id of the body; keeps it the first time.
    fn kept(&mut self, body: &mut Body<'_>) -> Result<ObjectId, Failure> {
        if let Some(id) = body.id {
            return Ok(id);
        }
        let Receive { raw, received_at, .. } = body.receive;
        documents::fits("body", None, raw.len())?;
        let id = ObjectId::new();
        self.keep_body(BodyDocument { id, received_at: date(*received_at), bytes: binary(raw) });
        body.id = Some(id);
        Ok(id)
    }

    fn keep(&mut self, new: &NewNotification, body: &mut Body<'_>) -> Result<(), Failure> {
        let NewNotification { id, owner, delivery_key, fact_key, payload, screen } = new;
        let (id, received_at) = (*id, body.receive.received_at);
        let body = Some(self.kept(body)?);
        let keys: Vec<Binary> = [delivery_key, fact_key].into_iter().flatten().map(|key| binary(key)).collect();
        let (owner, payload): (_, Arc<str>) = (owner.clone(), payload.as_str().into());
        match screen {
            None => self.append(Appended { id, kind: Kind::Notification, owner, at: received_at, payload, body, keys })?,
            Some(subject) => {
                let row = row(id, received_at, owner, payload, true);
                self.open_screening(ScreeningDocument { body, keys, ..row }, subject)?;
            }
        }
        self.seen.extend([*delivery_key, *fact_key].into_iter().flatten().map(|key| (key, id)));
        Ok(())
    }

    /// Keeps the body beside the notifications whose facts it told again, unless these bytes are there: a sender that tries again
    /// costs nothing, one that words the same fact anew loses nothing.
    async fn keep_beside(&mut self, firsts: &[NotificationId], body: &mut Body<'_>) -> Result<(), Failure> {
        self.flush().await?;
        let known = self.bodies_of(doc! { "notification": { "$in": firsts.to_vec() } }).await?;
        if body.id.is_none() {
            let of_first: Vec<ObjectId> =
                known.iter().filter(|known| known.notification == firsts[0]).map(|known| known.body).collect();
            let twin = doc! { "_id": { "$in": of_first }, "bytes": binary(&body.receive.raw) };
            let collection = self.tx.collections.body.clone_with_type::<Document>();
            let twins = self.tx.find(&collection, twin, only(&["_id"])).await?;
            body.id = twins.first().and_then(|twin| twin.get_object_id("_id").ok());
        }
        let id = self.kept(body)?;
        let mut beside: Vec<NotificationId> = Vec::new();
        for first in firsts {
            let is_there = known.iter().any(|known| known.notification == *first && known.body == id);
            if !is_there && !beside.contains(first) {
                beside.push(*first);
                self.keep_retold(RetoldDocument { notification: *first, body: id });
            }
        }
        Ok(())
    }

    async fn bodies_of(&mut self, filter: Document) -> Result<Vec<CameIn>, Failure> {
        let collections = self.tx.collections.clone();
        let sources =
            [collections.log.clone_with_type(), collections.screening.clone_with_type(), collections.retold.clone_with_type()];
        let mut bodies = Vec::new();
        for source in sources {
            let with_body = doc! { "$and": [filter.clone(), { "body": { "$exists": true } }] };
            bodies.extend(self.tx.find(&source, with_body, only(&["notification", "body"])).await?);
        }
        Ok(bodies)
    }

    /// Screens a released notification that came without screening and was posted again asking for it. One that waits, was
    /// screened or is being screened stays as it is. The time is that of the second post: the patience of screening starts there.
    async fn screen_after_all(&mut self, id: NotificationId, asked_at: Timestamp, subject: &Subject) -> Result<(), Failure> {
        if self.is_open(id) == Some(true) {
            return Ok(());
        }
        self.flush().await?;
        if !self.tx.screenings(doc! { "notification": id }).await?.is_empty() {
            return Ok(());
        }
        let log = self.tx.collections.log.clone();
        let entries = self.tx.find(&log, doc! { "notification": id }, Default::default()).await?;
        if entries.iter().any(|entry| entry.kind == UPDATE) {
            return Ok(());
        }
        let Some(first) = entries.into_iter().find(|entry| entry.kind == NOTIFICATION) else { return Ok(()) };
        // A duplicate must not fail on the damage of the first one: what cannot be read is not asked for again.
        if message::results_of(&first.payload).is_ok_and(|results| results.is_null()) {
            self.open_screening(row(id, asked_at, first.owner, first.payload, false), subject)?;
        }
        Ok(())
    }
}

/// A screening without number, subject, body and keys.
fn row(id: NotificationId, received_at: Timestamp, owner: Option<Arc<str>>, payload: Arc<str>, waits: bool) -> ScreeningDocument {
    ScreeningDocument {
        seq: 0,
        notification: id,
        received_at: date(received_at),
        subject: String::new(),
        owner,
        payload,
        waits,
        body: None,
        keys: Vec::new(),
    }
}
