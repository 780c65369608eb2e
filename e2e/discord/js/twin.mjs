// A Discord by others (discord-digital-twin), driven over stdin and stdout: a JSON object a line each way,
//
//	{"id": 1, "do": "slash", "with": {"user": "2", "name": "ping"}}
//	{"id": 1, "result": {…}}   or   {"id": 1, "error": "…"}
//
// It is the foreign witness of the life cycle of interactions: it shares no code with the bot and none with discordtest.
//
//	node twin.mjs FOLDER     where FOLDER/node_modules has the library
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import path from "node:path";
import { pathToFileURL } from "node:url";

for (const level of ["log", "debug", "info", "warn", "error", "trace"]) console[level] = () => {};

const require = createRequire(path.join(process.argv[2], "package.json"));
const { DigitalDiscord, DiscordGateway } = await import(pathToFileURL(path.join(process.argv[2], "node_modules/discord-digital-twin/dist/index.js")).href);

// The twin knows no request for members (op 8). What it knows of them is told here, as Discord does.
const handle = DiscordGateway.prototype.handleMessage;
DiscordGateway.prototype.handleMessage = async function (client, raw) {
  const { op, d } = JSON.parse(raw);
  if (op !== 8) return handle.call(this, client, raw);
  const guild = Array.isArray(d.guild_id) ? d.guild_id[0] : d.guild_id;
  const state = (await this.loadState()).guilds.find((g) => g.id === guild);
  this.sendDispatch(client, "GUILD_MEMBERS_CHUNK", { guild_id: guild, members: state.members, chunk_index: 0, chunk_count: 1, nonce: d.nonce });
};

const patience = 30_000;
const names = ["Ann", "Ben", "Cem", "Dan", "Eve"];
let discord, channel;

async function until(what, look) {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    const found = await look();
    if (found) return found;
    await new Promise((again) => setTimeout(again, 20)); // the twin tells of no change
  }
  throw new Error(`waited in vain for ${what}`);
}

const messages = () => discord.channel(channel).getMessages();
const interact = (user, type, data, message) => discord.simulateInteraction({ type, channelId: channel, userId: user, data, messageId: message });

// kept is what the twin has noted of an interaction.
const kept = (id) => discord.prisma.interactionResponse.findUnique({ where: { interactionId: id } });

const acts = {
  async start() {
    discord = new DigitalDiscord({
      guild: { name: "Lab" },
      channels: [{ name: "general", type: 0 }],
      users: names.map((username) => ({ username })),
      botUser: { username: "moot" },
      botToken: "token-of-the-twin",
    });
    await discord.start();
    channel = (await discord.prisma.channel.findMany())[0].id;
    const users = {};
    for (const u of await discord.prisma.user.findMany()) users[u.username] = u.id;
    return { api: discord.restUrl, port: discord.port, token: discord.botToken, guild: discord.guildId, channel, users };
  },
  commands: () =>
    until("the commands", async () => {
      const all = await discord.prisma.applicationCommand.findMany();
      return all.length > 0 && all.map((c) => c.name).sort();
    }),
  slash: ({ user, name, options }) => discord.simulateSlashCommand({ channelId: channel, userId: user, name, options }),
  onPerson: ({ user, name, target, resolved }) => interact(user, 2, { id: "1", name, type: 2, target_id: target, resolved }),
  complete: ({ user, name, options }) => interact(user, 4, { id: "1", name, type: 1, options }),
  press: ({ user, message, custom }) => discord.simulateButtonClick({ channelId: channel, userId: user, messageId: message, customId: custom }),
  choose: ({ user, message, custom, values }) => discord.simulateSelectMenu({ channelId: channel, userId: user, messageId: message, customId: custom, values }),
  submit: ({ user, custom, fields }) => discord.simulateModalSubmit({ channelId: channel, userId: user, customId: custom, fields }),
  // answer waits for the first answer to an interaction.
  answer: ({ id }) => until("an answer", async () => { const r = await kept(id); return r?.acknowledged && { type: r.type, message: r.messageId, data: JSON.parse(r.data ?? "null") }; }),
  // followUps waits for further answers: messages of the bot's webhook that came after the first answer.
  followUps: ({ id }) =>
    until("a followup", async () => {
      const r = await kept(id);
      const all = await messages();
      const more = all.filter((m) => m.webhook_id && BigInt(m.id) > BigInt(r.messageId));
      return more.length > 0 && more;
    }),
  // message waits for a message that holds the text.
  message: ({ text }) => until(`a message with ${JSON.stringify(text)}`, async () => (await messages()).find((m) => m.content.includes(text))),
  messages,
  async stop() { await discord?.stop(); return null; },
};

const say = (o) => process.stdout.write(JSON.stringify(o) + "\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: act, with: args } = JSON.parse(line);
  Promise.resolve()
    .then(() => acts[act](args ?? {}))
    .then((result) => say({ id, result: result ?? null }), (err) => say({ id, error: String(err?.stack ?? err) }));
}
process.exit(0);
