// Makes every call through `openapi-fetch` with the types that `openapi-typescript` generates from
// openapi.yaml, and prints a line for each: the client, the call, and `ok` or what went wrong.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./contract.js";

const client = createClient<paths>({
  baseUrl: process.env.ORGTOKENS_URL,
  headers: { Authorization: `Bearer ${process.env.ORGTOKENS_TOKEN}` },
});

/** Waits for an answer that must be 200, prints its line, and returns the body. */
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
