// Makes the calls of the npm package `@tursodatabase/api` that the server serves, and prints a line
// for each: the client, the call, and `ok` or what went wrong.

import assert from "node:assert/strict";
import { createClient } from "@tursodatabase/api";

const { ORGTOKENS_URL: url, ORGTOKENS_TOKEN: token } = process.env;
const client = createClient({ org: "acme", token, baseUrl: `${url}/v1/` });
const { apiTokens, organizations, groups } = client;

const calls = {
  "apiTokens.create": async () => {
    const { name, token } = await apiTokens.create("from-node");
    assert.equal(name, "from-node");
    assert.equal((await createClient({ org: "acme", token, baseUrl: `${url}/v1/` }).apiTokens.list()).length, 2);
  },
  "apiTokens.list": async () => {
    const names = (await apiTokens.list()).map(({ name }) => name);
    assert.ok(names.includes("from-node"), names.join());
  },
  "apiTokens.validate": async () => assert.equal((await apiTokens.validate(token)).expiry, -1),
  "apiTokens.revoke": async () => assert.deepEqual(await apiTokens.revoke("from-node"), { token: "from-node" }),
  "organizations.list": async () => assert.equal((await organizations.list())[0].slug, "acme"),
  "organizations.addMember": async () =>
    assert.deepEqual(await organizations.addMember("bob", "admin"), { member: "bob", role: "admin" }),
  "organizations.members": async () => {
    const roles = (await organizations.members()).map(({ username, role }) => `${username} ${role}`);
    assert.ok(roles.includes("bob admin"), roles.join());
  },
  "organizations.removeMember": async () =>
    assert.deepEqual(await organizations.removeMember("bob"), { member: "bob" }),
  "groups.create": async () => assert.equal((await groups.create("node", "lhr")).name, "node"),
  "groups.list": async () => assert.equal((await groups.list()).length, 1),
  "groups.get": async () => assert.equal((await groups.get("node")).primary, "lhr"),
  "groups.delete": async () => assert.equal((await groups.delete("node")).name, "node"),
};

for (const [call, make] of Object.entries(calls)) {
  const outcome = await make().then(() => "ok", (error) => error.message.split("\n")[0]);
  console.log(["@tursodatabase/api", call, outcome].join("\t"));
}
