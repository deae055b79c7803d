-- A job of version 2, as that version left it when it was killed.
PRAGMA application_id = 1885430634;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE destination (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    target TEXT NOT NULL
);
INSERT INTO "destination" VALUES(1,'127.0.0.1','{"port": @PORT@, "peer": {"peer": "127.0.0.1", "called_ae_title": null}, "network": {"calling_ae_title": null, "connect_timeout": null, "acse_timeout": null, "dimse_timeout": null, "timeout": null, "max_pdu": null}}');
CREATE TABLE job (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "job" VALUES('options','{}');
INSERT INTO "job" VALUES('planned','true');
INSERT INTO "job" VALUES('run','{"objects_in_this_run": 1, "bytes_in_this_run": 256, "seconds": 0.677648, "objects_per_second": 1.476, "megabytes_per_second": 0.0}');
INSERT INTO "job" VALUES('wish','"run"');
CREATE TABLE kind (
    id INTEGER PRIMARY KEY,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    UNIQUE (sop_class_uid, transfer_syntax_uid)
);
INSERT INTO "kind" VALUES(1,'1.2.840.10008.5.1.4.1.1.2','1.2.840.10008.1.2.1');
INSERT INTO "kind" VALUES(2,'1.2.840.10008.5.1.4.1.1.4','1.2.840.10008.1.2.1');
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
, verified INTEGER NOT NULL DEFAULT 0);
INSERT INTO "object" VALUES(1,1,1,1,'1.2.3.0','','@FOLDER@/0000.dcm',308,564,1795622276225480698,'sent',1,'',0,'',0);
INSERT INTO "object" VALUES(2,1,1,2,'1.2.3.1','','@FOLDER@/0001.dcm',308,564,1795622276225523784,'sent',1,'',45056,'',0);
INSERT INTO "object" VALUES(3,1,1,1,'1.2.3.2','','@FOLDER@/0002.dcm',308,564,1795622276225561073,'failed',1,'not understood',49152,'@FOLDER@/0002.dcm was not stored: C000H the peer cannot understand the object; validate it; see the peer''s log',0);
INSERT INTO "object" VALUES(4,1,1,2,'1.2.3.3','','@FOLDER@/0003.dcm',308,564,1795622276225613979,'sending',0,'',NULL,'',0);
INSERT INTO "object" VALUES(5,1,1,1,'1.2.3.4','','@FOLDER@/0004.dcm',308,564,1795622276225650529,'queued',0,'',NULL,'',0);
INSERT INTO "object" VALUES(6,1,1,2,'1.2.3.5','','@FOLDER@/0005.dcm',308,564,1795622276225694421,'queued',0,'',NULL,'',0);
INSERT INTO "object" VALUES(7,1,1,1,'1.2.3.6','192bf898fe88aee46b66b6ca817ceb9ea3310ccc7391171d01cfeb36e9497dc1','@FOLDER@/0006.dcm',308,564,1795622276225735020,'queued',0,'',NULL,'',0);
INSERT INTO "object" VALUES(8,1,1,1,'1.2.3.6','192bf898fe88aee46b66b6ca817ceb9ea3310ccc7391171d01cfeb36e9497dc1','@FOLDER@/0007.dcm',308,564,1795622276225821088,'skipped',0,'duplicate',NULL,'the same object as @FOLDER@/0006.dcm',0);
CREATE TABLE study (
    id INTEGER PRIMARY KEY,
    study_instance_uid TEXT NOT NULL UNIQUE
);
INSERT INTO "study" VALUES(1,'1.2.826.0.1.3680043.10.2');
CREATE UNIQUE INDEX object_path ON object (path, destination);
CREATE UNIQUE INDEX object_content ON object (sop_instance_uid, destination, content)
    WHERE sop_instance_uid IS NOT NULL AND state <> 'skipped';
CREATE INDEX object_queue ON object (destination, study, id) WHERE state IN ('queued', 'sending');
CREATE INDEX object_state ON object (destination, state, class, file_size);
CREATE INDEX object_sent ON object (destination, study, id) WHERE state = 'sent';
COMMIT;
