-- needs 1
-- The search index, which internal/index/postgres works on. Nodes of the version before
-- know none of it.

-- What each project has in it. Whoever changes a project's part locks its line. mark
-- begins all of its words, so that a search reads nobody else's.
CREATE TABLE index_projects (
  project    text COLLATE "C" PRIMARY KEY,
  mark       bigint GENERATED ALWAYS AS IDENTITY,
  documents  bigint NOT NULL DEFAULT 0,
  bytes      bigint NOT NULL DEFAULT 0, -- of text
  words      bigint NOT NULL DEFAULT 0
);

-- A directory of files, or a page of the web.
CREATE TABLE index_sources (
  project  text COLLATE "C" NOT NULL,
  id       text COLLATE "C" NOT NULL,
  kind     text NOT NULL,
  name     text COLLATE "C" NOT NULL,
  url      text NOT NULL,
  origin   text NOT NULL,
  created  bigint NOT NULL,
  updated  bigint NOT NULL,
  PRIMARY KEY (project, id)
);

CREATE TABLE index_documents (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  project   text COLLATE "C" NOT NULL,
  source    text COLLATE "C" NOT NULL,
  path      text COLLATE "C" NOT NULL,
  url       text COLLATE "C" NOT NULL,
  digest    text NOT NULL,
  bytes     bigint NOT NULL, -- of text
  words     bigint NOT NULL, -- title and text
  modified  text NOT NULL,
  title     text NOT NULL
);
CREATE UNIQUE INDEX index_documents_path ON index_documents (project, source, path) INCLUDE (bytes);
CREATE INDEX index_documents_url ON index_documents (project, url);

-- Their texts, in parts that a vector has room for; most have one.
CREATE TABLE index_texts (
  document  bigint NOT NULL REFERENCES index_documents ON DELETE CASCADE,
  part      int NOT NULL,
  body      text NOT NULL,
  PRIMARY KEY (document, part)
);

-- What finds them: words as internal/index cuts them, of the part and of the beginning
-- of the next one. Ranking reads these lines of every document that has a word: they
-- are apart from the texts, and not packed.
CREATE TABLE index_vectors (
  document  bigint NOT NULL REFERENCES index_documents ON DELETE CASCADE,
  part      int NOT NULL,
  words     bigint NOT NULL, -- of the whole document
  lexemes   tsvector NOT NULL,
  PRIMARY KEY (document, part)
) WITH (toast_tuple_target = 8160);
ALTER TABLE index_vectors ALTER COLUMN lexemes SET STORAGE EXTERNAL;
CREATE INDEX index_vectors_lexemes ON index_vectors USING gin (lexemes);
