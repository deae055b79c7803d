-- Version 1. Attributes are Unicode text as decoded from the objects, NULL when absent.
CREATE TABLE patient (
    id INTEGER PRIMARY KEY,
    patient_id TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    patient_name TEXT,
    patient_birth_date TEXT,
    patient_sex TEXT,
    UNIQUE (patient_id, issuer_of_patient_id)
) STRICT;

CREATE TABLE study (
    id INTEGER PRIMARY KEY,
    patient INTEGER NOT NULL REFERENCES patient (id),
    study_instance_uid TEXT NOT NULL UNIQUE,
    study_date TEXT,
    study_time TEXT,
    accession_number TEXT,
    study_id TEXT,
    study_description TEXT,
    referring_physician_name TEXT
) STRICT;
CREATE INDEX study_of_patient ON study (patient);
CREATE INDEX study_by_date ON study (study_date);
CREATE INDEX study_by_accession_number ON study (accession_number);

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    study INTEGER NOT NULL REFERENCES study (id),
    series_instance_uid TEXT NOT NULL UNIQUE,
    modality TEXT,
    series_number TEXT,
    series_description TEXT,
    body_part_examined TEXT
) STRICT;
CREATE INDEX series_of_study ON series (study);

CREATE TABLE instance (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series (id),
    sop_instance_uid TEXT NOT NULL UNIQUE,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    instance_number TEXT,
    specific_character_set TEXT,
    size INTEGER NOT NULL,
    path TEXT NOT NULL,
    source_ae_title TEXT,
    received REAL NOT NULL
) STRICT;
CREATE INDEX instance_of_series ON instance (series);

-- One row: whether the archive was closed in order, so that a start need not compare all files.
CREATE TABLE state (is_clean INTEGER NOT NULL) STRICT;
INSERT INTO state VALUES (0);
