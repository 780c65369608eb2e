package challenges_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/challenges"
	"moot/commands"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const (
	lobby protocol.RoomID = "console:lobby"
	hall  protocol.RoomID = "console:hall"
	self  protocol.UserID = "console:moot"
	olga  protocol.UserID = "console:olga" // operates the bot
	paul  protocol.UserID = "console:paul" // too
	ann   protocol.UserID = "console:ann"
	ben   protocol.UserID = "console:ben"
	robot protocol.UserID = "console:robot"
)

var errNone = errors.New("the network does not say")

// rig is a bot in a lobby, with challenges and the commands that override them.
type rig struct {
	*bottest.Rig
	feature *challenges.Feature
}

func newRig(t *testing.T) *rig {
	t.Parallel()
	r := &rig{}
	operators := []protocol.UserID{olga, paul}
	r.Rig = &bottest.Rig{
		TB: t, Dir: t.TempDir(), Network: "console", Kinds: append(challenges.Kinds(), rooms.Kind),
		Features: func(b *bottest.Rig) []bot.Feature {
			var err error
			r.feature, err = challenges.New(challenges.Config{Bus: b.Bus, Operators: operators,
				Max: func(*store.Tx, protocol.RoomID) time.Duration { return 48 * time.Hour }})
			if err != nil {
				b.Fatal(err)
			}
			tree, err := commands.New(commands.Config{Operators: operators, Prefixes: []string{"!moot"},
				MaxAge: time.Hour, Burst: 100, Every: time.Second, Challenged: r.feature.Challenged}, r.feature.Commands()...)
			if err != nil {
				b.Fatal(err)
			}
			return []bot.Feature{tree, r.feature}
		},
	}
	r.Open()
	t.Cleanup(func() {
		if err := r.Bus.Verify(t.Context(), r.Dir); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		r.Close()
	})
	r.arrives(lobby, olga, paul, ann, ben, robot)
	return r
}

// arrives lets the bot join a room in which the others are.
func (r *rig) arrives(room protocol.RoomID, others ...protocol.UserID) {
	r.Helper()
	r.Admit(r.Event(room, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined}))
	for _, user := range others {
		r.Admit(r.Event(room, user, protocol.MemberChange{User: user, Membership: protocol.Joined, Bot: user == robot}))
	}
	r.heard()
}

// heard takes what is being sent, and lets it arrive: "lobby: text" in a room, "to ben: text" in private.
func (r *rig) heard() (texts []string) {
	r.Helper()
	for len(r.Flying) > 0 {
		flying := r.Flying
		r.Flying = nil
		var in []bot.Input
		for _, a := range flying {
			if a.Out == nil {
				in = append(in, bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Err: &protocol.SendError{Final: true, Err: errNone}})
				continue
			}
			switch act := a.Out.Act.(type) {
			case protocol.Say:
				texts = append(texts, a.Out.Room.Local()+": "+act.Text.Plain())
			case protocol.Whisper:
				texts = append(texts, "to "+act.User.Local()+": "+act.Text.Plain())
			}
			in = append(in, bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: a.Out.Room, Event: protocol.EventID("$" + a.Key)}})
		}
		r.Step(in...)
	}
	return texts
}

// says lets somebody say something and compares what the bot says then, all of it.
func (r *rig) says(room protocol.RoomID, by protocol.UserID, text string, want ...string) {
	r.Helper()
	ev := r.Event(room, by, protocol.Message{Text: text})
	ev.Private = strings.HasPrefix(room.Local(), "dm-")
	r.Admit(ev)
	r.hears(text, want...)
}

