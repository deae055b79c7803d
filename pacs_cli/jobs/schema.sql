-- A job of sending, version 1. docs/job-schema.md says what each column means.

CREATE TABLE job (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE destination (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    target TEXT NOT NULL
);

CREATE TABLE study (
    id INTEGER PRIMARY KEY,
    study_instance_uid TEXT NOT NULL UNIQUE
);

CREATE TABLE kind (
    id INTEGER PRIMARY KEY,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    UNIQUE (sop_class_uid, transfer_syntax_uid)
);

CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL REFERENCES destination (id),
    study INTEGER REFERENCES study (id),
    kind INTEGER REFERENCES kind (id),
    sop_instance_uid TEXT,
    content TEXT NOT NULL DEFAULT '',
    path NOT NULL,
    dataset_offset INTEGER NOT NULL DEFAULT 0,
    file_size INTEGER NOT NULL DEFAULT 0,
    modified_ns INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    class TEXT NOT NULL DEFAULT '',
    code INTEGER,
    words TEXT NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX object_path ON object (path, destination);
CREATE UNIQUE INDEX object_content ON object (sop_instance_uid, destination, content)
    WHERE sop_instance_uid IS NOT NULL AND state <> 'skipped';
CREATE INDEX object_queue ON object (destination, study, id) WHERE state IN ('queued', 'sending');
CREATE INDEX object_state ON object (destination, state, class, file_size);
