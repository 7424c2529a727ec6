-- Times are milliseconds since 1970. Ids are the 12 bytes of an ObjectId, keys the 32 bytes of a SHA-256.

-- One row. The epoch names the log for its whole life.
CREATE TABLE meta (epoch INTEGER NOT NULL);
INSERT INTO meta VALUES (random() & 4294967295);

-- What was posted, byte for byte, once for each webhook of which anything was kept.
CREATE TABLE body (
    id INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    bytes BLOB NOT NULL
);

-- The log. Rows are written once and never changed, so a replayed entry is what it was when live.
CREATE TABLE log (
    n INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL, -- 0 notification, 1 update
    tag INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    notification BLOB NOT NULL,
    owner TEXT,
    payload TEXT NOT NULL
);
-- Holds the row's n behind the owner, so a page of one owner's history steps over nothing else.
CREATE INDEX log_owned ON log (owner) WHERE kind = 0 AND owner IS NOT NULL;

-- Every notification that was received: its entry once it is released, the entry with its newest result once one followed.
CREATE TABLE notification (
    id BLOB PRIMARY KEY,
    n INTEGER,
    update_n INTEGER,
    body INTEGER NOT NULL,
    delivery_key BLOB,
    fact_key BLOB
) WITHOUT ROWID;
CREATE INDEX notification_body ON notification (body);

-- Bodies that told the fact of a notification again, in other bytes. They go when it goes.
CREATE TABLE retold (
    notification BLOB NOT NULL,
    body INTEGER NOT NULL,
    PRIMARY KEY (notification, body)
) WITHOUT ROWID;
CREATE INDEX retold_body ON retold (body);

-- Delivery and fact keys alike: both are hashes of differently built texts, so one never equals the other.
CREATE TABLE seen (
    key BLOB PRIMARY KEY,
    notification BLOB NOT NULL
) WITHOUT ROWID;

-- Screenings that are not settled. Owner and payload wait here for the release and are null behind it: the log has them then.
-- AUTOINCREMENT, because readers use seq as a cursor and a number given twice would be passed over.
CREATE TABLE open_screening (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    notification BLOB NOT NULL UNIQUE,
    received_at INTEGER NOT NULL,
    subject TEXT NOT NULL,
    owner TEXT,
    payload TEXT
);
CREATE INDEX open_screening_waiting ON open_screening (received_at) WHERE payload IS NOT NULL;

CREATE TABLE dead_letter (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    item INTEGER,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    body INTEGER NOT NULL
);
CREATE INDEX dead_letter_received ON dead_letter (received_at);
CREATE INDEX dead_letter_body ON dead_letter (body);
