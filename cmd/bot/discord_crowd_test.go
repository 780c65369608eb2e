package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// crowd is a Discord in which much happens at once, of which the bot is told at a rate.
type crowd struct {
	*discordBot
	towns  []busy
	random *rand.Rand
	serial int64
	asked  []*discordtest.Interaction
	beside []*nodeProcess // which belong to the bot
}

// busy is one of its guilds.
type busy struct {
	*discordtest.Guild
	channel, voice *discordtest.Channel
	people         []*discordtest.User
	vote           discordtest.Message // zero where none is open
}

func newCrowd(b *discordBot, guilds, each int) *crowd {
	c := &crowd{discordBot: b, random: rand.New(rand.NewPCG(1, 2))}
	for i := range guilds {
		b.srv.Advance(time.Millisecond) // which shard a guild belongs to is told by when it was made
		g := b.srv.NewGuild(fmt.Sprintf("guild %d", i))
		c.towns = append(c.towns, busy{Guild: g, channel: g.NewChannel("general"), voice: g.NewVoice("lounge"), people: g.Populate(each)})
		g.Invite()
	}
	return c
}

// arrive starts the bot, waits until it knows all members, and has a vote opened in one guild of ten.
func (c *crowd) arrive() {
	c.Helper()
	c.start()
	c.srv.Until("the commands are registered", func() bool { return len(c.srv.Commands()) > 0 })
	for began := time.Now(); ; {
		if out := c.run("check"); strings.Contains(out, fmt.Sprintf("%d rooms", len(c.towns))) && !strings.Contains(out, "the bot does not know who is in") {
			break
		} else if time.Since(began) > 5*time.Minute {
			c.Fatalf("after %s:\n%s", time.Since(began), out)
		}
	}
	for i := 0; i < len(c.towns); i += 10 {
		t := &c.towns[i]
		t.Owner().Slash(t.channel, "vote motion", discordtest.Options{"text": "we sing"}).Reply()
		t.vote = c.shows(t.people[0], t.channel, "moves: we sing")
	}
}

func (c *crowd) snowflake() string {
	c.serial++
	return strconv.FormatInt((time.Now().UnixMilli()-1420070400000)<<22|1<<21|c.serial&(1<<21-1), 10) // the server takes none of these
}

// someone is a person as events of messages and members show them.
func someone(u *discordtest.User) string {
	return `{"username":"` + u.Name + `","public_flags":0,"primary_guild":null,"id":"` + u.ID + `","global_name":"` + u.Name +
		`","discriminator":"0","collectibles":null,"avatar_decoration_data":null,"avatar":"a_0123456789abcdef0123456789abcdef"}`
}

const membership = `"roles":[],"premium_since":null,"pending":false,"mute":false,"joined_at":"2024-01-02T03:04:05.678000+00:00",` +
	`"flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"avatar":null`

// happen has one thing happen, as it does in guilds that talk: half of it are messages, whose text the bot does not see.
func (c *crowd) happen() {
	t := &c.towns[c.random.IntN(len(c.towns))]
	u := t.people[c.random.IntN(len(t.people))]
	at := `"guild_id":"` + t.ID + `","channel_id":"` + t.channel.ID + `"`
	kind, data := "", ""
	switch n := c.random.IntN(1000); {
	case n < 500:
		kind = "MESSAGE_CREATE"
		data = `{"type":0,"tts":false,"timestamp":"` + time.Now().UTC().Format("2006-01-02T15:04:05.000000+00:00") + `","pinned":false,` +
			`"nonce":"1234567890123456789","mentions":[],"mention_roles":[],"mention_everyone":false,"member":{"nick":null,` + membership + `},"id":"` + c.snowflake() +
			`","flags":0,"embeds":[],"edited_timestamp":null,"content":"","components":[],"channel_type":0,"author":` + someone(u) + `,"attachments":[],` + at + `}`
	case n < 530:
		kind = "MESSAGE_UPDATE" // a preview of a link, which nobody wrote
		data = `{"id":"` + c.snowflake() + `","edited_timestamp":null,"embeds":[{"type":"link","url":"https://example.org/","title":"Example"}],` + at + `}`
	case n < 540:
		kind = "MESSAGE_DELETE"
		data = `{"id":"` + c.snowflake() + `",` + at + `}`
	case n < 700:
		kind = "MESSAGE_REACTION_ADD"
		if n >= 660 {
			kind = "MESSAGE_REACTION_REMOVE"
		}
		message := c.snowflake()
		if t.vote.ID != "" && n%4 == 0 {
			message = t.vote.ID
		}
		data = `{"user_id":"` + u.ID + `","type":0,"message_id":"` + message + `","emoji":{"name":"👍","id":null},"burst":false,` + at
		if kind == "MESSAGE_REACTION_ADD" {
			data += `,"message_author_id":"` + c.srv.Bot.ID + `","member":{"user":` + someone(u) + `,"nick":null,` + membership + `}`
		}
		data += `}`
	case n < 800:
		kind = "GUILD_MEMBER_UPDATE"
		nick := "null" // as it was: of a hundred changes most are of no concern to the bot
		if n >= 780 {
			nick = `"` + u.Name + " the " + strconv.Itoa(n) + `"`
		}
		data = `{"guild_id":"` + t.ID + `","user":` + someone(u) + `,"nick":` + nick + `,` + membership + `}`
	case n < 880:
		kind = "VOICE_STATE_UPDATE"
		channel := `"` + t.voice.ID + `"`
		if n%2 == 0 {
			channel = "null"
		}
		data = `{"guild_id":"` + t.ID + `","channel_id":` + channel + `,"user_id":"` + u.ID + `","session_id":"0123456789abcdef0123456789abcdef","deaf":false,"mute":false,` +
			`"self_deaf":` + strconv.FormatBool(n%3 == 0) + `,"self_mute":true,"self_video":false,"suppress":false,"request_to_speak_timestamp":null,` +
			`"member":{"user":` + someone(u) + `,"nick":null,` + membership + `}}`
	case n < 940:
		kind = "TYPING_START"
		data = `{"user_id":"` + u.ID + `","timestamp":1764061200,"member":{"user":` + someone(u) + `,"nick":null,` + membership + `},` + at + `}`
	case n < 990:
		kind = "PRESENCE_UPDATE"
		data = `{"guild_id":"` + t.ID + `","user":{"id":"` + u.ID + `"},"status":"idle","activities":[{"type":0,"name":"chess","id":"ec0b28a579ecb4bd","created_at":1764061200000}],` +
			`"client_status":{"desktop":"idle"}}`
	default:
		c.interact(n)
		return
	}
	t.DispatchRaw(kind, []byte(data))
}

