-- What a token's life needs. It runs with foreign keys off; they are checked before it commits.

-- The addresses and networks that a token may be used from, separated by commas; all if it is null.
ALTER TABLE tokens ADD COLUMN allowed_ips TEXT CHECK (allowed_ips <> '');

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
