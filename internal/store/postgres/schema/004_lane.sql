-- needs 1
-- Those that have a place in their lane, or wait for one, which they do in their order.
CREATE INDEX CONCURRENTLY runs_lane ON runs (project, lane, driver, id) WHERE lane <> '' AND (live OR driver <> '');
