package discordtest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"go.uber.org/goleak"

	"moot/protocol/discord/discordtest"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type obj = map[string]any

// bot is a bot that is told what to ask, and that answers interactions as it is told.
type bot struct {
	t    *testing.T
	srv  *discordtest.Server
	rest *rest.Client
	all  chan gateway.Event
}

func connect(t *testing.T, srv *discordtest.Server, on func(b *bot, i *discordgo.InteractionCreate)) *bot {
	t.Helper()
	b := &bot{t: t, srv: srv, rest: rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL()}),
		all: make(chan gateway.Event, 1000)}
	g := gateway.New(gateway.Config{Token: srv.Token, REST: b.rest,
		Intents: 1<<26 - 1 - int(discordgo.IntentGuildPresences), Backoff: 10 * time.Millisecond,
		IdentifyEvery: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- g.Run(ctx, func(_ context.Context, e gateway.Event) error {
			if e.Type == "INTERACTION_CREATE" && on != nil {
				i := as[discordgo.InteractionCreate](e)
				on(b, i)
			}
			b.all <- e
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		b.rest.Close()
	})
	srv.Until("the bot is there", func() bool { return srv.Online() == 1 })
	return b
}

// event waits for the next event of the type.
// as decodes an event.
func as[T any](e gateway.Event) *T {
	v := new(T)
	_ = json.Unmarshal(e.Raw, v)
	return v
}

func (b *bot) event(kind string) gateway.Event {
	b.t.Helper()
	for timer := time.After(30 * time.Second); ; {
		select {
		case e := <-b.all:
			if e.Type == kind {
				return e
			}
		case <-timer:
			b.t.Fatalf("no %s came", kind)
		}
	}
}

// do makes a request and returns the code of its error, or the status of it; zero for success.
func (b *bot) do(method, path string, body any) (int, any) {
	b.t.Helper()
	var into any
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		b.t.Fatal(err)
	}
	err = b.rest.Do(b.t.Context(), rest.Request{Method: method, Path: path, Query: values, Body: body, Into: &into,
		Reason: "because: 50 % of “us”"})
	switch {
	case err == nil:
		return 0, into
	case rest.CodeOf(err) != 0:
		return rest.CodeOf(err), err
	case rest.StatusOf(err) != 0:
		return rest.StatusOf(err), err
	}
	b.t.Fatal(err)
	return 0, nil
}

func (b *bot) must(method, path string, body any) any {
	b.t.Helper()
	code, v := b.do(method, path, body)
	if code != 0 {
		b.t.Fatalf("%s %s: %v", method, path, v)
	}
	return v
}

func (b *bot) refused(code int, method, path string, body any) {
	b.t.Helper()
	if got, v := b.do(method, path, body); got != code {
		b.t.Errorf("%s %s %v: code %d (%v), want %d", method, path, body, got, v, code)
	}
}

