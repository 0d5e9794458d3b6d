-- Answers kept for a day under the key that a client gave its request, so that sending it again does nothing twice.

CREATE TABLE idempotent_answers (
    owner TEXT NOT NULL,
    key_sha TEXT NOT NULL,                  -- SHA-256 of the Idempotency-Key
    request_sha TEXT NOT NULL,              -- SHA-256 of what was asked
    created_s REAL NOT NULL,
    body BLOB,                              -- NULL while the answer is being made
    PRIMARY KEY (owner, key_sha)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_answers_by_age ON idempotent_answers (created_s);
