-- What was read in a picture, by its pixels and by all that determines a reading.
CREATE TABLE readings (
    picture TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    data BLOB NOT NULL,
    used_s REAL NOT NULL,
    PRIMARY KEY (picture, pipeline)
) WITHOUT ROWID;
CREATE INDEX readings_by_use ON readings (used_s);
