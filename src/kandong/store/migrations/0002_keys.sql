-- API keys, of which only the SHA-256 is kept, and the list of requests, which holds no contents.
-- Times are seconds since 1970 in UTC.

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    sha256 BLOB NOT NULL UNIQUE,
    scope TEXT NOT NULL CHECK (scope IN ('read', 'submit', 'admin')),
    requests_per_minute INTEGER,
    max_in_flight INTEGER,
    created_s REAL NOT NULL,
    expires_s REAL,
    revoked_s REAL,
    last_used_s REAL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name) WHERE revoked_s IS NULL;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_s REAL NOT NULL,
    key_id TEXT,
    method TEXT NOT NULL,
    route TEXT NOT NULL,
    status INTEGER NOT NULL,
    ms REAL NOT NULL,
    body_sha256 TEXT
) STRICT;
CREATE INDEX audit_by_time ON audit (at_s);
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the list of requests is never changed');
END;
