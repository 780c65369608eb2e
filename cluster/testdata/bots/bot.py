# A bot of which only the bones are there: what a cluster says and hears. It knows nothing but the standard library.
import json, os, signal, socket, sys, urllib.request

shards, total, id = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
channel = os.environ["MEWLD_CHANNEL"]
host, port = os.environ["REDIS_URL"].removeprefix("redis://").removesuffix("/0").rsplit(":", 1)


class Redis:
    def __init__(self):
        self.s = socket.create_connection((host, int(port)))
        self.f = self.s.makefile("rb")

    def read(self):
        line = self.f.readline().rstrip(b"\r\n")
        if not line:
            sys.exit(1)
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return None if int(rest) < 0 else self.f.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return rest.decode()

    def do(self, *args):
        out = b"*%d\r\n" % len(args)
        for a in args:
            a = str(a).encode()
            out += b"$%d\r\n%s\r\n" % (len(a), a)
        self.s.sendall(out)
        return self.read()


own, hear = Redis(), Redis()
hear.do("SUBSCRIBE", channel)


def say(v):
    own.do("PUBLISH", channel, json.dumps(v))


def mode():
    return own.do("GET", f"{channel}/test/mode/{id}")


own.do("RPUSH", channel + "/test/starts", json.dumps({
    "argv": sys.argv[1:], "cwd": os.getcwd(), "pid": os.getpid(), "token": os.environ["MTOKEN"],
    "file": os.environ.get("FROM_FILE", ""), "generation": os.environ["MOOT_GENERATION"]}))
if mode() == "early":
    sys.exit(3)
# What has begun is finished: only the next message is not read any more.
signal.signal(signal.SIGTERM, signal.SIG_IGN if mode() == "stubborn" else lambda *_: hear.s.shutdown(socket.SHUT_RDWR))
for s in shards:
    urllib.request.urlopen(f"{os.environ['DISCORD']}/identify?shard={s}&pid={os.getpid()}", data=b"").read()
if mode() == "crash":
    sys.exit(4)
if mode() == "leave":
    sys.exit(0)
if mode() != "silent":
    say({"scope": "launcher", "action": "action_logs", "data": {"event": "shards_launched", "cluster": id, "from": shards[0], "to": shards[-1]}})
    say({"scope": "launcher", "action": "launch_next", "args": {"id": id, "pid": os.getpid()}})
while True:
    try:
        m = json.loads(hear.read()[2])
    except ValueError:
        continue  # anybody may write anything on the channel
    if not isinstance(m, dict):
        continue
    if m.get("diag") and m["id"] == id and mode() not in ("mute", "silent"):
        data = [{"shard_id": s, "up": True, "latency": 12.5, "guilds": 7, "users": 70} for s in shards]
        say({"scope": "launcher", "action": "diag", "output": json.dumps({"Nonce": m["nonce"], "Data": data})})
    elif m.get("scope") == "bot" and m.get("action") == "event" and (m["args"]["guild"] >> 22) % total in shards:
        # While two generations run, both hear of an event: the first one handles it.
        own.do("RPUSH", channel + "/test/heard", m["args"]["event"])
        if own.do("SET", f"{channel}/seen/{m['args']['event']}", 1, "NX", "EX", 600):
            own.do("RPUSH", channel + "/test/handled", m["args"]["event"])
