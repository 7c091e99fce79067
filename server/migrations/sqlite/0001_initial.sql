-- All tables. Times are milliseconds since the Unix epoch. Ids and digests are bytes.
-- Revoking a token deletes its row.

CREATE TABLE users (
    id       INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    email    TEXT NOT NULL
) STRICT;

-- `version` counts the changes that the organization's lists show.
CREATE TABLE organizations (
    id      INTEGER PRIMARY KEY,
    slug    TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
    organization_id INTEGER NOT NULL REFERENCES organizations (id),
    user_id         INTEGER NOT NULL REFERENCES users (id),
    role            TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    PRIMARY KEY (organization_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_by_user ON members (user_id, organization_id);

CREATE TABLE organization_groups (
    uuid            BLOB NOT NULL PRIMARY KEY CHECK (length(uuid) = 16),
    organization_id INTEGER NOT NULL REFERENCES organizations (id),
    name            TEXT NOT NULL,
    location        TEXT NOT NULL,
    version         TEXT NOT NULL,
    UNIQUE (organization_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    id              BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    digest          BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    name            TEXT NOT NULL,
    user_id         INTEGER NOT NULL REFERENCES users (id),
    organization_id INTEGER REFERENCES organizations (id),
    group_uuid      BLOB REFERENCES organization_groups (uuid),
    scopes          INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    UNIQUE (user_id, name),
    CHECK (group_uuid IS NULL OR organization_id IS NOT NULL),
    CHECK ((group_uuid IS NULL) = (scopes = 0))
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_by_organization ON tokens (organization_id, id);
CREATE INDEX tokens_by_user ON tokens (user_id, id);
CREATE INDEX tokens_by_user_in_organization ON tokens (user_id, organization_id, id);
CREATE INDEX tokens_by_group ON tokens (group_uuid, id);

-- Entries without an organization are about unrestricted tokens and the like. The
-- entries of each organization form a hash chain, and so do those without one.
-- `sequence` numbers the entries of a chain from 1, without gaps, in the order of
-- `id`. `hash` covers the entry and the hash of the previous one.
CREATE TABLE audit_log (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER REFERENCES organizations (id),
    sequence        INTEGER NOT NULL CHECK (sequence > 0),
    code            TEXT NOT NULL,
    message         TEXT NOT NULL,
    origin          TEXT NOT NULL CHECK (origin IN ('cli', 'web')),
    author          TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    data            TEXT NOT NULL CHECK (json_valid(data)),
    hash            BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE UNIQUE INDEX audit_log_by_organization ON audit_log (organization_id, sequence);

-- The head of each chain, so that missing entries at its end are noticed too. The
-- chain without an organization has the id 0.
CREATE TABLE chain_heads (
    organization_id INTEGER NOT NULL PRIMARY KEY,
    entries         INTEGER NOT NULL,
    hash            BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
