// Moves money between two accounts, from Deno, however many others do the same.
//
//     selvedge serve bank.selvedge
//     deno run --allow-net --allow-env --unstable-kv transfer_funds.ts http://127.0.0.1:4512
//
// (Deno wants an access token, in DENO_KV_ACCESS_TOKEN; where the server asks for none,
// any will do.)

async function transferFunds(kv: Deno.Kv, sender: string, receiver: string, amount: number) {
  for (;;) {
    const [from, to] = await kv.getMany<[number, number]>([["account", sender], ["account", receiver]]);
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

const kv = await Deno.openKv(Deno.args[0] ?? "http://127.0.0.1:4512");
await kv.set(["account", "alice"], 100);
await kv.set(["account", "bob"], 0);
await Promise.all(Array.from({ length: 10 }, () => transferFunds(kv, "alice", "bob", 7)));
const [alice, bob] = await kv.getMany<[number, number]>([["account", "alice"], ["account", "bob"]]);
console.log(`alice has ${alice.value}, bob has ${bob.value}`);
kv.close();
if (alice.value !== 30 || bob.value !== 70) Deno.exit(1);
