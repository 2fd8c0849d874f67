// The cases, as @deno/kv on Node sees them; see deno.ts.
import { createRequire } from "node:module";
import { once } from "node:events";
import { run } from "./cases.mjs";

// The package is where the clients were installed, not beside this file.
const require = createRequire(`${process.env.CLIENTS}/`);
const { KvU64, openKv } = require("@deno/kv");
const [address] = process.argv.slice(2);

await run({
  open: () => openKv(address, { accessToken: process.env.DENO_KV_ACCESS_TOKEN }),
  KvU64,
  restart: async () => {
    console.log("restart");
    await once(process.stdin, "data");
  },
}, "node");
process.exit(0);
