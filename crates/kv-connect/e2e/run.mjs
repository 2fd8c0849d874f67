// Starts the server, lets Deno and Node drive it, and ends it as an operator would.
//
//     node run.mjs SERVER CLIENTS
//
// SERVER is the binary, CLIENTS the folder in which npm has installed the clients.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";

const [binary, clients] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const token = "a-token-of-the-tests";

class Server {
  constructor(dir) {
    this.dir = dir;
    this.port = 0;
  }

  start() {
    const options = ["serve", "--kv-connect", `127.0.0.1:${this.port}`, "--create-databases", this.dir];
    const env = { ...process.env, SELVEDGE_KV_TOKEN: token };
    this.child = spawn(binary, options, { env, stdio: ["ignore", "ignore", "pipe"] });
    this.ended = new Promise((done) => this.child.once("exit", (code, signal) => done({ code, signal })));
    return new Promise((listening, failed) => {
      const lines = createInterface({ input: this.child.stderr });
      lines.on("line", (line) => {
        const address = /^Listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line);
        if (!address) return console.log(`server: ${line}`);
        this.port = Number(address[1]);
        listening();
      });
      this.ended.then(({ code }) => failed(new Error(`the server ended with ${code}`)));
    });
  }

  get address() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends it with a signal; with SIGTERM it must end well. */
  async stop(signal = "SIGTERM") {
    this.child.kill(signal);
    const { code } = await this.ended;
    if (signal === "SIGTERM" && code !== 0) throw new Error(`the server ended with ${code}`);
  }
}

async function drive(command, script, address, server, signal) {
  const env = { ...process.env, DENO_KV_ACCESS_TOKEN: token, CLIENTS: clients, DENO_NO_UPDATE_CHECK: "1" };
  const child = spawn(command[0], [...command.slice(1), join(here, script), address], {
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), 90_000);
  const ended = new Promise((done) => child.once("exit", (code) => done(code)));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === "restart") {
      await server.stop(signal);
      await server.start();
      child.stdin.write("done\n");
    } else {
      console.log(line);
    }
  }
  const code = await ended;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
}

async function metadata(address) {
  const response = await fetch(address, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ supportedVersions: [1, 2, 3] }),
  });
  return response.json();
}

const dir = mkdtempSync(join(tmpdir(), "kv-connect-"));
const server = new Server(join(dir, "db"));
try {
  await server.start();
  const { databaseId } = await metadata(server.address);
  const deno = [join(clients, "node_modules/.bin/deno"), "run", "--allow-all", "--unstable-kv", "--no-lock", "--no-config"];
  // Restarted once as an operator does it, and once as a crash does.
  await drive(deno, "deno.ts", server.address, server, "SIGTERM");
  await drive([process.execPath], "node.mjs", server.address, server, "SIGKILL");
  // Another database of the same server has none of that.
  await drive(deno, "../examples/transfer_funds.ts", `${server.address}/bank`, server, "SIGTERM");
  await drive([process.execPath], "../examples/transfer_funds.mjs", `${server.address}/bank`, server, "SIGTERM");
  const after = await metadata(server.address);
  if (after.databaseId !== databaseId) throw new Error("the database id has changed");
  if ((await metadata(`${server.address}/bank`)).databaseId === databaseId) throw new Error("one id for two");
  await server.stop();
  console.log("kv connect: ok");
} finally {
  server.child?.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
}
