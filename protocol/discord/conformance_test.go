package discord_test

import (
	"flag"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
	"moot/protocol/protocoltest"
)

// TestMain lets more tests run beside each other than there are processors: they mostly wait, as the bot does for Discord.
func TestMain(m *testing.M) {
	flag.Parse()
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		_ = flag.Set("test.parallel", "8") // it is a number
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	for _, c := range protocoltest.Checks() {
		t.Run(c.Name, func(t *testing.T) {
			if c.Name != "it ends with its context and leaves nothing running" { // which counts what runs
				t.Parallel()
			}
			c.Run(t, func(t testing.TB) protocoltest.Harness { return newHarness(t) })
		})
	}
}

// harness drives the Discord of the tests as people do.
type harness struct {
	testing.TB
	srv      *discordtest.Server
	ledger   *ledger
	lab      *discordtest.Guild
	ann, ben *discordtest.User
	general  *discordtest.Channel
	voice    *discordtest.Channel
	guilds   map[protocol.RoomID]*discordtest.Guild
	channels map[protocol.RoomID]*discordtest.Channel
	messages map[protocol.EventID]discordtest.Message
	people   map[protocol.UserID]*discordtest.User
}

func newHarness(t testing.TB) *harness {
	srv := discordtest.New(t)
	h := &harness{
		TB: t, srv: srv, ledger: newLedger(), guilds: map[protocol.RoomID]*discordtest.Guild{},
		channels: map[protocol.RoomID]*discordtest.Channel{}, messages: map[protocol.EventID]discordtest.Message{},
		people: map[protocol.UserID]*discordtest.User{},
	}
	h.lab = srv.NewGuild("lab")
	h.ann, h.ben = h.person("Ann"), h.person("Ben")
	h.lab.Join(h.ann)
	h.lab.Join(h.ben)
	h.lab.Give(h.ann, h.lab.NewRole("mods", discordtest.ManageGuild))
	h.general, h.voice = h.lab.NewChannel("general"), h.lab.NewVoice("lounge")
	h.lab.Invite()
	h.know(h.lab, h.general)
	return h
}

func (h *harness) person(name string) *discordtest.User {
	u := h.srv.NewUser(name)
	h.people[protocol.UserID("discord:"+u.ID)] = u
	return u
}

func (h *harness) know(g *discordtest.Guild, c *discordtest.Channel) protocol.RoomID {
	room := protocol.RoomID("discord:" + g.ID)
	h.guilds[room], h.channels[room] = g, c
	return room
}

func (h *harness) config() discord.Config {
	return discord.Config{
		Token: h.srv.Token, APIURL: h.srv.APIURL(), GatewayURL: h.srv.GatewayURL(), MessageContent: true,
		State:         h.ledger,
		IdentifyEvery: time.Millisecond, Backoff: 10 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(h.Output(), nil)),
	}
}

func (h *harness) Adapter() protocol.Adapter { return bot{discord.New(h.config()), h.ledger} }

func (h *harness) Patience() time.Duration { return 30 * time.Second }

func (h *harness) Bot() protocol.UserID  { return protocol.UserID("discord:" + h.srv.Bot.ID) }
func (h *harness) Room() protocol.RoomID { return protocol.RoomID("discord:" + h.lab.ID) }
func (h *harness) People() (first, second protocol.UserID) {
	return protocol.UserID("discord:" + h.ann.ID), protocol.UserID("discord:" + h.ben.ID)
}

func (h *harness) keep(m discordtest.Message) protocol.EventID {
	id := protocol.EventID(m.Channel + "-" + m.ID)
	h.messages[id] = m
	return id
}

func (h *harness) Say(in protocol.RoomID, by protocol.UserID, text string) protocol.EventID {
	return h.keep(h.people[by].Says(h.channels[in], text))
}

func (h *harness) Tell(by protocol.UserID, text string) protocol.Ref {
	c := h.people[by].DM()
	return protocol.Ref{Room: protocol.RoomID("discord:@" + c.ID), Event: h.keep(h.people[by].Says(c, text))}
}

func (h *harness) read(c *discordtest.Channel, by *discordtest.User) (out []protocoltest.Standing) {
	for _, m := range by.Sees(c) {
		s := protocoltest.Standing{ID: h.keep(m), By: protocol.UserID("discord:" + m.AuthorID),
			Text: strings.ReplaceAll(m.Content, `\`, "")}
		for emoji, names := range m.Reactions {
			for range names {
				s.Reactions = append(s.Reactions, protocol.Reaction{Reaction: emoji})
			}
		}
		out = append(out, s)
	}
	return out
}

func (h *harness) Read(in protocol.RoomID) []protocoltest.Standing {
	return h.read(h.channels[in], h.guilds[in].Owner())
}

func (h *harness) ReadPrivate(user protocol.UserID) []protocoltest.Standing {
	return h.read(h.people[user].DM(), h.people[user])
}

func (h *harness) Edit(_ protocol.RoomID, by protocol.UserID, target protocol.EventID, text string) {
	h.people[by].Edits(h.messages[target], text)
}

func (h *harness) Delete(_ protocol.RoomID, by protocol.UserID, target protocol.EventID) {
	h.people[by].Deletes(h.messages[target])
}

func (h *harness) message(in protocol.RoomID, target protocol.EventID) discordtest.Message {
	h.Read(in)
	return h.messages[target]
}

func (h *harness) React(in protocol.RoomID, by protocol.UserID, target protocol.EventID, reaction string) {
	h.people[by].Reacts(h.message(in, target), reaction)
}

func (h *harness) KickBot(from protocol.RoomID)           { h.guilds[from].KickBot() }
func (h *harness) InviteBot(to protocol.RoomID)           { h.guilds[to].Invite() }
func (h *harness) Bidden()                                {}
func (h *harness) Rename(in protocol.RoomID, name string) { h.guilds[in].Rename(name) }

func (h *harness) Leave(from protocol.RoomID, user protocol.UserID) {
	h.guilds[from].Leave(h.people[user])
}

func (h *harness) Join(to protocol.RoomID, user protocol.UserID) {
	h.guilds[to].Join(h.people[user])
}

func (h *harness) Nick(user protocol.UserID, name string) { h.lab.Nick(h.people[user], name) }

func (h *harness) Call(_ protocol.RoomID, by protocol.UserID, on bool) {
	if on {
		h.people[by].Talks(h.voice, discordtest.Voice{})
	} else {
		h.people[by].Hangs(h.lab)
	}
}

// Again repeats the last of everything, since members may have come meanwhile.
func (h *harness) Again(_ protocol.RoomID, _ protocol.EventID) { h.srv.Redeliver(4) }

func (h *harness) Found(by protocol.UserID, said ...string) protocol.RoomID {
	g := h.srv.NewGuild("new")
	g.Join(h.people[by])
	c := g.NewChannel("general")
	for _, text := range said {
		h.keep(h.people[by].Says(c, text))
	}
	return h.know(g, c)
}

func (h *harness) Disconnect() { h.srv.Cut() }

func (h *harness) Ready() {
	h.srv.Until("the bot is online", func() bool { return h.srv.Online() == 1 })
}
