// What every client must see, written against the API that Deno and @deno/kv share.
//
// `client` brings what differs between the two: `open()`, `KvU64`, and `restart()`,
// which ends the server and starts it again at the same port.

function assert(condition, message) {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

function equal(actual, expected, message = "") {
  const text = (value) =>
    JSON.stringify(value, (_, part) => {
      if (typeof part === "bigint") return `${part}n`;
      if (part instanceof Uint8Array) return `bytes ${[...part]}`;
      if (part instanceof Map) return ["Map", ...part];
      if (part instanceof Set) return ["Set", ...part];
      if (part === undefined) return "undefined";
      if (typeof part === "number" && !Number.isFinite(part)) return String(part);
      return Object.is(part, -0) ? "-0" : part;
    });
  assert(text(actual) === text(expected), `${message}: ${text(actual)} is not ${text(expected)}`);
}

async function fails(work, text) {
  let error;
  try {
    await work();
  } catch (caught) {
    error = caught;
  }
  assert(error, `"${text}" was expected, and nothing failed`);
  assert(String(error.message).includes(text), `"${error.message}" does not say "${text}"`);
}

async function all(iterator) {
  const entries = [];
  for await (const entry of iterator) entries.push(entry);
  return entries;
}

const sleep = (millis) => new Promise((done) => setTimeout(done, millis));

async function operations(client) {
  const kv = await client.open();
  equal(await kv.get(["op", "none"]), { key: ["op", "none"], value: null, versionstamp: null });
  const first = await kv.set(["op", "a"], 1);
  assert(first.ok && /^[0-9a-f]{20}$/.test(first.versionstamp), "a versionstamp");
  const second = await kv.set(["op", "b"], 2);
  assert(second.versionstamp > first.versionstamp, "versionstamps grow");
  equal((await kv.get(["op", "a"])).versionstamp, first.versionstamp, "the stamp of the commit");
  const [a, none, b] = await kv.getMany([["op", "a"], ["op", "none"], ["op", "b"]]);
  equal([a.value, none.value, b.value], [1, null, 2], "getMany");

  const refused = await kv.atomic().check(none, { ...a, versionstamp: second.versionstamp })
    .set(["op", "a"], 9).commit();
  equal(refused, { ok: false }, "a failed check");
  equal((await kv.get(["op", "a"])).value, 1, "nothing applied");
  const done = await kv.atomic().check(a).check(none).set(["op", "a"], 3).delete(["op", "b"])
    .commit();
  assert(done.ok, "checks that hold");
  equal((await kv.get(["op", "b"])).value, null, "deleted");
  const nothing = await kv.atomic().check(none).commit();
  assert(nothing.ok && nothing.versionstamp > done.versionstamp, "a stamp without a mutation");
  await kv.delete(["op", "absent"]);

  // Later mutations see earlier ones.
  const u64 = (value) => new client.KvU64(value);
  await kv.atomic().set(["op", "n"], u64(7n)).delete(["op", "n"]).sum(["op", "n"], 1n)
    .sum(["op", "n"], 2n).min(["op", "m"], 5n).max(["op", "m"], 9n).min(["op", "m"], 8n).commit();
  const [n, m] = await kv.getMany([["op", "n"], ["op", "m"]]);
  equal([n.value.value, m.value.value], [3n, 8n], "computed");
  await kv.atomic().sum(["op", "n"], 2n ** 64n - 1n).commit();
  equal((await kv.get(["op", "n"])).value.value, 2n, "wraps at 2^64");
  kv.close();
}

async function lists(client) {
  const kv = await client.open();
  for (let i = 0; i < 25; i += 5) {
    const atomic = kv.atomic();
    for (let j = i; j < i + 5; j++) atomic.set(["list", j], j);
    await atomic.commit();
  }
  await kv.set(["list"], "not in its own prefix");
  const values = async (selector, options) =>
    (await all(kv.list(selector, options))).map((entry) => entry.value);
  const numbers = Array.from({ length: 25 }, (_, i) => i);
  equal(await values({ prefix: ["list"] }), numbers, "prefix");
  equal(await values({ prefix: ["list"] }, { batchSize: 3 }), numbers, "in batches");
  equal(await values({ prefix: ["list"] }, { reverse: true, limit: 3 }), [24, 23, 22], "reverse");
  equal(await values({ prefix: ["list"], start: ["list", 20] }), [20, 21, 22, 23, 24], "start");
  equal(await values({ prefix: ["list"], end: ["list", 3] }), [0, 1, 2], "end");
  equal(await values({ start: ["list", 3], end: ["list", 5] }), [3, 4], "range");
  const iterator = kv.list({ prefix: ["list"] }, { limit: 10 });
  await all(iterator);
  equal(await values({ prefix: ["list"] }, { cursor: iterator.cursor, limit: 2 }), [10, 11], "cursor");

  const parts = [new Uint8Array([0, 255]), "", "a\0b", "é", -(2n ** 70n), -1n, 0n, 2n ** 64n, -Infinity, -1.5, 0, 1e300, false, true];
  const mixed = kv.atomic();
  parts.forEach((part, index) => mixed.set(["order", part], index));
  await mixed.commit();
  const order = await all(kv.list({ prefix: ["order"] }));
  equal(order.map((entry) => entry.value), parts.map((_, index) => index), "order of types");
  equal(order.map((entry) => entry.key[1]), parts, "keys come back");
  kv.close();
}

async function values(client) {
  const kv = await client.open();
  const values = {
    undefined: undefined, null: null, true: true, number: 1.5, negativeZero: -0, nan: NaN,
    infinity: Infinity, bigint: -(2n ** 100n), string: "zero \0 and \u{1F600}", empty: "",
    bytes: new Uint8Array([0, 1, 255]), noBytes: new Uint8Array(), array: [1, [2, "3"], null],
    object: { a: { b: [1n, undefined] } }, map: new Map([["k", 1]]), set: new Set([1, "2"]),
    date: new Date(1e12), regexp: /a+/gi,
  };
  for (const [name, value] of Object.entries(values)) await kv.set(["value", name], value);
  for (const [name, value] of Object.entries(values)) {
    const found = (await kv.get(["value", name])).value;
    equal(found, value, name);
    assert(Object.prototype.toString.call(found) === Object.prototype.toString.call(value), name);
  }
  await kv.set(["value", "u64"], new client.KvU64(2n ** 64n - 1n));
  const u64 = (await kv.get(["value", "u64"])).value;
  assert(u64 instanceof client.KvU64, "KvU64 comes back");
  equal(u64.value, 2n ** 64n - 1n, "KvU64");
  kv.close();
}

async function limits(client) {
  const kv = await client.open();
  const key = (bytes) => [new Uint8Array(bytes - 2)];
  await kv.set(key(2048).map((part) => part.fill(1)), 1);
  await fails(() => kv.set([new Uint8Array(2047).fill(1)], 1), "too large for write (max 2048 bytes)");
  await fails(() => kv.get([new Uint8Array(2048).fill(1)]), "too large for read (max 2049 bytes)");
  await kv.set(["limit", "value"], new Uint8Array(65536));
  equal((await kv.get(["limit", "value"])).value.length, 65536, "the longest value");
  await fails(() => kv.set(["limit", "value"], new Uint8Array(65537)), "alue too large (max 65536 bytes)");
  await fails(() => kv.getMany(Array.from({ length: 11 }, (_, i) => ["limit", i])), "oo many ranges (max 10)");
  await fails(() => all(kv.list({ prefix: ["limit"] }, { batchSize: 1001 })), "oo many entries (max 1000)");
  const checks = kv.atomic();
  for (let i = 0; i < 100; i++) checks.check({ key: ["limit", "none", i], versionstamp: null });
  assert((await checks.commit()).ok, "a hundred checks");
  checks.check({ key: ["limit", "none"], versionstamp: null });
  await fails(() => checks.commit(), "oo many checks (max 100)");
  const mutations = kv.atomic();
  for (let i = 0; i < 1000; i++) mutations.set(["limit", "many", i], i);
  assert((await mutations.commit()).ok, "a thousand mutations");
  mutations.delete(["limit", "many"]);
  await fails(() => mutations.commit(), "oo many mutations (max 1000)");
  const large = kv.atomic();
  for (let i = 0; i < 13; i++) large.set(["limit", "large", i], new Uint8Array(65000));
  await fails(() => large.commit(), "otal mutation size too large (max 819200 bytes)");
  equal((await kv.get(["limit", "large", 0])).value, null, "nothing applied");
  await fails(() => kv.set(["limit"], 1, { expireIn: -5 }).then(() => { throw new Error("expireIn accepted"); }), "");
  kv.close();
}

async function atomicity(client) {
  const kv = await client.open();
  await kv.set(["atomicity", "text"], "no number");
  const before = (await kv.get(["atomicity", "text"])).versionstamp;
  const text = "Failed to perform 'sum' mutation on a non-U64 value in the database";
  await fails(
    () => kv.atomic().set(["atomicity", "first"], 1).sum(["atomicity", "text"], 1n)
      .set(["atomicity", "last"], 1).commit(),
    text,
  );
  for (const name of ["first", "last"]) {
    equal((await kv.get(["atomicity", name])).value, null, `${name} was not applied`);
  }
  equal((await kv.get(["atomicity", "text"])).versionstamp, before, "untouched");
  for (const operation of ["min", "max"]) {
    await fails(
      () => kv.atomic()[operation](["atomicity", "text"], 1n).commit(),
      `Failed to perform '${operation}' mutation on a non-U64 value in the database`,
    );
  }
  kv.close();
}

async function transferFunds(kv, sender, receiver, amount) {
  for (;;) {
    const [from, to] = await kv.getMany([["account", sender], ["account", receiver]]);
    if (from.value === null || to.value === null) throw new Error("unknown account");
    if (from.value < amount) return false;
    const done = await kv.atomic().check(from).check(to)
      .set(from.key, from.value - amount).set(to.key, to.value + amount).commit();
    if (done.ok) return true;
  }
}

async function transfers(client) {
  const kv = await client.open();
  const accounts = 5;
  const each = 100;
  for (let i = 0; i < accounts; i++) await kv.set(["account", i], each);
  let moved = 0;
  await Promise.all(Array.from({ length: 16 }, async (_, worker) => {
    for (let i = 0; i < 40; i++) {
      const sender = (worker + i) % accounts;
      const receiver = (sender + 1 + (i % (accounts - 1))) % accounts;
      if (await transferFunds(kv, sender, receiver, 1 + (i * 7 + worker) % 30)) moved++;
    }
  }));
  const balances = (await all(kv.list({ prefix: ["account"] }))).map((entry) => entry.value);
  equal(balances.reduce((sum, value) => sum + value, 0), accounts * each, "the sum");
  assert(balances.every((value) => value >= 0), `no debts: ${balances}`);
  assert(moved > 0, "something moved");
  kv.close();
}

async function watches(client) {
  const kv = await client.open();
  await kv.set(["watch", "a"], 1);
  const stream = kv.watch([["watch", "a"], ["watch", "b"]]);
  const reader = stream.getReader();
  const next = async () => (await reader.read()).value.map((entry) => entry.value);
  equal(await next(), [1, null], "first all keys");
  await kv.set(["watch", "b"], 2);
  equal(await next(), [1, 2], "then changes");
  await kv.atomic().set(["watch", "a"], 3).delete(["watch", "b"]).commit();
  equal(await next(), [3, null], "of one commit together");
  await kv.set(["watch", "a"], "short", { expireIn: 300 });
  equal(await next(), ["short", null], "what expires");
  equal(await next(), [null, null], "and its end");

  await client.restart();
  for (;;) {
    try {
      await kv.set(["watch", "a"], "after the restart");
      break;
    } catch {
      await sleep(100);
    }
  }
  for (;;) {
    const [a] = await next();
    if (a === "after the restart") break;
  }
  await reader.cancel();
  kv.close();
}

async function expiry(client) {
  const kv = await client.open();
  await kv.set(["expiry"], 1, { expireIn: 700 });
  equal((await kv.get(["expiry"])).value, 1, "there at first");
  await sleep(300);
  equal((await kv.get(["expiry"])).value, 1, "not before its time");
  await sleep(600);
  equal((await kv.get(["expiry"])).value, null, "gone within the same second");
  equal(await all(kv.list({ prefix: [] }, { batchSize: 500 })).then((entries) =>
    entries.filter((entry) => entry.key[0] === "expiry")), [], "in lists, too");
  await kv.set(["expiry"], 2, { expireIn: 300 });
  await kv.set(["expiry"], 3);
  await sleep(500);
  equal((await kv.get(["expiry"])).value, 3, "a set without expiry clears it");
  kv.close();
}

export const cases = { operations, lists, values, limits, atomicity, transfers, watches, expiry };

/** Runs every case; tells of each. */
export async function run(client, name) {
  for (const [title, work] of Object.entries(cases)) {
    const start = Date.now();
    try {
      await work(client);
    } catch (error) {
      console.log(`${name} ${title}: FAILED: ${error.stack}`);
      throw error;
    }
    console.log(`${name} ${title}: ok (${Date.now() - start} ms)`);
  }
}
