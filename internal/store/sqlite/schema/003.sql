-- The log of who did what. hash covers the line and the hash of the line before.
CREATE TABLE audit (
  seq         INTEGER PRIMARY KEY,
  at          INTEGER NOT NULL,
  project     TEXT NOT NULL,
  actor       TEXT NOT NULL,
  actor_name  TEXT NOT NULL,
  source      TEXT NOT NULL,
  request     TEXT NOT NULL,
  action      TEXT NOT NULL,
  target      TEXT NOT NULL,
  data        BLOB NOT NULL,
  hash        BLOB NOT NULL
);

CREATE INDEX audit_project ON audit (project, seq);
