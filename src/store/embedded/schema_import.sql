-- One row while an import into this store is under way: how many lines of the file are here, and the SHA-256 of them.
CREATE TABLE import (lines INTEGER NOT NULL, digest BLOB NOT NULL);

-- Meanwhile: which row each body of the file has become.
CREATE TABLE imported_body (id BLOB PRIMARY KEY, body INTEGER NOT NULL) WITHOUT ROWID;
