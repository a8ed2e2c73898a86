-- The few runs whose log is gone already, so that they can be found when their lines go.
CREATE INDEX runs_deleted ON runs (project) WHERE deleted = 1;

-- The jobs of a run, which go with it; those of none come first.
CREATE INDEX jobs_run ON jobs (run);
