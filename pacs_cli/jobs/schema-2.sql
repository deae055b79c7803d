-- Version 2: what was asked for after it was sent.

ALTER TABLE object ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;

CREATE INDEX object_sent ON object (destination, study, id) WHERE state = 'sent';
