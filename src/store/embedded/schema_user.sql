-- Who may connect where auth.mode is "store". AUTOINCREMENT, so that a user who comes back is another row than before.
CREATE TABLE user (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE
);
