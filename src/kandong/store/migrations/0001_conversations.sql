-- Pictures by their content, files that name them, conversations, messages, generations.
-- Times are seconds since 1970 in UTC. Numbers are only for the inside; ids are what the outside sees.

CREATE TABLE media (
    sha TEXT NOT NULL PRIMARY KEY,          -- SHA-256 of size and RGB pixels
    width_px INTEGER NOT NULL,
    height_px INTEGER NOT NULL,
    num_bytes INTEGER NOT NULL,             -- on disk, the small picture included
    created_s REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    sha TEXT NOT NULL REFERENCES media (sha),
    num_bytes INTEGER NOT NULL,             -- as uploaded
    format TEXT NOT NULL,
    num_frames INTEGER NOT NULL,
    created_s REAL NOT NULL,
    deleted_s REAL                          -- no longer listed; kept while a conversation shows it
) STRICT;
CREATE INDEX files_of_owner ON files (owner, number);
CREATE INDEX files_of_media ON files (sha);

CREATE TABLE conversations (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    title TEXT NOT NULL,
    settings TEXT NOT NULL,                 -- JSON
    num_supersedes INTEGER NOT NULL DEFAULT 0,
    created_s REAL NOT NULL,
    updated_s REAL NOT NULL,
    deleted_s REAL,
    import_sha TEXT                         -- of the exported form that it came from
) STRICT;
CREATE INDEX conversations_of_owner ON conversations (owner, updated_s);
CREATE UNIQUE INDEX conversations_imported ON conversations (owner, import_sha) WHERE import_sha IS NOT NULL;

-- Messages are never changed by editing: those left behind carry the number of the edit in superseded_in, and a minus
-- before it when the edit itself was taken back.
CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    text TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('complete', 'running', 'stopped', 'failed', 'interrupted')),
    outcome TEXT NOT NULL DEFAULT '{}',     -- JSON: how an answer ended
    generation_id TEXT,
    added_in INTEGER NOT NULL,
    superseded_in INTEGER,
    created_s REAL NOT NULL
) STRICT;
CREATE INDEX messages_of_conversation ON messages (conversation, number);

CREATE TABLE message_files (
    message INTEGER NOT NULL REFERENCES messages (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    file INTEGER NOT NULL REFERENCES files (number),
    PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_files_of_file ON message_files (file);

CREATE TABLE generations (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
    message INTEGER NOT NULL UNIQUE REFERENCES messages (number) ON DELETE CASCADE,
    is_running INTEGER NOT NULL,
    num_events INTEGER NOT NULL DEFAULT 0,
    created_s REAL NOT NULL,
    ended_s REAL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_running_generation ON generations (conversation) WHERE is_running;

-- Three characters make a term, so that Chinese, which has no spaces, is found wherever it stands.
CREATE VIRTUAL TABLE message_words USING fts5 (text, tokenize = 'trigram');
CREATE TRIGGER message_gone AFTER DELETE ON messages BEGIN
    DELETE FROM message_words WHERE rowid = old.number;
END;
