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
CREATE INDEX audit_connection_sent ON audit_connection (sent_n);
CREATE INDEX audit_connection_user ON audit_connection (user, sent_n);
CREATE INDEX audit_connection_ended ON audit_connection (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX audit_connection_open ON audit_connection (opened_at) WHERE ended_at IS NULL;

CREATE TABLE audit_mark (
    connection BLOB NOT NULL,
    n INTEGER NOT NULL,
    relay BLOB NOT NULL,
    lap INTEGER NOT NULL,
    at INTEGER NOT NULL,
    in_step INTEGER NOT NULL,
    PRIMARY KEY (connection, n, relay, lap)
) WITHOUT ROWID;

CREATE TABLE audit_lap (
    relay BLOB NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (relay, n)
) WITHOUT ROWID;
CREATE INDEX audit_lap_at ON audit_lap (at);
