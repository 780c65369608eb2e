package votes_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/activity"
	"moot/challenges"
	"moot/commands"
	"moot/commands/standard"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/internal/effort"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes"
)

const (
	lobby protocol.RoomID = "console:lobby"
	hall  protocol.RoomID = "console:hall"
	self  protocol.UserID = "console:moot"
	olga  protocol.UserID = "console:olga" // operates the bot
	month                 = 30 * 24 * time.Hour
)

func TestMain(m *testing.M) {
	flag.Parse()
	effort.Checks(25, 100) // each is a whole history
	os.Exit(m.Run())
}

// tester is what testing.TB and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
	Cleanup(func())
}

// town is a bot with its votes, and a network that answers at once.
type town struct {
	t          tester
	rig        *bottest.Rig
	store      *store.Store // that of the rig
	bus        *events.Bus  // too
	votes      *votes.Feature
	challenges *challenges.Feature
	overheard  func(text string) // is told of all that the bot says; may be nil
	commands   *commands.Commands
	now        time.Time
	next       int

	members  map[protocol.RoomID]map[protocol.UserID]time.Time // since when; zero where the network does not say
	mods     map[protocol.UserID]bool
	active   map[protocol.UserID]int // on how many days
	in       map[protocol.RoomID]bool
	messages map[protocol.EventID]*message
	putOut   map[string]struct{ since, at time.Time } // by room and person
	deaf     map[protocol.UserID]bool                 // cannot be reached in private
	shut     map[protocol.RoomID]bool                 // rooms in which the bot may not write any more
	fits     func(protocol.Text) bool                 // what the network takes as one message; nil means every text
	mute     bool                                     // nobody answers about reactions
	noFiles  bool                                     // the network takes no files
	noReact  bool                                     // the bot may react to nothing
	by       map[protocol.EventID]string              // who has said what
	said     []string
	shown    []shownCode                          // the commands in what it has said
	whispers map[protocol.UserID]protocol.EventID // the last thing that each was told in private
	real     bool                                 // whether activity is what the real feature counts
	longest  time.Duration                        // that a step took
	buttons  []protocol.Network
	reacts   []protocol.Network
	polls    []protocol.Network
	reminded bool // whether people are reminded in private
	shared   bool // whether other machines have a copy
	places   []protocol.Network
	has      map[string][]string // the roles of the network, and who has them; nil where it has none
	atOnce   int                 // see votes.Config; zero means the default
	rules    votes.Rules
}

// message is one of the bot's, as it stands.
type message struct {
	room      protocol.RoomID
	text      string
	file      *protocol.File // that came with it
	reactions []protocol.Reaction
	controls  []protocol.Control
	poll      *protocol.StartPoll // nil for a message
	deleted   bool
	ended     bool // of a poll
}

func newTown(t tester, with ...func(*town)) *town {
	t.Helper()
	if alone, ok := t.(*testing.T); ok {
		alone.Parallel()
	}
	scratch := bottest.Scratch
	if _, measured := t.(*testing.B); measured { // on a disk, where commits take what they take
		scratch = func() (string, error) { return os.MkdirTemp("", "moot-votes-") }
	}
	dir, err := scratch()
	if err != nil {
		t.Fatal(err)
	}
	w := &town{
		t: t, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC),
		members: map[protocol.RoomID]map[protocol.UserID]time.Time{}, mods: map[protocol.UserID]bool{},
		putOut: map[string]struct{ since, at time.Time }{},
		active: map[protocol.UserID]int{}, in: map[protocol.RoomID]bool{}, messages: map[protocol.EventID]*message{},
		deaf: map[protocol.UserID]bool{}, shut: map[protocol.RoomID]bool{},
		whispers: map[protocol.UserID]protocol.EventID{}, by: map[protocol.EventID]string{},
	}
	w.rig = &bottest.Rig{
		TB: t, Dir: dir, Network: protocol.Console, Pace: time.Millisecond, Features: w.features,
		Kinds: slices.Concat([]events.Kind{rooms.Kind, activity.Kind()}, votes.Kinds(), challenges.Kinds()),
		Answer: func(a outbox.Attempt) []bot.Input {
			w.now = w.rig.Now
			return w.attempt(a)
		},
	}
	for _, f := range with {
		f(w)
	}
	t.Cleanup(func() {
		w.close()
		os.RemoveAll(dir)
	})
	w.open()
	return w
}

