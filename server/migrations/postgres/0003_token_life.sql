-- What a token's life needs.

-- The addresses and networks that a token may be used from, separated by commas; all if it is null.
ALTER TABLE tokens ADD COLUMN allowed_ips TEXT COLLATE "C" CHECK (allowed_ips <> '');

-- When and by which client's address the token was last used; null if it never was.
ALTER TABLE tokens ADD COLUMN last_used_at BIGINT;
ALTER TABLE tokens ADD COLUMN last_used_ip TEXT COLLATE "C" CHECK (last_used_ip <> '');

-- Finds the tokens that have expired.
CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL;
