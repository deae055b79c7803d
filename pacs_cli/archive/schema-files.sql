-- Files that `pacs index` has looked at, by their path as it stands in `instance`, so that what has
-- not changed is not read again. `outcome` is what became of it: `object` has its row in `instance`;
-- `duplicate` has the `duplicate_uid` of one that lies elsewhere; `skipped` and `failed` a `reason`.
CREATE TABLE file (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    instance INTEGER,
    duplicate_uid TEXT,
    reason TEXT,
    sha256 TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX file_by_duplicate_uid ON file (duplicate_uid) WHERE duplicate_uid IS NOT NULL;

-- Whoever takes an object out: its file, and others of its UID, are looked at again.
CREATE TRIGGER file_of_instance AFTER DELETE ON instance BEGIN
    DELETE FROM file WHERE path = OLD.path;
    DELETE FROM file WHERE duplicate_uid = OLD.sop_instance_uid;
END;

-- Folders that were added, as paths are: below the root relative, others absolute.
CREATE TABLE source (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- One row at most: the folder below which relative paths lie, when it is not the index's own.
CREATE TABLE root (path TEXT NOT NULL) STRICT;
