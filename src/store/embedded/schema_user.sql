-- Who may connect where auth.mode is "store".
CREATE TABLE user (id TEXT PRIMARY KEY) WITHOUT ROWID;
