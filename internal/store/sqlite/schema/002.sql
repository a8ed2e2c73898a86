-- What runs have used up, by day (UTC) and by whom. A commit adds to it.
CREATE TABLE spend (
  project    TEXT NOT NULL,
  day        TEXT NOT NULL,
  agent      TEXT NOT NULL,
  under      TEXT NOT NULL,
  key        TEXT NOT NULL,
  model      TEXT NOT NULL,
  runs       INTEGER NOT NULL,
  calls      INTEGER NOT NULL,
  input      INTEGER NOT NULL,
  output     INTEGER NOT NULL,
  cached     INTEGER NOT NULL,
  reasoning  INTEGER NOT NULL,
  written    INTEGER NOT NULL,
  cost       INTEGER NOT NULL,
  unpriced   INTEGER NOT NULL,
  PRIMARY KEY (project, day, agent, under, key, model)
) WITHOUT ROWID;
