-- needs 1
-- Times are Unix milliseconds, 0 = none. Text that lists are ordered by is compared
-- byte by byte, as Go does. A run's id orders as runs were made.

CREATE TABLE runs (
  id           uuid PRIMARY KEY,
  project      text COLLATE "C" NOT NULL,
  dialect      text COLLATE "C" NOT NULL,
  agent        text COLLATE "C" NOT NULL,
  model        text NOT NULL,
  title        text NOT NULL,
  fingerprint  text NOT NULL,
  status       text COLLATE "C" NOT NULL,
  stop_reason  text NOT NULL,
  driver       text COLLATE "C" NOT NULL, -- the node that drives the run; empty = nobody
  max_steps    bigint NOT NULL,
  created_at   bigint NOT NULL,
  pending      bigint NOT NULL,
  ended_at     bigint NOT NULL,
  seq          bigint NOT NULL,
  epoch        bigint NOT NULL,
  steps        bigint NOT NULL,
  input        bigint NOT NULL,
  output       bigint NOT NULL,
  cached       bigint NOT NULL,
  reasoning    bigint NOT NULL,
  written      bigint NOT NULL,
  cost         bigint NOT NULL,
  updated_at   bigint NOT NULL,
  live         boolean NOT NULL,
  unpriced     boolean NOT NULL,
  deleted      boolean NOT NULL
) WITH (fillfactor = 70); -- most appends change a line and none of its indexes: room for that in the page

-- Each ends in the id, so that lists are read newest first. Deleted runs are in none.
CREATE INDEX runs_project ON runs (project, id) WHERE NOT deleted;
CREATE INDEX runs_agent   ON runs (project, agent, status, id) WHERE NOT deleted AND agent <> '';
CREATE INDEX runs_dialect ON runs (project, dialect, id) WHERE NOT deleted;
CREATE INDEX runs_status  ON runs (project, status, id) WHERE NOT deleted;
CREATE INDEX runs_pending ON runs (project, id) WHERE NOT deleted AND pending > 0;
CREATE INDEX runs_deleted ON runs (project, id) WHERE deleted;
CREATE INDEX runs_parked  ON runs (status) WHERE NOT live AND ended_at = 0 AND NOT deleted;
CREATE INDEX runs_live    ON runs (id) WHERE live;
CREATE INDEX runs_driver  ON runs (driver, id) WHERE live;

-- The logs. data is the event's body as the program encodes it.
CREATE TABLE events (
  run   uuid NOT NULL,
  seq   bigint NOT NULL,
  id    bigint NOT NULL,
  at    bigint NOT NULL,
  type  text NOT NULL,
  data  bytea NOT NULL,
  PRIMARY KEY (run, seq)
);

-- Stored objects that are no runs. expires = 0: never.
CREATE TABLE rows (
  kind     text COLLATE "C" NOT NULL,
  project  text COLLATE "C" NOT NULL,
  id       text COLLATE "C" NOT NULL,
  name     text COLLATE "C" NOT NULL,
  version  bigint NOT NULL,
  created  bigint NOT NULL,
  expires  bigint NOT NULL,
  data     bytea NOT NULL,
  PRIMARY KEY (kind, project, id)
);
CREATE UNIQUE INDEX rows_name ON rows (kind, project, name) WHERE name <> '';
CREATE INDEX rows_expires ON rows (expires) WHERE expires > 0;

-- Work for later, where the queue of the one node keeps it. run is all zeros for a
-- job that belongs to none.
CREATE TABLE jobs (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  due    bigint NOT NULL,
  kind   text NOT NULL,
  run    uuid NOT NULL,
  tries  bigint NOT NULL DEFAULT 0,
  data   bytea NOT NULL
);
CREATE INDEX jobs_due ON jobs (due, id);
CREATE INDEX jobs_run ON jobs (run, id);

-- What runs have used up, by day (UTC) and by whom. Each account has several
-- lines, one per lane, so that nodes that book at once don't wait for each other.
CREATE TABLE spend (
  project    text COLLATE "C" NOT NULL,
  day        text COLLATE "C" NOT NULL,
  agent      text COLLATE "C" NOT NULL,
  under      text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  model      text COLLATE "C" NOT NULL,
  lane       smallint NOT NULL,
  runs       bigint NOT NULL,
  calls      bigint NOT NULL,
  input      bigint NOT NULL,
  output     bigint NOT NULL,
  cached     bigint NOT NULL,
  reasoning  bigint NOT NULL,
  written    bigint NOT NULL,
  cost       bigint NOT NULL,
  unpriced   boolean NOT NULL,
  estimated  boolean NOT NULL,
  PRIMARY KEY (project, day, agent, under, key, model, lane)
) WITH (fillfactor = 50);

-- The log of who did what. hash covers the line and the hash of the line before.
CREATE TABLE audit (
  seq         bigint PRIMARY KEY,
  at          bigint NOT NULL,
  project     text COLLATE "C" NOT NULL,
  actor       text NOT NULL,
  actor_name  text NOT NULL,
  source      text NOT NULL,
  request     text NOT NULL,
  action      text NOT NULL,
  target      text NOT NULL,
  data        bytea NOT NULL,
  hash        bytea NOT NULL
);
CREATE INDEX audit_project    ON audit (project, seq);
CREATE INDEX audit_target     ON audit (target, seq);
CREATE INDEX audit_actor      ON audit (actor, seq);
CREATE INDEX audit_actor_name ON audit (actor_name, seq);
CREATE INDEX audit_action     ON audit (action, seq);

-- Its end: one line, locked by whoever appends, so that the nodes write one chain.
CREATE TABLE audit_head (
  one   boolean PRIMARY KEY DEFAULT true CHECK (one),
  seq   bigint NOT NULL,
  hash  bytea NOT NULL
);
INSERT INTO audit_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- The nodes that serve: each renews its line; whose time has passed is gone.
CREATE TABLE nodes (
  id          text PRIMARY KEY,
  address     text NOT NULL,
  epoch       bigint NOT NULL,
  expires_at  timestamptz NOT NULL,
  started_at  timestamptz NOT NULL,
  version     text NOT NULL
);

-- The bytes of stored files, by their SHA-256 in hex, in parts of one size. Who has
-- put some and is about to write the row that counts them has a claim meanwhile.
CREATE TABLE blobs (
  digest  text COLLATE "C" PRIMARY KEY,
  size    bigint NOT NULL
);
CREATE TABLE blob_parts (
  digest  text COLLATE "C" NOT NULL REFERENCES blobs ON DELETE CASCADE,
  part    int NOT NULL,
  data    bytea NOT NULL,
  PRIMARY KEY (digest, part)
);
ALTER TABLE blob_parts ALTER COLUMN data SET STORAGE EXTERNAL; -- most files are packed already
CREATE TABLE blob_claims (
  digest  text COLLATE "C" NOT NULL REFERENCES blobs ON DELETE CASCADE,
  claim   text COLLATE "C" NOT NULL,
  until   timestamptz NOT NULL,
  PRIMARY KEY (digest, claim)
);
CREATE INDEX blob_claims_until ON blob_claims (until);
