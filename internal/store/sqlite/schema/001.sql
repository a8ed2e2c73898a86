-- One line per run. The order of ids is the order in which runs were made.
CREATE TABLE runs (
  id            BLOB PRIMARY KEY,
  project       TEXT NOT NULL,
  dialect       TEXT NOT NULL,
  agent         TEXT NOT NULL,
  model         TEXT NOT NULL,
  max_steps     INTEGER NOT NULL,
  title         TEXT NOT NULL,
  fingerprint   TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  status        TEXT NOT NULL,
  pending       INTEGER NOT NULL,
  live          INTEGER NOT NULL,
  stop_reason   TEXT NOT NULL,
  seq           INTEGER NOT NULL,
  epoch         INTEGER NOT NULL,
  steps         INTEGER NOT NULL,
  input         INTEGER NOT NULL,
  output        INTEGER NOT NULL,
  cached        INTEGER NOT NULL,
  reasoning     INTEGER NOT NULL,
  cost          INTEGER NOT NULL,
  unpriced      INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  ended_at      INTEGER NOT NULL,
  deleted       INTEGER NOT NULL
) WITHOUT ROWID;

-- Each index ends in the id, as all do in a table without rowids, so that lists
-- are read from them newest first. Deleted runs are in none.
CREATE INDEX runs_project ON runs (project) WHERE deleted = 0;
CREATE INDEX runs_agent   ON runs (project, agent, status) WHERE deleted = 0 AND agent <> '';
CREATE INDEX runs_dialect ON runs (project, dialect) WHERE deleted = 0;
CREATE INDEX runs_status  ON runs (project, status) WHERE deleted = 0;
CREATE INDEX runs_pending ON runs (project) WHERE deleted = 0 AND pending > 0;
CREATE INDEX runs_live    ON runs (live) WHERE live = 1;

-- The logs. at is in Unix milliseconds, data the event's body.
CREATE TABLE events (
  run   BLOB NOT NULL,
  seq   INTEGER NOT NULL,
  id    INTEGER NOT NULL,
  at    INTEGER NOT NULL,
  type  TEXT NOT NULL,
  data  BLOB NOT NULL,
  PRIMARY KEY (run, seq)
) WITHOUT ROWID;

-- Stored objects that are no runs. expires = 0: never.
CREATE TABLE rows (
  kind     TEXT NOT NULL,
  project  TEXT NOT NULL,
  id       TEXT NOT NULL,
  name     TEXT NOT NULL,
  version  INTEGER NOT NULL,
  created  INTEGER NOT NULL,
  expires  INTEGER NOT NULL,
  data     BLOB NOT NULL,
  PRIMARY KEY (kind, project, id)
) WITHOUT ROWID;

CREATE UNIQUE INDEX rows_name ON rows (kind, project, name) WHERE name <> '';
CREATE INDEX rows_expires ON rows (expires) WHERE expires > 0;

-- Work for later. run is empty for a job that belongs to none.
CREATE TABLE jobs (
  id     INTEGER PRIMARY KEY,
  due    INTEGER NOT NULL,
  kind   TEXT NOT NULL,
  run    BLOB NOT NULL,
  tries  INTEGER NOT NULL,
  data   BLOB NOT NULL
);

CREATE INDEX jobs_due ON jobs (due);