// Days makes the town the judge of who was active.
func (w *town) Days(_ *store.Tx, _ protocol.RoomID, user protocol.UserID, _ time.Duration) int {
	return w.active[user]
}

// Ever makes the town the judge of who took part at any time.
func (w *town) Ever(_ *store.Tx, _ protocol.RoomID, user protocol.UserID) bool {
	return w.active[user] > 0
}

func (w *town) open() {
	w.t.Helper()
	w.rig.Now, w.rig.Longest = w.now, 0
	w.rig.Open()
	w.now, w.longest = w.rig.Now, max(w.longest, w.rig.Longest)
}

// features makes the features of a start.
func (w *town) features(r *bottest.Rig) []bot.Feature {
	w.store, w.bus = r.Store, r.Bus
	fail := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	settings, err := votes.NewSettings(votes.SettingsConfig{Bus: w.bus, Rules: w.rules})
	fail(err)
	operators := []protocol.UserID{olga}
	w.challenges, err = challenges.New(challenges.Config{Bus: w.bus, Operators: operators, Max: settings.ChallengeMax, Channel: settings.Announces})
	fail(err)
	var judge votes.Activity = w
	if w.real {
		judge, err = activity.New(activity.Config{Bus: w.bus})
		fail(err)
	}
	random := byte(0)
	var roles []protocol.Network
	if w.has != nil {
		roles = []protocol.Network{protocol.Console}
	}
	w.votes, err = votes.New(votes.Config{
		Roles: roles, Bus: w.bus, Settings: settings, Activity: judge, Sanctions: w.challenges, Operators: operators,
		AtOnce: w.atOnce, Buttons: w.buttons, Reacts: w.reacts, Polls: w.polls, Reminders: w.reminded, Shared: w.shared, Places: w.places,
		Fits: func(_ protocol.Network, t protocol.Text) bool { return w.fits == nil || w.fits(t) },
		Random: func(b []byte) {
			for i := range b {
				random++
				b[i] = random
			}
		},
	})
	fail(err)
	tree := slices.Concat(w.votes.Commands(), w.challenges.Commands(), []*commands.Command{
		{Name: "room", Summary: "is about the room", Sub: w.votes.RoomCommands()},
		{Name: "ping", Summary: "answers", Run: func(c *commands.Call) error { return c.Answerf("pong") }},
	}, w.forgetting())
	w.commands, err = commands.New(commands.Config{
		Prefixes: []string{"!moot"}, Operators: operators, Challenged: w.challenges.Challenged, Reaches: w.votes.Reaches, Replied: w.votes.Replied, Pressed: w.votes.Pressed, Burst: 1000, Every: time.Millisecond,
	}, tree...)
	fail(err)
	return []bot.Feature{w.commands, w.votes, w.challenges}
}

// forgetting is the command with which people are forgotten, as the bot has it.
func (w *town) forgetting() []*commands.Command {
	all := standard.Commands(standard.Config{
		Bus: w.bus, Version: "test", Outcomes: []events.Query{{Kind: votes.KindVote, Filters: map[string]string{"what": "closed"}}},
		Personal: []standard.Personal{
			{Name: "votes", Export: w.votes.Export, Forget: w.votes.Forget},
			{Name: "challenges", Export: w.challenges.Export, Forget: w.challenges.Forget},
		},
	})
	return slices.DeleteFunc(all, func(c *commands.Command) bool { return c.Name != "forget" && c.Name != "mydata" && c.Name != "events" })
}

func (w *town) close() { w.rig.Close() }

// step makes steps until there is nothing more to do, and lets the network do what it is told.
func (w *town) step(in ...bot.Input) {
	w.t.Helper()
	w.rig.Now, w.rig.Longest = w.now, 0
	w.rig.Step(in...)
	w.now, w.longest = w.rig.Now, max(w.longest, w.rig.Longest)
}

