-- needs 1
-- What nodes hold together: how many runs of a lane are at work, and how many requests
-- a key makes. A run whose lane is '' is in none, or was made before there were any here.

ALTER TABLE runs ADD COLUMN lane text COLLATE "C" NOT NULL DEFAULT '';

-- The requests that a key has left: all of them at the time full_at, in microseconds
-- since 1970 by this server's clock, and fewer the further off that is. Nothing is lost
-- with it that is not back within a minute, so it is not kept over a crash.
CREATE UNLOGGED TABLE rates (
  key      text COLLATE "C" PRIMARY KEY,
  full_at  double precision NOT NULL,
  granted  bigint NOT NULL -- by the statement that has last changed the line
) WITH (fillfactor = 50);
