-- How much a source and a project have, without reading the documents.
CREATE INDEX documents_bytes ON documents (project, source, bytes);