// file shows what people find in a file.
func (w *town) file(f *protocol.File) {
	if f == nil {
		return
	}
	if err := f.Check(); err != nil {
		w.t.Errorf("the file %s: %v", f.Name, err)
	}
	body := strings.TrimSuffix(strings.ReplaceAll(string(f.Data), "\r\n", "\n"), "\n")
	if f.IsPicture() {
		body = fmt.Sprintf("%d × %d", f.Width, f.Height)
	}
	w.said = append(w.said, "with "+f.Name+" ("+f.Type+"):\n"+body)
}

// attempt does what the bot wants done, and says how it went.
func (w *town) attempt(a outbox.Attempt) []bot.Input {
	if a.Ask != nil {
		return w.asked(a)
	}
	w.next++
	id := protocol.EventID(fmt.Sprintf("$m%d", w.next))
	o := a.Out
	sent := bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: o.Room, Event: id}}
	switch act := o.Act.(type) {
	case protocol.Say:
		if !w.in[o.Room] && !private(o.Room) || w.shut[o.Room] {
			return []bot.Input{bot.Sent{Key: a.Key, Err: &protocol.SendError{Final: true, Err: protocol.ErrGone}}}
		}
		if act.File != nil && w.noFiles {
			return []bot.Input{bot.Sent{Key: a.Key, Err: &protocol.SendError{Final: true, Err: fmt.Errorf("no files here")}}}
		}
		w.messages[id] = &message{room: o.Room, text: act.Text.Plain(), file: act.File, controls: act.Controls}
		where := "@" + o.Room.Local()
		if o.Place != "" {
			where += "/" + string(o.Place)
		}
		w.hear(where, act.Text)
		w.offers(act.Controls)
		w.file(act.File)
	case protocol.Whisper:
		if w.deaf[act.User] {
			return []bot.Input{bot.Sent{Key: a.Key, Err: &protocol.SendError{Final: true, Err: fmt.Errorf("no private messages")}}}
		}
		if act.File != nil && w.noFiles {
			return []bot.Input{bot.Sent{Key: a.Key, Err: &protocol.SendError{Final: true, Err: fmt.Errorf("no files here")}}}
		}
		w.hear("to "+act.User.Local(), act.Text)
		w.file(act.File)
		w.whispers[act.User] = id
	case protocol.React:
		if act.Target != "" {
			if w.noReact {
				return []bot.Input{bot.Sent{Key: a.Key, Err: &protocol.SendError{Final: true, Err: fmt.Errorf("no reactions here")}}}
			}
			w.said = append(w.said, act.Reaction+" on the message of "+w.by[act.Target])
			break
		}
		m := w.messages[a.Try.Original.Event]
		m.reactions = append(m.reactions, protocol.Reaction{User: self, Reaction: act.Reaction, Event: id, Bot: true})
		return append([]bot.Input{sent}, bot.Admitted{Batch: &bot.Batch{Network: protocol.Console, Events: []protocol.Event{{
			Room: o.Room, ID: id, Sender: self, Time: w.now, Body: protocol.ReactionAdded{Target: a.Try.Original.Event, Reaction: act.Reaction, Bot: true},
		}}}})
	case protocol.StartPoll:
		w.messages[id] = &message{room: o.Room, text: act.Question, poll: &act}
		line, kind := "polls @"+o.Room.Local(), "undisclosed"
		if act.Disclosed {
			kind = "disclosed"
		}
		options := make([]string, len(act.Options))
		for i, o := range act.Options {
			options[i] = o.Label
		}
		w.overhear(append(options, act.Question)...)
		w.hear(line, protocol.Plainf("%s (%s, %s, at most %d)", act.Question, strings.Join(options, "; "), kind, act.Most))
	case protocol.EndPoll:
		m := w.messages[a.Try.Original.Event]
		m.ended = true
		w.hear("ends poll @"+m.room.Local(), act.Text)
	case protocol.Revise:
		m := w.messages[a.Try.Original.Event]
		if m == nil || m.deleted {
			return []bot.Input{bot.Sent{Key: a.Key, Err: &protocol.SendError{Final: true, Err: protocol.ErrGone}}}
		}
		m.controls = act.Controls
		w.offers(act.Controls)
		if text := act.Text.Plain(); m.text != text {
			w.hear("edits @"+m.room.Local(), act.Text)
			m.text = text
		}
	}
	return []bot.Input{sent}
}

