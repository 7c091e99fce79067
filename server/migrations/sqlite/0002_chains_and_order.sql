-- Puts the data that every request reads into few rows, and lets the database define the order of
-- minting.
-- It runs with foreign keys off; they are checked before it commits.

-- Each organization and each user has its own audit chain: `entries` counts its entries, and `hash`
-- is the hash of the last one. Every change that an organization's lists show adds an entry, so
-- `entries` is also the version of these lists.
ALTER TABLE organizations ADD COLUMN entries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE organizations ADD COLUMN hash BLOB NOT NULL
    DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000'
    CHECK (length(hash) = 32);
UPDATE organizations SET entries = chain_heads.entries, hash = chain_heads.hash
    FROM chain_heads WHERE chain_heads.organization_id = organizations.id;
ALTER TABLE organizations DROP COLUMN version;

-- The tokens of a disabled user are not accepted.
ALTER TABLE users ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1));
ALTER TABLE users ADD COLUMN entries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN hash BLOB NOT NULL
    DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000'
    CHECK (length(hash) = 32);

-- The chain of schema version 1 for entries without an organization. No entry is added to it.
CREATE TABLE closed_chain (
    id      INTEGER PRIMARY KEY CHECK (id = 0),
    entries INTEGER NOT NULL,
    hash    BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO closed_chain (id, entries, hash)
    SELECT 0, entries, hash FROM chain_heads WHERE organization_id = 0;
DROP TABLE chain_heads;

-- An entry belongs to an organization's chain, to a user's chain, or (neither) to the closed one.
ALTER TABLE audit_log ADD COLUMN user_id INTEGER REFERENCES users (id)
    CHECK (user_id IS NULL OR organization_id IS NULL);
CREATE UNIQUE INDEX audit_log_by_user ON audit_log (user_id, sequence) WHERE user_id IS NOT NULL;

-- Members are stored in the order of their list. Usernames never change.
CREATE TABLE new_members (
    organization_id INTEGER NOT NULL REFERENCES organizations (id),
    username        TEXT NOT NULL,
    user_id         INTEGER NOT NULL REFERENCES users (id),
    role            TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    PRIMARY KEY (organization_id, username)
) STRICT, WITHOUT ROWID;
INSERT INTO new_members (organization_id, username, user_id, role)
    SELECT organization_id, username, user_id, role FROM members JOIN users ON users.id = user_id;
DROP TABLE members;
ALTER TABLE new_members RENAME TO members;
CREATE INDEX members_by_user ON members (user_id, organization_id, role);
-- Finds another owner without reading all members.
CREATE INDEX members_owners ON members (organization_id, user_id) WHERE role = 'owner';

-- `position` is the order of minting. A token is not accepted after `expires_at`.
CREATE TABLE new_tokens (
    position        INTEGER PRIMARY KEY,
    id              BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    digest          BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    name            TEXT NOT NULL,
    user_id         INTEGER NOT NULL REFERENCES users (id),
    organization_id INTEGER REFERENCES organizations (id),
    group_uuid      BLOB REFERENCES organization_groups (uuid),
    scopes          INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    UNIQUE (user_id, name),
    CHECK (group_uuid IS NULL OR organization_id IS NOT NULL),
    CHECK ((group_uuid IS NULL) = (scopes = 0))
) STRICT;
INSERT INTO new_tokens (id, digest, name, user_id, organization_id, group_uuid, scopes, created_at)
    SELECT id, digest, name, user_id, organization_id, group_uuid, scopes, created_at
    FROM tokens ORDER BY id;
DROP TABLE tokens;
ALTER TABLE new_tokens RENAME TO tokens;
-- The list of an organization is one range of this index, which has every column that the list
-- reads.
CREATE INDEX tokens_by_organization ON tokens
    (organization_id, position, id, name, created_at, scopes, group_uuid, user_id)
    WHERE organization_id IS NOT NULL;
CREATE INDEX tokens_by_user ON tokens (user_id, position);
CREATE INDEX tokens_by_user_in_organization ON tokens (user_id, organization_id, position);
CREATE INDEX tokens_by_group ON tokens (group_uuid) WHERE group_uuid IS NOT NULL;
