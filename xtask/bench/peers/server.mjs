// better-auth with its api-key plugin on SQLite: a user with 20 keys, and a server that lists them.
// Prints its address. The arguments are the file of the database, and a file for a session's cookie.

import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import Database from "better-sqlite3";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

const database = new Database(process.argv[2]);
database.pragma("journal_mode = WAL");
const auth = betterAuth({
  baseURL: "http://127.0.0.1",
  database,
  secret: "a secret of thirty-two characters",
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
});
await (await getMigrations(auth.options)).runMigrations();

const user = { name: "bench", email: "bench@example.com", password: "a long password" };
const signedUp = await auth.api.signUpEmail({ body: user, returnHeaders: true });
for (let index = 0; index < 20; index++) {
  await auth.api.createApiKey({ body: { name: `key-${index}`, userId: signedUp.response.user.id } });
}
const cookies = signedUp.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
writeFileSync(process.argv[3], cookies.join("; "));

const server = createServer(toNodeHandler(auth));
server.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
