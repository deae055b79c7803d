-- Version 4: objects that another archive has announced, and that are fetched to be sent.

CREATE TABLE origin (
    object INTEGER PRIMARY KEY REFERENCES object (id),
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL
);

CREATE INDEX object_announced ON object (study, id) WHERE state = 'announced';
