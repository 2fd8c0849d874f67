// Moves money between two accounts, from Node, however many others do the same.
//
//     selvedge serve bank.selvedge
//     npm install @deno/kv@0.14.0
//     node transfer_funds.mjs http://127.0.0.1:4512
//
// (The client wants an access token, in DENO_KV_ACCESS_TOKEN; where the server asks for
// none, any will do.)
import { createRequire } from "node:module";

// Beside this file, or where CLIENTS says.
const require = createRequire(process.env.CLIENTS ? `${process.env.CLIENTS}/` : import.meta.url);
const { openKv } = require("@deno/kv");

async function transferFunds(kv, sender, receiver, amount) {
  for (;;) {
    const [from, to] = await kv.getMany([["account", sender], ["account", receiver]]);
    if (from.value === null || to.value === null) throw new Error("unknown account");
    if (from.value < amount) throw new Error("insufficient funds");
    // Committed only if nobody has changed either account since they were read.
    const done = await kv.atomic()
      .check(from)
      .check(to)
      .set(from.key, from.value - amount)
      .set(to.key, to.value + amount)
      .commit();
    if (done.ok) return;
  }
}

const accessToken = process.env.DENO_KV_ACCESS_TOKEN ?? "any";
const kv = await openKv(process.argv[2] ?? "http://127.0.0.1:4512", { accessToken });
await kv.set(["account", "alice"], 100);
await kv.set(["account", "bob"], 0);
await Promise.all(Array.from({ length: 10 }, () => transferFunds(kv, "alice", "bob", 7)));
const [alice, bob] = await kv.getMany([["account", "alice"], ["account", "bob"]]);
console.log(`alice has ${alice.value}, bob has ${bob.value}`);
kv.close();
if (alice.value !== 30 || bob.value !== 70) process.exit(1);
