-- Version 2. A series is told by its UID within its study: senders exist that use one in several.
CREATE TABLE series_2 (
    id INTEGER PRIMARY KEY,
    study INTEGER NOT NULL REFERENCES study (id),
    series_instance_uid TEXT NOT NULL,
    modality TEXT,
    series_number TEXT,
    series_description TEXT,
    body_part_examined TEXT,
    UNIQUE (study, series_instance_uid)
) STRICT;
INSERT INTO series_2
    SELECT id, study, series_instance_uid, modality, series_number, series_description,
        body_part_examined
    FROM series;
DROP TABLE series;
ALTER TABLE series_2 RENAME TO series;
CREATE INDEX series_by_uid ON series (series_instance_uid);

-- Counts the objects of one SOP instance UID that are kept; `instance` has the newest of them.
ALTER TABLE instance ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE TABLE version (
    id INTEGER PRIMARY KEY,
    sop_instance_uid TEXT NOT NULL,
    number INTEGER NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    size INTEGER NOT NULL,
    path TEXT NOT NULL,
    source_ae_title TEXT,
    received REAL NOT NULL,
    UNIQUE (sop_instance_uid, number)
) STRICT;

-- Objects that another one is about to replace, where its file goes and where theirs lies. The row
-- is changed after the first file and before the second: a start that finds one here ends it.
CREATE TABLE replacement (
    sop_instance_uid TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    held TEXT NOT NULL
) STRICT;
