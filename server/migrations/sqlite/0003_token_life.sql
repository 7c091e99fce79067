-- What a token's life needs. It runs with foreign keys off; they are checked before it commits.

-- The addresses and networks that a token may be used from, separated by commas; all if it is null.
ALTER TABLE tokens ADD COLUMN allowed_ips TEXT CHECK (allowed_ips <> '');
-- When the token got its secret, if that is not its first one. The secret before is accepted until
-- `previous_expires_at`.
ALTER TABLE tokens ADD COLUMN rotated_at INTEGER;
ALTER TABLE tokens ADD COLUMN previous_digest BLOB CHECK (length(previous_digest) = 32);
ALTER TABLE tokens ADD COLUMN previous_expires_at INTEGER
    CHECK ((previous_digest IS NULL) = (previous_expires_at IS NULL));

-- When and by which client's address the token was last used; null if it never was.
ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
ALTER TABLE tokens ADD COLUMN last_used_ip TEXT CHECK (last_used_ip <> '');

-- An organization's list is one range of this index, which holds all that the list reads of a token.
DROP INDEX tokens_by_organization;
CREATE INDEX tokens_by_organization ON tokens
    (organization_id, position, id, name, created_at, scopes, group_uuid, user_id, expires_at)
    WHERE organization_id IS NOT NULL;
-- Finds the tokens that have expired.
CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX tokens_by_previous_digest ON tokens (previous_digest)
    WHERE previous_digest IS NOT NULL;

-- The secrets that a token had before, each until its token is gone, so that their use is noticed.
CREATE TABLE retired_secrets (
    digest    BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    position  INTEGER NOT NULL REFERENCES tokens (position) ON DELETE CASCADE,
    is_reused INTEGER NOT NULL DEFAULT 0 CHECK (is_reused IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX retired_secrets_by_token ON retired_secrets (position);

-- How long the tokens of an organization may live, and whether unrestricted ones reach it.
ALTER TABLE organizations ADD COLUMN default_expiration TEXT NOT NULL DEFAULT 'never';
ALTER TABLE organizations ADD COLUMN maximum_expiration TEXT NOT NULL DEFAULT 'never';
ALTER TABLE organizations ADD COLUMN allow_unrestricted INTEGER NOT NULL DEFAULT 1
    CHECK (allow_unrestricted IN (0, 1));
