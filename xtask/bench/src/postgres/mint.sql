-- What the service sends to mint a token that is bound to an organization: see its `store`. The token
-- of the caller has the digest of a number from 1 to 1,000.
\set number random(1, 1000)
\set id random(1, 9000000000000000000)

SELECT t.id, t.name, t.organization_id, t.group_uuid, t.scopes, t.expires_at, t.allowed_ips,
    CASE WHEN t.digest = sha256(:number::text::bytea) THEN t.expires_at ELSE t.previous_expires_at END,
    u.id, u.username, u.email,
    greatest((extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    (SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1)),
    u.entries, u.hash, o.id, m.role,
    o.default_expiration, o.maximum_expiration, o.allow_unrestricted, o.entries, o.hash
    FROM tokens t JOIN users u ON u.id = t.user_id
    AND t.digest = coalesce((SELECT p.digest FROM tokens p WHERE p.previous_digest = sha256(:number::text::bytea)
    AND p.previous_expires_at > greatest((extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    (SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1))), sha256(:number::text::bytea))
    AND (t.expires_at IS NULL OR t.expires_at >
    greatest((extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    (SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1)))
    AND u.disabled = 0
    LEFT JOIN organizations o ON o.slug = NULL
    LEFT JOIN members m ON m.organization_id = o.id AND m.user_id = u.id;

BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;

SELECT 1 FROM tokens t JOIN members m ON m.user_id = t.user_id
    JOIN organizations o ON o.id = m.organization_id
    WHERE t.digest = sha256(:number::text::bytea)
    AND o.slug = 'work-' || lpad((:number::integer - 1)::text, 4, '0')
    FOR NO KEY UPDATE OF o FOR KEY SHARE OF t;

SELECT t.id, t.name, t.organization_id, t.group_uuid, t.scopes, t.expires_at, t.allowed_ips,
    CASE WHEN t.digest = sha256(:number::text::bytea) THEN t.expires_at ELSE t.previous_expires_at END,
    u.id AS user_id, u.username AS username, u.email,
    greatest((extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    (SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1)),
    u.entries, u.hash, o.id AS organization_id, m.role,
    o.default_expiration, o.maximum_expiration, o.allow_unrestricted, o.entries AS entries, o.hash
    FROM tokens t JOIN users u ON u.id = t.user_id
    AND t.digest = coalesce((SELECT p.digest FROM tokens p WHERE p.previous_digest = sha256(:number::text::bytea)
    AND p.previous_expires_at > greatest((extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    (SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1))), sha256(:number::text::bytea))
    AND (t.expires_at IS NULL OR t.expires_at >
    greatest((extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    (SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1)))
    AND u.disabled = 0
    LEFT JOIN organizations o ON o.slug = 'work-' || lpad((:number::integer - 1)::text, 4, '0')
    LEFT JOIN members m ON m.organization_id = o.id AND m.user_id = u.id
    \gset of_

INSERT INTO tokens (id, digest, name, user_id, organization_id, group_uuid, scopes, created_at,
    expires_at, allowed_ips)
    VALUES (substr(sha256(:id::text::bytea), 1, 16), sha256(('digest' || :id::text)::bytea),
    'mint-' || :id::text, :of_user_id, :of_organization_id, NULL, 0, 1767225600000, NULL, NULL);

INSERT INTO audit_log (organization_id, user_id, origin, author, created_at, sequence, code, message,
    data, hash)
    VALUES (:of_organization_id, NULL, 'web', :of_username, 1767225600000, :of_entries::bigint + 1,
    'user-token-create', 'minted token m0-10-10 of user-10',
    '{"acting_token":{"id":"AZrAAAAAAAAAAAAAAAAAAA","name":"work-0010-0"},"token":{"id":"AZrAAAAAAAAAAAAAAAAAAA","name":"m0-10-10","organization":"work-0010","owner":"user-10"}}',
    sha256(:id::text::bytea));

UPDATE organizations SET entries = :of_entries::bigint + 1, hash = sha256(:id::text::bytea)
    WHERE id = :of_organization_id;

COMMIT;
