// A bot of which only the bones are there: what a cluster says and hears. It knows nothing but what comes with Node.js.
const net = require("node:net");
const [shards, total, id] = [JSON.parse(process.argv[2]), Number(process.argv[3]), Number(process.argv[4])];
const channel = process.env.MEWLD_CHANNEL;
const { hostname, port } = new URL(process.env.REDIS_URL);

// redis returns a function that sends a command and promises its reply. What comes unasked goes to heard.
function redis(heard) {
  const socket = net.connect(Number(port), hostname);
  let rest = Buffer.alloc(0);
  const waiting = [];
  // parse returns a value and where it ends, or undefined where not all of it is there.
  function parse(at) {
    const end = rest.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const [kind, text] = [String.fromCharCode(rest[at]), rest.toString("utf8", at + 1, end)];
    if (kind === "$") {
      if (Number(text) < 0) return [null, end + 2];
      const last = end + 2 + Number(text);
      return rest.length < last + 2 ? undefined : [rest.toString("utf8", end + 2, last), last + 2];
    }
    if (kind !== "*") return [text, end + 2];
    const all = [];
    let next = end + 2;
    for (let i = 0; i < Number(text); i++) {
      const one = parse(next);
      if (!one) return undefined;
      all.push(one[0]);
      next = one[1];
    }
    return [all, next];
  }
  socket.on("data", (data) => {
    rest = Buffer.concat([rest, data]);
    for (let one; (one = parse(0)); rest = rest.subarray(one[1])) (waiting.shift() || heard)(one[0]);
  });
  socket.on("error", () => process.exit(1));
  socket.on("close", () => process.exit(1));
  return (...args) => {
    socket.write(`*${args.length}\r\n` + args.map((a) => `$${Buffer.byteLength(String(a))}\r\n${a}\r\n`).join(""));
    return new Promise((done) => waiting.push(done));
  };
}

async function main() {
  const own = redis(() => {});
  const say = (v) => own("PUBLISH", channel, JSON.stringify(v));
  const mode = () => own("GET", `${channel}/test/mode/${id}`);
  let last = Promise.resolve(); // of what was heard
  await redis(([, , text]) => (last = last.then(() => hear(read(text)))))("SUBSCRIBE", channel);
  function read(text) {
    try {
      return JSON.parse(text) ?? {};
    } catch {
      return {}; // anybody may write anything on the channel
    }
  }
  async function hear(m) {
    if (m.diag && m.id === id && !["mute", "silent"].includes(await mode())) {
      const Data = shards.map((s) => ({ shard_id: s, up: true, latency: 12.5, guilds: 7, users: 70 }));
      await say({ scope: "launcher", action: "diag", output: JSON.stringify({ Nonce: m.nonce, Data }) });
    } else if (m.scope === "bot" && m.action === "event" && shards.includes(Number((BigInt(m.args.guild) >> 22n) % BigInt(total)))) {
      // While two generations run, both hear of an event: the first one handles it.
      await own("RPUSH", channel + "/test/heard", m.args.event);
      if (await own("SET", `${channel}/seen/${m.args.event}`, 1, "NX", "EX", 600)) await own("RPUSH", channel + "/test/handled", m.args.event);
    }
  }
  await own("RPUSH", channel + "/test/starts", JSON.stringify({
    argv: process.argv.slice(2), cwd: process.cwd(), pid: process.pid, token: process.env.MTOKEN,
    file: process.env.FROM_FILE ?? "", generation: process.env.MOOT_GENERATION,
  }));
  if ((await mode()) === "early") process.exit(3);
  const stubborn = (await mode()) === "stubborn";
  process.on("SIGTERM", () => stubborn || last.then(() => process.exit(0))); // what has begun is finished
  for (const s of shards) await fetch(`${process.env.DISCORD}/identify?shard=${s}&pid=${process.pid}`, { method: "POST" });
  if ((await mode()) === "crash") process.exit(4);
  if ((await mode()) === "leave") process.exit(0);
  if ((await mode()) !== "silent") {
    await say({ scope: "launcher", action: "action_logs", data: { event: "shards_launched", cluster: id, from: shards[0], to: shards.at(-1) } });
    await say({ scope: "launcher", action: "launch_next", args: { id, pid: process.pid } });
  }
}
main();