// TestEveryRoute asks for everything once, so that the requests and, above all, the answers of the
// server are held against Discord's own description.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	srv.CheckAnswers = true
	ann, bob, lab := srv.NewUser("ann"), srv.NewUser("bob"), srv.NewGuild("lab")
	general, talk := lab.NewChannel("general"), lab.NewVoice("talk")
	lab.Join(ann)
	lab.Join(bob)
	lab.Invite(discordtest.BotPermissions, discordtest.ModerateMembers, discordtest.ManageRoles)
	b := connect(t, srv, nil)
	guild, ch := "/guilds/"+lab.ID, "/channels/"+general.ID

	b.must("GET", "/gateway", nil)
	b.must("GET", "/gateway/bot", nil)
	b.must("GET", "/users/@me", nil)
	b.must("GET", "/users/"+ann.ID, nil)
	b.refused(10013, "GET", "/users/1", nil)
	b.must("GET", "/users/@me/guilds?limit=10&after=1", nil)
	b.must("GET", "/applications/@me", nil)
	b.must("GET", "/oauth2/applications/@me", nil)
	b.must("GET", guild+"?with_counts=true", nil)
	b.must("GET", guild+"/channels", nil)
	b.must("GET", guild+"/roles", nil)
	b.must("POST", guild+"/roles", obj{"name": "muted", "permissions": 0})
	b.must("GET", guild+"/members/"+ann.ID, nil)
	b.refused(10007, "GET", guild+"/members/1", nil)
	if list := b.must("GET", guild+"/members?limit=2&after=0", nil).([]any); len(list) != 2 {
		t.Errorf("%d members on a page of two", len(list))
	}
	ann.Talks(talk, discordtest.Voice{SelfDeaf: true})
	b.must("GET", guild+"/voice-states/"+ann.ID, nil)
	general.NewThread("aside")
	b.must("GET", guild+"/threads/active", nil)
	b.must("GET", ch, nil)
	b.must("POST", ch+"/threads", obj{"name": "another", "type": 11})
	b.must("POST", ch+"/typing", nil)

	hello := ann.Says(general, "hello")
	ann.Replies(hello, "again, "+srv.Bot.Mention())
	m := b.must("POST", ch+"/messages", obj{"content": "hi", "nonce": "k1", "enforce_nonce": true,
		"allowed_mentions":  obj{"parse": []string{}},
		"message_reference": obj{"message_id": hello.ID}, "components": []obj{{"type": 1,
			"components": []obj{{"type": 2, "style": 1, "label": "Yes", "custom_id": "y"}}},
			{"type": 1, "components": []obj{{"type": 3, "custom_id": "m",
				"options": []obj{{"label": "A", "value": "a"}}}}}}}).(obj)
	again := b.must("POST", ch+"/messages", obj{"content": "hi", "nonce": "k1", "enforce_nonce": true}).(obj)
	if m["id"] != again["id"] {
		t.Error("an enforced nonce made two messages")
	}
	msg := ch + "/messages/" + m["id"].(string)
	b.must("GET", msg, nil)
	b.must("PATCH", msg, obj{"content": "hi there"})
	b.must("PUT", msg+"/reactions/👍/@me", nil)
	ann.Reacts(ann.Sees(general)[2], "👍")
	if list := b.must("GET", msg+"/reactions/👍?limit=100", nil).([]any); len(list) != 2 {
		t.Errorf("%d people reacted", len(list))
	}
	b.must("DELETE", msg+"/reactions/👍/@me", nil)
	list := b.must("GET", ch+"/messages?limit=100&after="+hello.ID, nil).([]any)
	if len(list) != 2 || list[0].(obj)["id"] != m["id"] {
		t.Errorf("%d messages after the first", len(list))
	}
	b.must("DELETE", msg, nil)
	b.must("DELETE", ch+"/messages/"+hello.ID, nil) // with Manage Messages
	b.refused(10008, "GET", msg, nil)

	dm := b.must("POST", "/users/@me/channels", obj{"recipient_id": ann.ID}).(obj)
	b.must("GET", "/channels/"+dm["id"].(string), nil)
	b.must("POST", "/channels/"+dm["id"].(string)+"/messages", obj{"content": "psst"})
	if got := ann.Sees(ann.DM()); len(got) != 1 || got[0].Content != "psst" {
		t.Errorf("ann sees %v", got)
	}
	ann.RefuseDMs(true)
	b.refused(50007, "POST", "/channels/"+dm["id"].(string)+"/messages", obj{"content": "psst"})

	b.must("PATCH", guild+"/members/"+bob.ID,
		obj{"communication_disabled_until": srv.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	if lab.TimedOut(bob).IsZero() {
		t.Error("bob is not timed out")
	}
	b.must("PATCH", guild+"/members/"+bob.ID, obj{"communication_disabled_until": nil})
	b.refused(50013, "PATCH", guild+"/members/"+lab.Owner().ID,
		obj{"communication_disabled_until": srv.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	low := b.must("GET", guild+"/roles", nil).([]any)
	// above the bot's own
	b.refused(50013, "PUT", guild+"/members/"+bob.ID+"/roles/"+low[len(low)-1].(obj)["id"].(string), nil)
	b.must("PUT", guild+"/bans/"+bob.ID, obj{"delete_message_seconds": 0})
	if reason, banned := lab.Banned(bob); !banned || reason != "because: 50 % of “us”" {
		t.Errorf("bob is banned: %v, %q", banned, reason)
	}
	b.must("GET", guild+"/bans?limit=10", nil)
	b.must("GET", guild+"/bans/"+bob.ID, nil)
	b.must("DELETE", guild+"/bans/"+bob.ID, nil)
	b.refused(10026, "GET", guild+"/bans/"+bob.ID, nil)
	b.must("DELETE", guild+"/members/"+ann.ID, nil)

	commands := []obj{{"name": "vote", "description": "decide together", "type": 1, "contexts": []int{0, 1},
		"integration_types": []int{0}, "options": []obj{
			{"type": 1, "name": "open", "description": "open a vote",
				"options": []obj{{"type": 3, "name": "question", "description": "what is asked", "required": true,
					"autocomplete": true}}}}},
		{"name": "Challenge", "type": 2}}
	b.must("PUT", "/applications/"+srv.AppID+"/commands", commands)
	b.must("GET", "/applications/"+srv.AppID+"/commands", nil)
	b.must("PUT", "/applications/"+srv.AppID+"/guilds/"+lab.ID+"/commands", []obj{{"name": "Look", "type": 3}})
	b.must("GET", "/applications/"+srv.AppID+"/guilds/"+lab.ID+"/commands", nil)
	if got := srv.Commands(); !slices.Equal(got, []string{"Challenge", "vote"}) {
		t.Errorf("commands %q", got)
	}

	general.Deny(nil, discordtest.ViewChannel)
	b.refused(50001, "GET", ch+"/messages", nil)
	general.Deny(nil, discordtest.SendMessages)
	b.refused(50013, "POST", ch+"/messages", obj{"content": "hi"})
	b.must("DELETE", "/users/@me/guilds/"+lab.ID, nil)
	b.refused(10004, "GET", guild, nil)
}

func TestEventsAreAsDiscordgoReadsThem(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, bob, lab := srv.NewUser("ann"), srv.NewUser("bob"), srv.NewGuild("lab")
	general, talk := lab.NewChannel("general"), lab.NewVoice("talk")
	lab.Join(ann)
	b := connect(t, srv, nil)
	lab.Invite()
	g := as[discordgo.GuildCreate](b.event("GUILD_CREATE"))
	if g.Name != "lab" || g.MemberCount != 3 || len(g.Channels) != 2 || len(g.Members) != 1 ||
		g.OwnerID != lab.Owner().ID {
		t.Errorf("guild %+v", g.Guild)
	}
	lab.Join(bob)
	if m := as[discordgo.GuildMemberAdd](b.event("GUILD_MEMBER_ADD")); m.User.Username != "bob" || m.JoinedAt.IsZero() {
		t.Errorf("member %+v", m.Member)
	}
	lab.Nick(bob, "Bobby")
	if m := as[discordgo.GuildMemberUpdate](b.event("GUILD_MEMBER_UPDATE")); m.Nick != "Bobby" {
		t.Errorf("member %+v", m.Member)
	}
	m := ann.Says(general, "hi "+bob.Mention())
	if e := as[discordgo.MessageCreate](b.event("MESSAGE_CREATE")); e.Content != m.Content ||
		e.Author.Username != "ann" || e.Member == nil || len(e.Mentions) != 1 || e.GuildID != lab.ID {
		t.Errorf("message %+v", e.Message)
	}
	ann.Edits(m, "hello")
	if e := as[discordgo.MessageUpdate](b.event("MESSAGE_UPDATE")); e.Content != "hello" || e.EditedTimestamp == nil {
		t.Errorf("message %+v", e.Message)
	}
	bob.Reacts(m, "👍")
	if e := as[discordgo.MessageReactionAdd](b.event("MESSAGE_REACTION_ADD")); e.Emoji.Name != "👍" ||
		e.UserID != bob.ID || e.Member.User.ID != bob.ID {
		t.Errorf("reaction %+v", e)
	}
	bob.Unreacts(m, "👍")
	b.event("MESSAGE_REACTION_REMOVE")
	ann.Deletes(m)
	if e := as[discordgo.MessageDelete](b.event("MESSAGE_DELETE")); e.ID != m.ID || e.GuildID != lab.ID {
		t.Errorf("deletion %+v", e.Message)
	}
	bob.Talks(talk, discordtest.Voice{SelfDeaf: true})
	if e := as[discordgo.VoiceStateUpdate](b.event("VOICE_STATE_UPDATE")); e.ChannelID != talk.ID || !e.SelfDeaf ||
		e.Member == nil {
		t.Errorf("voice %+v", e.VoiceState)
	}
	bob.Hangs(lab)
	if e := as[discordgo.VoiceStateUpdate](b.event("VOICE_STATE_UPDATE")); e.ChannelID != "" {
		t.Errorf("voice %+v", e.VoiceState)
	}
	r := lab.NewRole("mods", discordtest.ManageGuild)
	b.event("GUILD_ROLE_CREATE")
	lab.Give(bob, r)
	b.event("GUILD_MEMBER_UPDATE")
	lab.Ban(ann, bob, "rude")
	b.event("GUILD_AUDIT_LOG_ENTRY_CREATE")
	b.event("GUILD_BAN_ADD")
	if e := as[discordgo.GuildMemberRemove](b.event("GUILD_MEMBER_REMOVE")); e.User.ID != bob.ID {
		t.Errorf("member %+v", e.Member)
	}
	lab.Outage(true)
	if e := as[discordgo.GuildDelete](b.event("GUILD_DELETE")); !e.Unavailable {
		t.Error("an outage looks like a leave")
	}
	lab.Outage(false)
	b.event("GUILD_CREATE")
	lab.KickBot()
	if e := as[discordgo.GuildDelete](b.event("GUILD_DELETE")); e.Unavailable {
		t.Error("a kick looks like an outage")
	}
	ann.Says(ann.DM(), "psst")
	if e := as[discordgo.MessageCreate](b.event("MESSAGE_CREATE")); e.Content != "psst" || e.GuildID != "" {
		t.Errorf("message %+v", e.Message)
	}
}

func TestInteractions(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	srv.CheckAnswers = true
	srv.HoldClock()
	ann, lab := srv.NewUser("ann"), srv.NewGuild("lab")
	general := lab.NewChannel("general")
	lab.Join(ann)
	lab.Invite()
	seen := make(chan *discordgo.InteractionCreate, 10)
	b := connect(t, srv, func(_ *bot, i *discordgo.InteractionCreate) { seen <- i })
	b.must("PUT", "/applications/"+srv.AppID+"/commands", []obj{
		{"name": "vote", "description": "decide", "options": []obj{{"type": 1, "name": "open", "description": "open",
			"options": []obj{
				{"type": 3, "name": "question", "description": "what", "required": true, "autocomplete": true}, {"type": 6,
					"name": "who", "description": "whom"}, {"type": 4, "name": "days", "description": "how long",
					"min_value": 1}}}}},
		{"name": "Challenge", "type": 2}, {"name": "Look", "type": 3}})
	callback := func(i *discordgo.InteractionCreate) string {
		return "/interactions/" + i.ID + "/" + i.Token + "/callback"
	}
	hook := func(i *discordgo.InteractionCreate) string { return "/webhooks/" + i.AppID + "/" + i.Token }

	// At once, and only for her.
	i := ann.Slash(general, "vote open", discordtest.Options{"question": "Tea?", "who": ann, "days": 3})
	got := <-seen
	if d := got.ApplicationCommandData(); d.Name != "vote" || d.Options[0].Name != "open" ||
		len(d.Options[0].Options) != 3 || d.Resolved.Users[ann.ID].Username != "ann" || got.Member.User.ID != ann.ID {
		t.Errorf("interaction %+v", d)
	}
	b.must("POST", callback(got)+"?with_response=true", obj{"type": 4, "data": obj{"content": "only you", "flags": 64}})
	if m := i.Reply(); m.Content != "only you" || !m.Ephemeral || i.Ack() != discordtest.AnswerMessage {
		t.Errorf("reply %+v", m)
	}
	b.refused(40060, "POST", callback(got), obj{"type": 4, "data": obj{"content": "again"}})
	if bob := lab.Owner(); len(bob.Sees(general)) != 0 {
		t.Error("others see what is for her")
	}

	// Deferred, then edited, then followed up, then too late.
	i = ann.Slash(general, "vote open", discordtest.Options{"question": "Tea?"})
	got = <-seen
	b.refused(10015, "PATCH", hook(got)+"/messages/@original", obj{"content": "too early"})
	b.must("POST", callback(got), obj{"type": 5})
	b.must("PATCH", hook(got)+"/messages/@original",
		obj{"content": "done", "components": []obj{{"type": 1,
			"components": []obj{{"type": 2, "style": 3, "label": "Yes", "custom_id": "y|1"}}}}})
	public := i.Reply()
	if public.Content != "done" || public.Ephemeral || public.Button("Yes") != "y|1" {
		t.Errorf("reply %+v", public)
	}
	b.must("GET", hook(got)+"/messages/@original", nil)
	b.must("POST", hook(got), obj{"content": "by the way", "flags": 64})
	if f := i.Followups(1); f[0].Content != "by the way" || !f[0].Ephemeral {
		t.Errorf("followup %+v", f)
	}
	b.must("DELETE", hook(got)+"/messages/"+i.Followups(1)[0].ID, nil)
	srv.Advance(16 * time.Minute)
	b.refused(50027, "PATCH", hook(got)+"/messages/@original", obj{"content": "too late"})

	// A button that updates; one that is answered too late.
	p := ann.Press(public, public.Button("Yes"))
	got = <-seen
	if got.MessageComponentData().CustomID != "y|1" || got.Message.ID != public.ID {
		t.Errorf("press %+v", got.Interaction)
	}
	b.must("POST", callback(got), obj{"type": 7, "data": obj{"content": "one yes"}})
	if m := p.Reply(); m.ID != public.ID || m.Content != "one yes" || len(m.Buttons) != 1 {
		t.Errorf("updated %+v", m)
	}
	ann.Press(public, "y|1")
	got = <-seen
	srv.Advance(4 * time.Second)
	b.refused(10062, "POST", callback(got), obj{"type": 6})

	// A form.
	p = ann.Press(public, "y|1")
	got = <-seen
	b.must("POST", callback(got), obj{"type": 9, "data": obj{"title": "Why?", "custom_id": "why", "components": []obj{
		{"type": 18, "label": "Reason", "component": obj{"type": 4, "custom_id": "reason", "style": 2}}}}})
	if f := p.Form(); f.Title != "Why?" || len(f.Fields) != 1 || f.Fields[0].Label != "Reason" ||
		!f.Fields[0].Required {
		t.Errorf("form %+v", f)
	}
	s := p.Submit(map[string]string{"reason": "because"})
	got = <-seen
	b.must("POST", callback(got), obj{"type": 4, "data": obj{"content": "thanks"}})
	if m := s.Reply(); m.Content != "thanks" {
		t.Errorf("reply %+v", m)
	}

	// Suggestions, and both menus.
	i = ann.Completes(general, "vote open", "question", "Te", nil)
	got = <-seen
	b.must("POST", callback(got), obj{"type": 8, "data": obj{"choices": []obj{{"name": "Tea?", "value": "Tea?"}}}})
	if c := i.Choices(); len(c) != 1 || c[0].Name != "Tea?" {
		t.Errorf("choices %v", c)
	}
	ann.UsesOn(general, "Challenge", lab.Owner())
	if d := (<-seen).ApplicationCommandData(); d.TargetID != lab.Owner().ID {
		t.Errorf("menu %+v", d)
	}
	ann.UsesOnMessage("Look", public)
	if d := (<-seen).ApplicationCommandData(); d.Resolved.Messages[public.ID].Content != "one yes" {
		t.Errorf("menu %+v", d)
	}
	if d := func() *discordgo.InteractionCreate {
		ann.Slash(ann.DM(), "vote open", discordtest.Options{"question": "x"})
		return <-seen
	}(); d.User.ID != ann.ID || d.GuildID != "" {
		t.Errorf("in a conversation %+v", d.Interaction)
	}
}

func TestLimitsOfCommands(t *testing.T) {
	t.Setenv(discordtest.OpenAPIVariable, "") // what follows is wrong on purpose
	srv := discordtest.New(t)
	b := &bot{t: t, srv: srv, rest: rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL()})}
	t.Cleanup(b.rest.Close)
	path := "/applications/" + srv.AppID + "/commands"
	many := func(n int) (list []obj) {
		for i := range n {
			list = append(list, obj{"name": "c" + strings.Repeat("a", i%20) + strings.Repeat("b", i/20),
				"description": "d"})
		}
		return list
	}
	option := func(o obj) []obj { return []obj{{"name": "c", "description": "d", "options": []obj{o}}} }
	b.must("PUT", path, many(100))
	b.refused(30032, "PUT", path, many(101))
	b.refused(50035, "PUT", path, []obj{{"name": "Vote", "description": "d"}})
	b.refused(50035, "PUT", path, []obj{{"name": "vote", "description": ""}})
	b.refused(50035, "PUT", path, []obj{{"name": "vote", "description": "d"}, {"name": "vote", "description": "d"}})
	b.refused(50035, "PUT", path, option(obj{"type": 1, "name": "s", "description": "d",
		"options": []obj{{"type": 3, "name": "a", "description": "d"},
			{"type": 3, "name": "b", "description": "d", "required": true}}}))
	b.refused(50035, "PUT", path, option(obj{"type": 1, "name": "s", "description": "d",
		"options": []obj{{"type": 2, "name": "a", "description": "d"}}}))
	big := []obj{}
	for i := range 20 {
		big = append(big, obj{"type": 3, "name": "o" + strings.Repeat("x", i), "description": strings.Repeat("d", 100),
			"choices": []obj{{"name": strings.Repeat("n", 100), "value": strings.Repeat("v", 100)},
				{"name": strings.Repeat("m", 100), "value": "w"}}})
	}
	b.refused(50035, "PUT", path, []obj{{"name": "vote", "description": "d", "options": big}})
}

// TestThreadsReactionsAndLimits: what Discord has of archived threads, of both kinds of reactions,
// and of limits of a channel.
func TestThreadsReactionsAndLimits(t *testing.T) {
	srv := discordtest.New(t)
	srv.CheckAnswers, srv.ChannelLimits = true, true
	ann, lab := srv.NewUser("ann"), srv.NewGuild("lab")
	lab.Join(ann)
	lab.Invite()
	general := lab.NewChannel("general")
	thread := general.NewThread("a thread")
	b := connect(t, srv, nil)
	b.event("GUILD_CREATE")
	do := func(method, path string, query url.Values, body, into any) error {
		return b.rest.Do(t.Context(), rest.Request{Method: method, Path: path, Query: query, Body: body, Into: into})
	}
	said := map[string]any{"content": "hello"}
	var m struct{ ID string }
	at := "/channels/" + thread.ID + "/messages"
	if err := do(http.MethodPost, at, nil, said, &m); err != nil {
		t.Fatal(err)
	}
	thread.Archive(false)
	if e := as[discordgo.Channel](b.event("THREAD_UPDATE")); !e.ThreadMetadata.Archived || e.ThreadMetadata.Locked {
		t.Errorf("the thread is %+v", e.ThreadMetadata)
	}
	if err := do(http.MethodPatch, at+"/"+m.ID, nil, said, nil); rest.CodeOf(err) != 50083 {
		t.Errorf("an edit in an archived thread: %v", err)
	}
	if err := do(http.MethodPost, at, nil, said, nil); err != nil ||
		as[discordgo.Channel](b.event("THREAD_UPDATE")).ThreadMetadata.Archived {
		t.Errorf("writing does not open it: %v", err)
	}
	thread.Archive(true)
	if err := do(http.MethodPost, at, nil, said, nil); rest.CodeOf(err) != 50083 {
		t.Errorf("writing in a locked thread: %v", err)
	}
	general.SyncThreads()
	if e := as[discordgo.ThreadListSync](b.event("THREAD_LIST_SYNC")); len(e.Threads) != 0 || len(e.ChannelIDs) != 1 {
		t.Errorf("the threads are %+v", e)
	}

	liked := ann.Says(general, "cheers")
	ann.Bursts(liked, "👍")
	var who []struct{ ID string }
	for kind, want := range map[string]int{"": 0, "1": 1} {
		path := "/channels/" + general.ID + "/messages/" + liked.ID + "/reactions/" + url.PathEscape("👍")
		q := url.Values{"type": {kind}}
		if kind == "" {
			q = nil
		}
		if err := do(http.MethodGet, path, q, nil, &who); err != nil || len(who) != want {
			t.Errorf("of the kind %s there are %d: %v", kind, len(who), err)
		}
	}

	began := time.Now()
	srv.HoldClock()
	for range 5 {
		if err := do(http.MethodPost, "/channels/"+general.ID+"/messages", nil, said, nil); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.rest.Do(short, rest.Request{Method: http.MethodPost, Path: "/channels/" + general.ID + "/messages",
		Body: said}); err == nil {
		t.Errorf("six messages within %s", time.Since(began))
	}
}
