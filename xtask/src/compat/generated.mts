// Makes every call through `openapi-fetch` with the types that `openapi-typescript` generates from
// openapi.yaml, and prints a line for each: the client, the call, and `ok` or what went wrong.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./contract.js";

const client = createClient<paths>({
  baseUrl: process.env.ORGTOKENS_URL,
  headers: { Authorization: `Bearer ${process.env.ORGTOKENS_TOKEN}` },
});

/** Waits for an answer that must be a success, prints its line, and returns the body. */
async function call<T>(name: string, answer: Promise<{ data?: T; error?: { error: string } }>): Promise<T> {
  const { data, error } = await answer;
  console.log(["openapi-typescript", name, data ? "ok" : error?.error].join("\t"));
  return data ?? assert.fail(name);
}

const organizationSlug = "acme";
const acme = { path: { organizationSlug } };
const group = { path: { organizationSlug, groupName: "typed" } };
const bob = { path: { organizationSlug, username: "bob" } };
const [organizations, tokens] = ["/v1/organizations/{organizationSlug}", "/v1/auth/api-tokens"] as const;

await call("createGroup", client.POST(`${organizations}/groups`, { params: acme, body: { name: "typed", location: "lhr" } }));
await call("listGroups", client.GET(`${organizations}/groups`, { params: acme }));
await call("getGroup", client.GET(`${organizations}/groups/{groupName}`, { params: group }));
const { id: tokenId } = await call("createAPIToken", client.POST(`${tokens}/{tokenName}`, {
  params: { path: { tokenName: "typed" } },
  body: { organization: "acme" },
}));
const listed = await call("listOrganizationAPITokens", client.GET(`${organizations}/api-tokens`, { params: acme }));
assert.ok(listed.tokens?.some(({ id }) => id === tokenId));
await call("listAPITokens", client.GET(tokens));
await call("validateAPIToken", client.GET("/v1/auth/validate"));
await call("revokeOrganizationAPIToken", client.DELETE(`${organizations}/api-tokens/{tokenId}`, {
  params: { path: { organizationSlug, tokenId } },
}));
await call("createAPIToken", client.POST(`${tokens}/{tokenName}`, { params: { path: { tokenName: "spare" } } }));
await call("revokeAPIToken", client.DELETE(`${tokens}/{tokenName}`, { params: { path: { tokenName: "spare" } } }));
const { id, token } = await call("createOrganizationAPIToken", client.POST(`${organizations}/api-tokens`, {
  params: acme,
  body: { name: "short", expiration: "1d", allowed_ips: ["127.0.0.0/8"] },
}));
const short = { path: { organizationSlug, tokenId: id } };
const shown = await call("getOrganizationAPIToken", client.GET(`${organizations}/api-tokens/{tokenId}`, { params: short }));
assert.ok(shown.token.expires_at);
await call("rotateOrganizationAPIToken", client.POST(`${organizations}/api-tokens/{tokenId}/rotate`, {
  params: short,
  body: { overlap: "1h" },
}));
await call("revokeCredentials", client.POST("/v1/credentials/revoke", { body: { credentials: [token] } }));
const revoked = await call("revokeOrganizationAPITokens", client.POST(`${organizations}/api-token-revocations`, {
  params: acme,
  body: { filter: { never_used: true }, dry_run: true },
}));
assert.ok(!revoked.tokens.some((token) => token.id === id));
const { policy } = await call("getTokenPolicy", client.GET(`${organizations}/token-policy`, { params: acme }));
await call("updateTokenPolicy", client.PUT(`${organizations}/token-policy`, {
  params: acme,
  body: { ...policy, maximum_expiration: "never" },
}));
await call("listOrganizationMemberAPITokens", client.GET(`${organizations}/members/{username}/api-tokens`, {
  params: { path: { organizationSlug, username: "alice" } },
}));
await call("getCurrentUser", client.GET("/v1/user"));
await call("listOrganizations", client.GET("/v1/organizations"));
await call("getOrganization", client.GET(organizations, { params: acme }));
await call("addOrganizationMember", client.POST(`${organizations}/members`, { params: acme, body: { username: "bob", role: "member" } }));
await call("listOrganizationMembers", client.GET(`${organizations}/members`, { params: acme }));
await call("getOrganizationMember", client.GET(`${organizations}/members/{username}`, { params: bob }));
await call("updateMemberRole", client.PATCH(`${organizations}/members/{username}`, { params: bob, body: { role: "admin" } }));
await call("removeOrganizationMember", client.DELETE(`${organizations}/members/{username}`, { params: bob }));
await call("deleteGroup", client.DELETE(`${organizations}/groups/{groupName}`, { params: group }));
const page = await call("listOrganizationAuditLogs", client.GET(`${organizations}/audit-logs`, {
  params: { ...acme, query: { page_size: 1 } },
}));
assert.equal(page.audit_logs[0].code, "group-delete");
