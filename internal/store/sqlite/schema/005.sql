-- Some of the tokens were counted by this server, because the provider did not say.
ALTER TABLE spend ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;

-- Runs that wait for somebody, to be counted: most runs that there are have ended. The
-- columns of the condition are in it, or each line would be read for them.
CREATE INDEX runs_parked ON runs (status, live, ended_at, deleted) WHERE live = 0 AND ended_at = 0 AND deleted = 0;

-- What the log of who did what is asked for by. Each of these is in the order of seq.
CREATE INDEX audit_target     ON audit (target);
CREATE INDEX audit_actor      ON audit (actor);
CREATE INDEX audit_actor_name ON audit (actor_name);
CREATE INDEX audit_action     ON audit (action);
