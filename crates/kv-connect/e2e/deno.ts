// The cases, as Deno sees them. The address comes as an argument; "restart" on standard
// output asks for the server to be restarted, any line on standard input says it was.
import { run } from "./cases.mjs";

const [address] = Deno.args;
const input = Deno.stdin.readable.getReader();

await run({
  open: () => Deno.openKv(address),
  KvU64: Deno.KvU64,
  restart: async () => {
    console.log("restart");
    await input.read();
  },
}, "deno");
Deno.exit(0);