// interact has somebody press a button of a vote, or give a command where none is open.
func (c *crowd) interact(n int) {
	t := &c.towns[c.random.IntN(len(c.towns))]
	u := t.people[c.random.IntN(len(t.people))]
	if t.vote.ID != "" {
		c.asked = append(c.asked, u.Press(t.vote, t.vote.Button([]string{"Yes", "No"}[n%2])))
	} else {
		c.asked = append(c.asked, u.Slash(t.channel, "ping", nil))
	}
}

// answers returns how long the bot took for the first answers to a part of the interactions: half of them, 99 of 100, and
// all; and how many have none.
func (c *crowd) answers(part []*discordtest.Interaction) (median, most, all time.Duration, none int) {
	var took []time.Duration
	for _, i := range part {
		if d := i.AnsweredAfter(); d > 0 {
			took = append(took, d)
		} else {
			none++
		}
	}
	if len(took) == 0 {
		return 0, 0, 0, none
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], took[len(took)-1], none
}

// done looks whether everything went well.
func (c *crowd) done() {
	c.Helper()
	c.srv.Until("each interaction has an answer", func() bool {
		return !slices.ContainsFunc(c.asked, func(i *discordtest.Interaction) bool { return i.AnsweredAfter() == 0 })
	})
	c.stop()
	c.expect("dead letters", c.run("dead"), "There are no dead letters")
	c.discordBot.run("verify")
}

// TestDiscordInteractionsLeaveNothingBehind: neither memory nor goroutines of the whole bot grow over a hundred thousand
// commands and ballots, each answered. Half as many again come before them, since the store keeps up to 131,072 events in memory
// before they become a run, again and again: the most before is what the most of the hundred thousand is held against.
// MOOT_LONG runs it; TestNothingGrowsOverInteractions is about the adapter alone.
func TestDiscordInteractionsLeaveNothingBehind(t *testing.T) {
	if !effort.Long() {
		t.Skip("takes some minutes; MOOT_LONG runs it")
	}
	const before, all, ahead = 150_000, 250_000, 100
	b := newDiscordBot(t)
	b.observe = true
	c := newCrowd(b, 100, 200)
	c.srv.AnswerWithin = time.Minute
	c.arrive()
	in := insideOf(t, b.socket())
	var heap, goroutines [2]int // the most before, and from then on
	for n := range all {
		c.interact(n)
		if n >= ahead {
			c.asked[n-ahead].Ack()
		}
		if (n+1)%10_000 != 0 {
			continue
		}
		for _, i := range c.asked[n-ahead:] {
			i.Reply()
		}
		h, g := in.memory()
		t.Logf("after %d interactions: a heap of %d kB, %d goroutines", n+1, h>>10, g)
		part := n / before
		heap[part], goroutines[part] = max(heap[part], h), max(goroutines[part], g)
	}
	if heap[1] > heap[0]+4<<20 || goroutines[1] > goroutines[0]+5 {
		t.Errorf("they grow:\n%s", in.get("goroutine?debug=1"))
	}
	c.done()
}
