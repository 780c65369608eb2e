// A Matrix client on matrix-js-sdk with its Rust crypto, driven over stdin and stdout: a JSON object a line each way,
//
//	{"id": 1, "do": "say", "with": {"room": "!a:b", "text": "hello"}}
//	{"id": 1, "result": "$event"}   or   {"id": 1, "error": "…"}
//
// It is the foreign witness of the bot's encryption and of how its messages look: it shares no code with the bot.
//
//	node witness.mjs FOLDER     where FOLDER/node_modules has the library
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import path from "node:path";
import { pathToFileURL } from "node:url";

// The library logs to the console whatever it does; stdout belongs to the protocol.
for (const level of ["log", "debug", "info", "warn", "error", "trace"]) console[level] = () => {};

const require = createRequire(path.join(process.argv[2], "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const sdk = await load("matrix-js-sdk");
const { AllDevicesIsolationMode, OnlySignedDevicesIsolationMode, EventShieldColour, decodeRecoveryKey } = await load("matrix-js-sdk/lib/crypto-api/index.js");
const { PollStartEvent } = await load("matrix-js-sdk/lib/extensible_events_v1/PollStartEvent.js");
const { PollResponseEvent } = await load("matrix-js-sdk/lib/extensible_events_v1/PollResponseEvent.js");
const { M_POLL_KIND_DISCLOSED, M_POLL_RESPONSE } = await load("matrix-js-sdk/lib/@types/polls.js");
const { logger } = await load("matrix-js-sdk/lib/logger.js");
logger.setLevel("silent");

const patience = 60_000;
let client;

// until waits for a condition that is looked at whenever the client has heard something.
function until(what, look) {
  return new Promise((resolve, reject) => {
    const events = [
      sdk.ClientEvent.Sync, sdk.RoomEvent.Timeline, sdk.RoomEvent.MyMembership, sdk.RoomStateEvent.Events,
      sdk.MatrixEventEvent.Decrypted, sdk.MatrixEventEvent.Replaced, sdk.RoomEvent.Redaction,
    ];
    const done = (end, value) => {
      clearTimeout(timer);
      clearInterval(ticks);
      for (const e of events) client.off(e, again);
      end(value);
    };
    const again = () => {
      try {
        const found = look();
        if (found) done(resolve, found);
      } catch (err) {
        done(reject, err);
      }
    };
    const timer = setTimeout(() => done(reject, new Error(`waited in vain for ${what}`)), patience);
    const ticks = setInterval(again, 250); // polls are made a while after their event
    for (const e of events) client.on(e, again);
    again();
  });
}

const timeline = (room) => client.getRoom(room)?.getLiveTimeline().getEvents() ?? [];

const find = (room, what, match) =>
  until(what, () => timeline(room).find((ev) => ev.getType() !== "m.room.encrypted" && !ev.isDecryptionFailure() && match(ev)));

// describe says what an event looks like to somebody who sees it in this client.
async function describe(ev) {
  const shield = ev.isEncrypted() ? await client.getCrypto().getEncryptionInfoForEvent(ev) : null;
  return {
    id: ev.getId(),
    sender: ev.getSender(),
    wireType: ev.getWireType(),
    wireContent: ev.getWireContent(),
    content: ev.getOriginalContent(),
    shown: ev.getContent(),
    encrypted: ev.isEncrypted(),
    failure: ev.isDecryptionFailure(),
    shield: shield && { colour: shield.shieldColour, none: shield.shieldColour === EventShieldColour.NONE, reason: shield.shieldReason },
  };
}

// polled says what a poll looks like to somebody who sees it in this client: its question and answers, and what everybody chose
// last, as the clients on this library count it.
async function polled(poll) {
  const relations = await poll.getResponses();
  while (poll.isFetchingResponses) await new Promise((resolve) => setTimeout(resolve, 100));
  const responses = {};
  const all = relations.getRelations().filter((ev) => M_POLL_RESPONSE.matches(ev.getType()) && !ev.isRedacted());
  for (const ev of all.sort((a, b) => a.getTs() - b.getTs())) {
    const response = ev.unstableExtensibleEvent;
    if (!response) continue;
    response.validateAgainst(poll.pollEvent);
    const text = (id) => poll.pollEvent.answers.find((a) => a.id === id).text;
    responses[ev.getSender()] = response.spoiled ? [] : response.answerIds.map(text);
  }
  const end = poll.endEventId && timeline(poll.roomId).find((ev) => ev.getId() === poll.endEventId);
  return {
    id: poll.pollId,
    event: await describe(poll.rootEvent),
    question: poll.pollEvent.question.text,
    disclosed: M_POLL_KIND_DISCLOSED.matches(poll.pollEvent.rawKind),
    most: poll.pollEvent.maxSelections,
    answers: poll.pollEvent.answers.map((a) => a.text),
    responses,
    ended: poll.isEnded,
    end: end ? end.unstableExtensibleEvent.closingMessage.text : "",
  };
}

const polls = (room) => [...(client.getRoom(room)?.polls.values() ?? [])];

const commands = {
  async login({ homeserver, user, token, device }) {
    client = sdk.createClient({ baseUrl: homeserver, userId: user, accessToken: token, deviceId: device });
    await client.initRustCrypto({ useIndexedDB: false });
    // Invisible crypto: keys go only to devices that their owner has cross-signed, and only from such ones are read.
    client.getCrypto().setDeviceIsolationMode(new OnlySignedDevicesIsolationMode());
    await client.getCrypto().bootstrapCrossSigning({
      authUploadDeviceSigningKeys: (request) => request(null),
    });
    await client.startClient({ initialSyncLimit: 100, lazyLoadMembers: true });
    await until("the first sync", () => client.isInitialSyncComplete());
    return client.getUserId();
  },
  async create({ invite, encrypted, direct, name }) {
    const { room_id: room } = await client.createRoom({
      preset: direct ? "trusted_private_chat" : "private_chat",
      name,
      is_direct: direct,
      invite: invite ? [invite] : [],
      initial_state: encrypted
        ? [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }]
        : [],
    });
    await until("the new room", () => client.getRoom(room)?.getMyMembership() === "join");
    // Sent before the client knows that the room is encrypted, a message would go out in clear.
    if (encrypted) await until("its encryption", () => client.getRoom(room).hasEncryptionStateEvent());
    return room;
  },
  async invite({ room, user }) {
    await client.invite(room, user);
    return true;
  },
  async member({ room, user, membership }) {
    await until(`${user} to ${membership}`, () => client.getRoom(room)?.getMember(user)?.membership === membership);
    return true;
  },
  async say({ room, text }) {
    return (await client.sendTextMessage(room, text)).event_id;
  },
  // withhold gives keys to devices only that this account has verified itself.
  async withhold() {
    client.getCrypto().setDeviceIsolationMode(new AllDevicesIsolationMode(false));
    client.getCrypto().globalBlacklistUnverifiedDevices = true;
    return true;
  },
  // reset makes another identity for an account by another login, and keeps it in the account's secret storage.
  async reset({ homeserver, user, token, device, password, recovery }) {
    const other = sdk.createClient({
      baseUrl: homeserver, userId: user, accessToken: token, deviceId: device,
      cryptoCallbacks: { getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], decodeRecoveryKey(recovery)] },
    });
    await other.initRustCrypto({ useIndexedDB: false });
    await other.startClient({ initialSyncLimit: 1 });
    await new Promise((resolve) => {
      const ready = () => other.isInitialSyncComplete() && resolve();
      other.on(sdk.ClientEvent.Sync, ready);
      ready();
    });
    await other.getCrypto().bootstrapCrossSigning({
      setupNewCrossSigning: true,
      authUploadDeviceSigningKeys: async (request) => {
        try {
          return await request(null);
        } catch (err) {
          const auth = { type: "m.login.password", identifier: { type: "m.id.user", user }, password, session: err.data?.session };
          return await request(auth);
        }
      },
    });
    other.stopClient();
    return true;
  },
  // clear sends a text in clear, also where the room is encrypted, as whoever runs the server of the account could.
  async clear({ room, text }) {
    const path = `/rooms/${encodeURIComponent(room)}/send/m.room.message/${encodeURIComponent(client.makeTxnId())}`;
    return (await client.http.authedRequest("PUT", path, undefined, { msgtype: "m.text", body: text })).event_id;
  },
  async answer({ room, to }) {
    return describe(await find(room, `an answer to ${to}`, (ev) => ev.replyEventId === to && !ev.isRelation("m.replace")));
  },
  async answers({ room, to }) {
    return timeline(room).filter((ev) => ev.replyEventId === to && !ev.isRelation("m.replace")).length;
  },
  async message({ room, by, holds }) {
    return describe(
      await find(room, `a message with ${holds}`, (ev) => ev.getSender() === by && (ev.getContent().body ?? "").includes(holds)),
    );
  },
  // edited waits until a message is shown with another text than the one it was sent with.
  async edited({ room, event, holds }) {
    return describe(
      await find(room, `an edit of ${event}`, (ev) => ev.getId() === event && ev.replacingEvent() && (ev.getContent().body ?? "").includes(holds)),
    );
  },
  async react({ room, event, key }) {
    const content = { "m.relates_to": { rel_type: "m.annotation", event_id: event, key } };
    return (await client.sendEvent(room, "m.reaction", content)).event_id;
  },
  // poll waits for a poll of somebody that asks something, and that has ended if that is wanted.
  async poll({ room, by, asks, ended }) {
    const found = await until(`a poll that asks ${asks}`, () =>
      polls(room).find((p) => p.rootEvent.getSender() === by && p.pollEvent.question.text.includes(asks) && (!ended || p.isEnded)),
    );
    return polled(found);
  },
  async polls({ room }) {
    return polls(room).length;
  },
  // start starts a poll.
  async start({ room, asks, answers }) {
    const { type, content } = PollStartEvent.from(asks, answers, M_POLL_KIND_DISCLOSED).serialize();
    return (await client.sendEvent(room, type, content)).event_id;
  },
  // respond chooses in a poll, by the texts of its answers.
  async respond({ room, poll, chooses }) {
    const found = await until("that poll", () => polls(room).find((p) => p.pollId === poll));
    const ids = chooses.map((text) => found.pollEvent.answers.find((a) => a.text === text)?.id ?? text);
    const { type, content } = PollResponseEvent.from(ids, poll).serialize();
    return (await client.sendEvent(room, type, content)).event_id;
  },
  async send({ room, type, content }) {
    return (await client.sendEvent(room, type, content)).event_id;
  },
  async redact({ room, event }) {
    return (await client.redactEvent(room, event)).event_id;
  },
  async crosssigned({ user }) {
    const status = await client.getCrypto().getUserVerificationStatus(user);
    const devices = (await client.getCrypto().getUserDeviceInfo([user], true)).get(user) ?? new Map();
    const signed = [];
    for (const id of devices.keys()) {
      signed.push((await client.getCrypto().getDeviceVerificationStatus(user, id))?.signedByOwner ?? false);
    }
    return { known: status !== undefined, devices: signed.length, signed: signed.every(Boolean) };
  },
};

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name, with: args } = JSON.parse(line);
  if (!commands[name]) {
    say({ id, error: `there is no command ${name}` });
    continue;
  }
  commands[name](args ?? {}).then(
    (result) => say({ id, result }),
    (err) => say({ id, error: `${name}: ${err?.stack ?? err}` }),
  );
}
client?.stopClient();
process.exit(0);
