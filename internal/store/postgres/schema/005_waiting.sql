-- needs 1
-- Those that wait for a node with room, by whose they are.
CREATE INDEX CONCURRENTLY runs_waiting ON runs (project) WHERE live AND driver = '' AND lane = '';
