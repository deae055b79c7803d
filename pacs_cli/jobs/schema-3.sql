-- Version 3: objects that are changed on their way.

ALTER TABLE object ADD COLUMN source_sop_instance_uid TEXT;
ALTER TABLE object ADD COLUMN fixes TEXT NOT NULL DEFAULT '';