func private(room protocol.RoomID) bool { return strings.Contains(string(room), "dm-") }

// shownCode is something that can be typed, in what the bot has said.
type shownCode struct{ where, code string }

func (w *town) hear(where string, text protocol.Text) {
	if !strings.HasPrefix(where, "polls ") {
		w.overhear(text.Plain())
	}
	for _, span := range text {
		if span.Style == protocol.CodeStyle {
			w.shown = append(w.shown, shownCode{where, span.Text})
		}
	}
	line := text.Plain()
	for _, who := range text.Mentions() {
		line += " [mentions " + who.Local() + "]"
	}
	w.said = append(w.said, where+": "+line)
}

func (w *town) asked(a outbox.Attempt) []bot.Input {
	ans := bot.Answered{Ask: *a.Ask, Attempt: a.Try.N}
	switch want := a.Ask.Want.(type) {
	case protocol.AskMembers:
		ans.Result = w.memberList(a.Ask.Room)
	case protocol.AskReactions:
		m := w.messages[a.Try.Original.Event]
		if w.mute {
			return nil
		}
		if m == nil || m.deleted {
			ans.Err = &protocol.SendError{Final: true, Err: protocol.ErrGone}
			break
		}
		ans.Result = protocol.ReactionSet{Target: a.Try.Original.Event, Reactions: slices.Clone(m.reactions)}
	case protocol.AskRole:
		if w.mute {
			return nil
		}
		ans.Result = w.holders(want.Role)
	case protocol.AskJoin:
		if w.members[a.Ask.Room] == nil {
			ans.Err = &protocol.SendError{Final: true, Err: protocol.ErrGone}
		}
		_ = want
	}
	return []bot.Input{ans}
}

// name is what people call somebody.
func name(id protocol.UserID) string {
	l := id.Local()
	return strings.ToUpper(l[:1]) + l[1:]
}

func person(local string) protocol.UserID { return protocol.UserID("console:" + local) }

func (w *town) admit(ev protocol.Event) protocol.EventID {
	w.t.Helper()
	if ev.ID == "" {
		w.next++
		ev.ID = protocol.EventID(fmt.Sprintf("$%d", w.next))
	}
	if ev.Time.IsZero() {
		ev.Time = w.now
	}
	w.by[ev.ID] = ev.Sender.Local()
	w.step(bot.Admitted{Batch: &bot.Batch{Network: protocol.Console, Events: []protocol.Event{ev}}})
	return ev.ID
}

// settle makes people members for long and active, and lets the bot join.
func (w *town) settle(room protocol.RoomID, people ...string) {
	w.t.Helper()
	if w.members[room] == nil {
		w.members[room] = map[protocol.UserID]time.Time{}
	}
	for _, p := range people {
		w.members[room][person(p)] = w.now.Add(-month)
		w.active[person(p)] = 5
	}
	w.botJoins(room)
}

// later lets so much time pass that the bot has been in its rooms for as long as activity is counted.
func (w *town) later() {
	w.t.Helper()
	w.now = w.now.Add(11 * 24 * time.Hour)
	w.step()
}

func (w *town) botJoins(room protocol.RoomID) {
	w.in[room] = true
	w.admit(protocol.Event{Room: room, Sender: self, Body: protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined}})
}

func (w *town) botKicked(room protocol.RoomID) {
	w.in[room] = false
	w.admit(protocol.Event{Room: room, Body: protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked}})
}

func (w *town) member(room protocol.RoomID, who protocol.UserID, m protocol.Membership) {
	key := string(room) + " " + string(who)
	since, was := w.members[room][who]
	switch out, ok := w.putOut[key]; {
	case m == protocol.Joined && ok && w.now.Sub(out.at) < rooms.PutOutFor: // they have been a member all the while
		w.members[room][who] = out.since
	case m == protocol.Joined:
		w.members[room][who] = w.now
	default:
		delete(w.members[room], who)
	}
	if delete(w.putOut, key); was && (m == protocol.Kicked || m == protocol.Banned) {
		w.putOut[key] = struct{ since, at time.Time }{since, w.now}
	}
	w.admit(protocol.Event{Room: room, Sender: who, Body: protocol.MemberChange{User: who, Name: name(who), Membership: m}})
}