func (r *rig) hears(after string, want ...string) {
	r.Helper()
	got := r.heard()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.Errorf("after %q people hear:\n%s\nand not:\n%s", after, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (r *rig) stand(want ...protocol.UserID) {
	r.Helper()
	r.View(func(tx *store.Tx) {
		if got := slices.Collect(r.feature.In(tx, lobby)); !slices.Equal(got, want) {
			r.Errorf("challenged are %v, not %v", got, want)
		}
	})
}

const toBen = "to ben: You are now suspended in «lobby», by somebody who operates me, for this reason: «he spams». " +
	"You cannot use my features there, but you can read votes, and appeal once a week: vote appeal REASON --in lobby. " +
	"That ends by itself on 2026-11-23 08:00 UTC."

// TestOverride: an operator decides without a vote; the room hears who and why, and the person what they can do.
func TestOverride(t *testing.T) {
	r := newRig(t)
	r.says(lobby, ann, "!moot override challenge ben he spams", "lobby: !moot override challenge is for those who operate me.")
	r.stand()
	r.says(lobby, olga, "!moot override challenge robot it spams", "lobby: robot is a bot. People are suspended.")
	r.says(lobby, olga, "!moot override challenge paul he spams", "lobby: paul operates me and cannot be suspended.")
	r.says(lobby, olga, "!moot override restore ben why not", "lobby: ben is not suspended here.")
	r.says(lobby, olga, "!moot override challenge ben he spams", toBen,
		"lobby: ben is now suspended by decision of olga, who operates me, and not by a vote. Reason: he spams")
	r.says(lobby, olga, "!moot override challenge ben again", "lobby: ben is suspended here already.")
	r.stand(ben)
	r.says("console:dm-olga", olga, "override restore ben that was too much",
		"to ben: You are restored in «lobby», by somebody who operates me, for this reason: «that was too much». "+
			"You can use all my features there again.",
		"lobby: ben is restored by decision of olga, who operates me, and not by a vote. Reason: that was too much",
		"dm-olga: In «lobby»: Done, and announced in the room.")
	r.stand()
}

// TestItsEndIsAnnounced: the room hears that the time of a challenge is over, and so does the person; not before.
func TestItsEndIsAnnounced(t *testing.T) {
	r := newRig(t)
	r.says(lobby, olga, "!moot override challenge ben he spams", toBen,
		"lobby: ben is now suspended by decision of olga, who operates me, and not by a vote. Reason: he spams")
	r.Later(47 * time.Hour)
	r.hears("47 hours")
	r.stand(ben)
	r.Later(time.Hour + time.Second)
	r.hears("48 hours", "lobby: ben is no longer suspended: the time of the challenge is over.",
		"to ben: You are restored in «lobby», because the time of the challenge is over. You can use all my features "+
			"there again.")
	r.stand()
}

// TestOfTheForgotten: a challenge stands and goes along for somebody who was forgotten, and nobody is named by it.
func TestOfTheForgotten(t *testing.T) {
	r := newRig(t)
	r.says(lobby, olga, "!moot override challenge ben he spams", toBen,
		"lobby: ben is now suspended by decision of olga, who operates me, and not by a vote. Reason: he spams")
	r.forget(ben)
	r.stand(ben) // who is a member, and is recognised
	r.upgrade(lobby, hall)
	r.arrives(hall, ben)
	r.View(func(tx *store.Tx) {
		if why, is := r.feature.Challenged(tx, hall, ben); !is || !strings.Contains(why.Plain(), "as in the room that this one follows") {
			t.Errorf("where the room goes on: %v, %s", is, why.Plain())
		}
		if all := slices.Collect(r.feature.Rooms(tx)); !slices.Equal(all, []protocol.RoomID{hall, lobby}) {
			t.Errorf("somebody is challenged in %v", all)
		}
	})
	r.says(hall, olga, "!moot override restore ben come in",
		"to ben: You are restored in «hall», by somebody who operates me, for this reason: «come in». You can use all "+
			"my features there again.",
		"hall: ben is restored by decision of olga, who operates me, and not by a vote. Reason: come in")
	r.View(func(tx *store.Tx) {
		if _, is := r.feature.Challenged(tx, hall, ben); is {
			t.Error("they are challenged still")
		}
	})
}

// TestNotIntoAnothersRoom: a room does not hand its challenges to one in which the bot has been before.
func TestNotIntoAnothersRoom(t *testing.T) {
	r := newRig(t)
	r.arrives(hall, ben)
	r.says(lobby, olga, "!moot override challenge ben he spams", toBen,
		"lobby: ben is now suspended by decision of olga, who operates me, and not by a vote. Reason: he spams")
	r.upgrade(lobby, hall)
	r.View(func(tx *store.Tx) {
		if _, is := r.feature.Challenged(tx, hall, ben); is {
			t.Error("they are challenged where the bot has been before")
		}
	})
}

// TestExport: what somebody is told of their challenges is a sentence with its cause and its end.
func TestExport(t *testing.T) {
	r := newRig(t)
	r.says(lobby, olga, "!moot override challenge ben he spams", toBen,
		"lobby: ben is now suspended by decision of olga, who operates me, and not by a vote. Reason: he spams")
	r.View(func(tx *store.Tx) {
		var all []string
		for line := range r.feature.Export(tx, ben) {
			all = append(all, line.Plain())
		}
		want := "You have been suspended in «lobby» since 2026-11-21 08:00 UTC, by somebody who operates me, for " +
			"this reason: «he spams», until 2026-11-23 08:00 UTC."
		if strings.Join(all, "\n") != want {
			t.Errorf("it says:\n%s\nand not:\n%s", strings.Join(all, "\n"), want)
		}
		for line := range r.feature.Export(tx, ann) {
			t.Errorf("of somebody else: %s", line.Plain())
		}
		if _, stays := r.feature.Forget(tx, ben); !strings.Contains(stays.Plain(), "until you are restored") {
			t.Errorf("what stays: %q", stays.Plain())
		}
		if _, stays := r.feature.Forget(tx, ann); stays != nil {
			t.Errorf("what stays of somebody else: %q", stays.Plain())
		}
	})
}

// TestSaysWhatFactsSay: each fact is described to others without whom it names, and to the person as theirs.
func TestSaysWhatFactsSay(t *testing.T) {
	r := newRig(t)
	for _, kind := range challenges.Kinds() {
		for by, want := range map[string]string{
			"vote": "by vote 3", "override": "by an operator, not by a vote", "expiry": "because the time of the challenge is over",
			"upgrade": "as in the room that this one follows",
		} {
			f := events.Fact{Kind: kind.Name, Keys: map[string]string{"by": by, "vote": "3"}, People: map[string]events.Number{"target": 7, "operator": 8}}
			if got := kind.Describe(say.English, f); !strings.HasPrefix(got, "somebody was ") || !strings.HasSuffix(got, want) {
				t.Errorf("%s by %s: %q", kind.Name, by, got)
			}
			r.View(func(tx *store.Tx) {
				if got := kind.Own(say.English, tx, f, 7); !strings.HasPrefix(got, "you were ") || !strings.HasSuffix(got, want) {
					t.Errorf("to the one whom it is about: %q", got)
				}
				if got := kind.Own(say.English, tx, f, 8); !strings.HasSuffix(got, "; you decided it") {
					t.Errorf("to who decided it: %q", got)
				}
			})
		}
	}
}

// forget has somebody forgotten.
func (r *rig) forget(user protocol.UserID) {
	r.Helper()
	err := r.Store.Commit(r.Now, func(c *store.Commit) error {
		return c.Run(protocol.Scope(user), protocol.Ref{Room: "console:dm", Event: "$forget"}, func(tx *store.Tx) error {
			r.Bus.Forget(tx, user, false)
			return nil
		})
	})
	if err != nil {
		r.Fatal(err)
	}
}

// upgrade lets a room go on in another.
func (r *rig) upgrade(room, successor protocol.RoomID) {
	r.Helper()
	r.Admit(r.Event(room, olga, protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: successor}}}))
	r.heard()
}
