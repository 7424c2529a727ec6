-- Who was sent what: src/store/audit says what these rows prove together.
CREATE TABLE audit_connection (
    id BLOB PRIMARY KEY,
    relay BLOB NOT NULL,
    user TEXT NOT NULL,
    own INTEGER NOT NULL, -- 1 shows only what its user owns
    opened_at INTEGER NOT NULL,
    after_n INTEGER NOT NULL,
    ended_at INTEGER,
    sent_n INTEGER NOT NULL, -- the largest number while it has not ended
    cause TEXT
) WITHOUT ROWID;
-- Both hold all that a search asks, so that it looks at no row but those that it finds.
CREATE INDEX audit_connection_sent ON audit_connection (sent_n, after_n, own, user);
CREATE INDEX audit_connection_user ON audit_connection (user, sent_n, after_n, own);
CREATE INDEX audit_connection_ended ON audit_connection (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX audit_connection_open ON audit_connection (relay, opened_at) WHERE ended_at IS NULL;

CREATE TABLE audit_mark (
    connection BLOB NOT NULL,
    n INTEGER NOT NULL,
    relay BLOB NOT NULL,
    lap INTEGER NOT NULL,
    at INTEGER NOT NULL,
    in_step INTEGER NOT NULL,
    PRIMARY KEY (connection, n, relay, lap)
) WITHOUT ROWID;

-- With the number 0, which no entry has, one row for each relay: until when it is taken to be alive.
CREATE TABLE audit_lap (
    relay BLOB NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (relay, n)
) WITHOUT ROWID;
CREATE INDEX audit_lap_at ON audit_lap (at);
