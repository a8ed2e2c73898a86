-- What the operator has added: a directory of files, or a page of the web.
CREATE TABLE sources (
  project TEXT NOT NULL,
  id      TEXT NOT NULL,
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,
  url     TEXT NOT NULL,
  origin  TEXT NOT NULL,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  PRIMARY KEY (project, id)
) WITHOUT ROWID;

-- One row per file or page. The text is last, because lists read only the rest.
CREATE TABLE documents (
  id       INTEGER PRIMARY KEY,
  project  TEXT NOT NULL,
  source   TEXT NOT NULL,
  path     TEXT NOT NULL,
  url      TEXT NOT NULL,
  digest   TEXT NOT NULL,
  bytes    INTEGER NOT NULL,
  modified TEXT NOT NULL,
  title    TEXT NOT NULL,
  body     TEXT NOT NULL
);
CREATE UNIQUE INDEX documents_path ON documents (project, source, path);
CREATE INDEX documents_url ON documents (project, url);

-- The words of the documents, which hold the text itself.
CREATE VIRTUAL TABLE words USING fts5(
  title, body, content='documents', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2'
);
-- A word in a title says four times as much as one in the text.
INSERT INTO words (words, rank) VALUES ('rank', 'bm25(4.0, 1.0)');

CREATE TRIGGER documents_added AFTER INSERT ON documents BEGIN
  INSERT INTO words (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER documents_removed AFTER DELETE ON documents BEGIN
  INSERT INTO words (words, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
END;
CREATE TRIGGER documents_changed AFTER UPDATE OF title, body ON documents BEGIN
  INSERT INTO words (words, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
  INSERT INTO words (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