// named gives somebody another name in a room.
func (w *town) named(room protocol.RoomID, who, name string) {
	w.t.Helper()
	w.admit(protocol.Event{Room: room, Sender: person(who), Body: protocol.MemberChange{
		User: person(who), Name: name, Membership: protocol.Joined, Profile: true,
	}})
}

// say lets somebody say something in a room.
func (w *town) say(room protocol.RoomID, who, text string) {
	w.t.Helper()
	w.admit(protocol.Event{Room: room, Sender: person(who), Body: protocol.Message{Text: text}})
}

// tell lets somebody say something in private.
func (w *town) tell(who, text string) {
	w.t.Helper()
	w.admit(protocol.Event{Room: protocol.RoomID("console:dm-" + who), Sender: person(who), Private: true, Body: protocol.Message{Text: text}})
}

// reply lets somebody answer the last message of the bot that shows a vote in a room.
func (w *town) reply(room protocol.RoomID, who, text string) {
	w.t.Helper()
	w.admit(protocol.Event{Room: room, Sender: person(who), Body: protocol.Message{Text: text, ReplyTo: w.board(room)}})
}

// replyInPrivate lets somebody answer the last thing that the bot has told them alone.
func (w *town) replyInPrivate(who, text string) {
	w.t.Helper()
	w.admit(protocol.Event{Room: protocol.RoomID("console:dm-" + who), Sender: person(who), Private: true,
		Body: protocol.Message{Text: text, ReplyTo: w.whispers[person(who)]}})
}

func (w *town) react(room protocol.RoomID, who, reaction string) protocol.EventID {
	w.t.Helper()
	id := w.board(room)
	if id == "" {
		w.t.Fatal("no vote is shown")
	}
	w.next++
	ev := protocol.EventID(fmt.Sprintf("$r%d", w.next))
	w.messages[id].reactions = append(w.messages[id].reactions, protocol.Reaction{User: person(who), Reaction: reaction, Event: ev})
	w.admit(protocol.Event{Room: room, ID: ev, Sender: person(who), Body: protocol.ReactionAdded{Target: id, Reaction: reaction}})
	return ev
}

// unreact takes a reaction back; with quiet, the bot does not hear of it.
func (w *town) unreact(room protocol.RoomID, who string, event protocol.EventID, quiet bool) {
	w.t.Helper()
	for _, m := range w.messages {
		m.reactions = slices.DeleteFunc(m.reactions, func(r protocol.Reaction) bool { return r.Event == event })
	}
	if !quiet {
		w.admit(protocol.Event{Room: room, Sender: person(who), Body: protocol.Deletion{Target: event}})
	}
}

// removes lets a moderator remove the reaction of somebody else.
func (w *town) removes(room protocol.RoomID, who string, event protocol.EventID) {
	w.t.Helper()
	w.unreact(room, who, event, true)
	w.admit(protocol.Event{Room: room, Sender: person(who), Body: protocol.Deletion{Target: event}})
}

// wait lets time pass, in steps such that timers go off about when they are due.
func (w *town) wait(d time.Duration) {
	w.t.Helper()
	pace := max(10*time.Minute, d/200)
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = minTime(end, w.now.Add(pace))
		w.step()
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// crash loses everything that is not in the store; away is how long the bot is not there.
func (w *town) crash(away time.Duration) {
	w.t.Helper()
	w.close()
	w.now = w.now.Add(away)
	w.open()
	w.online(true)
}

func (w *town) online(up bool) {
	w.t.Helper()
	w.step(bot.Online{Network: protocol.Console, Up: up})
}

// heard returns what the bot has said since the last call.
func (w *town) heard() string {
	out := strings.Join(w.said, "\n")
	w.said = nil
	return out
}

func (w *town) view(f func(*store.Tx)) {
	w.t.Helper()
	if err := w.store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) vote(room protocol.RoomID, id uint64) (v votes.Vote) {
	w.view(func(tx *store.Tx) { v, _ = votes.Get(tx, room, id) })
	return v
}

func (w *town) isChallenged(room protocol.RoomID, who string) (is bool) {
	w.view(func(tx *store.Tx) { _, is = w.challenges.Challenged(tx, room, person(who)) })
	return is
}
