package services_test

import (
	"slices"
	"strings"
	"testing"

	"moot/commands"
	"moot/internal/bot"
	"moot/protocol"
	"moot/services"
	"moot/store"
)

var errNetwork = &protocol.SendError{Final: true, Err: protocol.ErrGone}

// Who has given a command hears something also where the network refuses the reaction that would have been all of it. What a
// pattern fits needs no answer, and a reaction beside one is no loss.
func TestReactionThatIsRefused(t *testing.T) {
	spec := roll(services.Spec{Who: commands.Member, Pattern: pattern("^dice"), Rooms: []protocol.RoomID{lobby}})
	for name, tc := range map[string]struct {
		text   string
		to     []protocol.RoomID
		writes map[string]any
		said   []string
	}{
		"a command":                       {"!moot roll", nil, map[string]any{"reaction": "thumbsup"}, []string{"thumbsup"}},
		"a command, answered elsewhere":   {"!moot roll", []protocol.RoomID{hall}, map[string]any{"reaction": "❌", "answer": "no"}, []string{"❌"}},
		"a command that is answered":      {"!moot roll", nil, map[string]any{"reaction": "❌", "answer": "no"}, nil},
		"a command, answered there alone": {"!moot roll", []protocol.RoomID{lobby}, map[string]any{"reaction": "❌", "answer": "no"}, nil},
		"what a pattern fits":             {"dice", nil, map[string]any{"reaction": "❌"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			spec.To = tc.to
			r := open(t, spec)
			r.says(lobby, "ben", tc.text)
			r.work(func(given) (map[string]any, error) { return tc.writes, nil })
			reacted := false
			for end := false; !end; { // the answer comes behind the reaction, in the same lane
				end = true
				for i, a := range r.Flying {
					if _, is := a.Out.Act.(protocol.React); is {
						r.Flying = append(r.Flying[:i], r.Flying[i+1:]...)
						r.Step(bot.Sent{Key: a.Key, Err: errNetwork})
						reacted, end = true, false
						break
					}
				}
			}
			if !reacted {
				t.Fatal("it did not react")
			}
			var said []string
			for len(r.Flying) > 0 {
				for _, act := range r.acts() {
					if s := act.(protocol.Say); s.Text.Plain() != "no" {
						said = append(said, s.Text.Plain())
						if s.ReplyTo == "" {
							t.Errorf("it is no reply: %+v", s)
						}
					}
				}
			}
			if strings.Join(said, "|") != strings.Join(tc.said, "|") {
				t.Errorf("it said %q, and not %q", said, tc.said)
			}
			r.states("1 done")
		})
	}
}

// Where the progress of a job was deleted, or could not be said, its answer is said by itself, once; more progress is not.
func TestProgressThatIsGone(t *testing.T) {
	for name, never := range map[string]bool{"deleted": false, "never sent": true} {
		t.Run(name, func(t *testing.T) {
			r := open(t, roll(services.Spec{Who: commands.Member, Progress: "A moment…", Tasks: []services.Task{{Name: "a"}, {Name: "b"}}}))
			r.says(lobby, "ben", "!moot roll")
			progress := func() {
				for i, a := range r.Flying {
					if a.Out == nil {
						continue
					}
					r.Flying = append(r.Flying[:i], r.Flying[i+1:]...)
					sent := bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: lobby, Event: "$progress"}}
					if never {
						sent = bot.Sent{Key: a.Key, Err: errNetwork}
					}
					r.Step(sent)
					return
				}
				t.Fatal("nothing was said at once")
			}
			progress()
			r.turn(func(given) (map[string]any, error) { return map[string]any{"progress": "half"}, nil })
			var edits, says []string
			for first := true; len(r.Flying) > 0; first = false {
				if !first { // the second task waits while progress is refused
					r.turn(answers("a four"))
				}
				var in []bot.Input
				rest := r.Flying[:0]
				for _, a := range r.Flying {
					if a.Out == nil {
						rest = append(rest, a)
						continue
					}
					switch act := a.Out.Act.(type) {
					case protocol.Revise:
						edits = append(edits, act.Text.Plain())
						in = append(in, bot.Sent{Key: a.Key, Err: errNetwork})
					case protocol.Say:
						says = append(says, act.Text.Plain())
						if act.ReplyTo == "" {
							t.Errorf("it is no reply: %+v", act)
						}
						in = append(in, bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: lobby, Event: "$answer"}})
					}
				}
				r.Flying = rest
				r.Step(in...)
			}
			want := "half|a four"
			if never {
				want = "" // there is nothing that could be edited
			}
			if strings.Join(edits, "|") != want || strings.Join(says, "|") != "a four" {
				t.Errorf("it edited %q, and said %q", edits, says)
			}
			r.states("1 done")
		})
	}
}

// A command that nobody understands is given in none of several rooms, and once in each when the job is tried again. What one of them
// refuses it says, and the others are not told again.
func TestCommandForSeveralRooms(t *testing.T) {
	spec := roll(services.Spec{Who: commands.Member, To: []protocol.RoomID{lobby, hall}, As: "console:ann", Allow: []string{"greet"}})
	spec.Commands = append(spec.Commands, services.Command{
		Name: "greet", Summary: "greet", Params: []commands.Param{{Name: "whom", Kind: commands.Person, Summary: "whom"}},
	})
	r := open(t, spec)
	r.Buried = true
	r.Admit(r.Event(hall, "console:cleo", protocol.MemberChange{User: "console:cleo", Membership: protocol.Joined, Name: "cleo"}))
	work := func(line string) (greeted []string) {
		for range 3 { // a command runs a step after the task that gives it
			for _, g := range r.work(func(g given) (map[string]any, error) {
				if g.Command == "greet" {
					return nil, nil
				}
				return map[string]any{"command": line}, nil
			}) {
				if g.Command == "greet" {
					greeted = append(greeted, g.Room)
				}
			}
			r.Step()
		}
		slices.Sort(greeted)
		return greeted
	}
	r.says(lobby, "ben", "!moot roll")
	if got := work("greet"); len(got) > 0 || !strings.Contains(r.letter().Error, "whom") {
		t.Errorf("it was given in %q, and the dead letter says %s", got, r.letter().Error)
	}
	r.Said()
	r.Step(bot.RetryDead{ID: r.letter().ID})
	if got := work("greet cleo"); !slices.Equal(got, []string{string(hall)}) {
		t.Errorf("it is given in %q", got)
	}
	if said := strings.Join(outs(r), "|"); strings.Count(said, "cleo") != 1 {
		t.Errorf("the room that does not know cleo says %q", said)
	}
	r.noLetter()
	if got := work("greet cleo"); len(got) > 0 {
		t.Errorf("it is given once more, in %q", got)
	}
}

// What nobody sees is no answer: who gave a command is told that it is done. Signs that change how a text is read are left out of
// one, and it has at most 3,500 characters.
func TestOddAnswers(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member, Progress: "…"}))
	for _, tc := range []struct{ answer, want string }{
		{"\u200b\u202e", "Done."}, {"`\u202e`", "Done."}, {"**\u2800**", "Done."}, {" \n", "Done."},
		{"a\x00b\u202ec\u2066d\x1b[31m", "abcd[31m"},
		{strings.Repeat("x", 1<<19), strings.Repeat("x", 3499) + "…"},
		{"e" + strings.Repeat("\u0301", 1<<18), "e" + strings.Repeat("\u0301", 3498) + "…"},
	} {
		r.says(lobby, "ben", "!moot roll")
		r.acts()
		r.work(answers(tc.answer))
		var got string
		acts, edits := append(r.acts(), r.acts()...), 0
		for _, act := range acts {
			switch act := act.(type) {
			case protocol.Revise:
				edits++
				if words := act.Text.Plain(); len(acts) == 1 || words != "Done." {
					got += words
				}
			case protocol.Say:
				got += act.Text.Plain()
			}
		}
		if edits != 1 || len(acts) > 1 != (len(tc.want) > 1000) { // a long one is not cut to what one message holds
			t.Errorf("of %.20q it did %d things, and %d edits", tc.answer, len(acts), edits)
		}
		if got != tc.want {
			t.Errorf("of %.20q it said %.60q, with %d bytes", tc.answer, got, len(got))
		}
	}
}

// command gives a command, and returns its message.
func (r *rig) command() protocol.EventID {
	ev := r.Event(lobby, "console:ben", protocol.Message{Text: "!moot roll"})
	r.Admit(ev)
	return ev.ID
}

// A command that is edited or deleted while its job runs is answered all the same, once, and the new words begin nothing.
func TestCommandThatChanges(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member}))
	for _, body := range []func(protocol.EventID) protocol.Body{
		func(id protocol.EventID) protocol.Body { return protocol.Edit{Target: id, Text: "!moot roll 7d7"} },
		func(id protocol.EventID) protocol.Body { return protocol.Deletion{Target: id} },
	} {
		id := r.command()
		r.Admit(r.Event(lobby, "console:ben", body(id)))
		if got := r.work(answers("a four")); len(got) != 1 || got[0].Text != "roll" {
			t.Errorf("the tasks were given %+v", got)
		}
		r.said("a four")
	}
	r.states("2 done")
}

// An answer is said in the room in which the one goes on that the command was given in, and so it is where the configuration names an
// old room. Where the bot was put out meanwhile, it is said nowhere, and the record of the job says so.
func TestRoomThatEnds(t *testing.T) {
	out := protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: protocol.Left}
	in := out
	in.Membership = protocol.Joined
	upgrade := func(r *rig) {
		r.Admit(r.Event(lobby, "console:ann", protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: "console:attic"}}}))
		r.Admit(r.Event("console:attic", "console:moot", in))
	}
	for name, tc := range map[string]struct {
		spec    services.Spec
		happens func(r *rig)
		writes  map[string]any
		want    string
	}{
		"goes on":             {services.Spec{}, upgrade, map[string]any{"answer": "a four"}, "console:attic: a four"},
		"goes on, progress":   {services.Spec{Progress: "…"}, upgrade, map[string]any{"answer": "a four"}, "console:attic: a four"},
		"goes on, a reaction": {services.Spec{}, upgrade, map[string]any{"reaction": "🎲"}, "console:attic: Done."},
		"goes on, to":         {services.Spec{To: []protocol.RoomID{lobby}}, upgrade, map[string]any{"answer": "a four"}, "console:attic: a four"},
		"is said to go on elsewhere": {services.Spec{}, func(r *rig) { // in a room that was there before
			r.Admit(r.Event(lobby, "console:ann", protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}))
		}, map[string]any{"answer": "a four"}, "console:lobby: a four"},
		"left": {services.Spec{}, func(r *rig) { r.Admit(r.Event(lobby, "console:moot", out)) }, map[string]any{"answer": "a four"}, ""},
		"left, and again in it": {services.Spec{}, func(r *rig) {
			r.Admit(r.Event(lobby, "console:moot", out))
			r.Admit(r.Event(lobby, "console:moot", in))
		}, map[string]any{"answer": "a four"}, "console:lobby: a four"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spec.Who = commands.Member
			r := open(t, roll(tc.spec))
			r.command()
			if tc.spec.Progress != "" {
				r.acts()
			}
			tc.happens(r)
			var ask *protocol.Ask
			for _, a := range r.Flying {
				if _, is := askTask(a.Ask); is {
					ask = a.Ask
				}
			}
			r.work(func(given) (map[string]any, error) { return tc.writes, nil })
			r.View(func(tx *store.Tx) {
				seen := tx.Seen(ask.Room, protocol.EventID("answer/"+ask.Key+"/1"))
				if strings.Contains(seen.Reason, "no longer where its answer belongs") != (tc.want == "") || !strings.Contains(seen.Reason, "a job of dice is done") {
					t.Errorf("of its answer the record says %q", seen.Reason)
				}
			})
			var got []string
			for range 3 {
				rest := r.Flying[:0]
				var sent []bot.Input
				for _, a := range r.Flying {
					if a.Out == nil {
						rest = append(rest, a)
						continue
					}
					sent = append(sent, bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: a.Out.Room, Event: protocol.EventID("$" + a.Key)}})
					if say, is := a.Out.Act.(protocol.Say); is {
						got = append(got, string(a.Out.Room)+": "+say.Text.Plain())
					} else {
						got = append(got, protocol.KindOf(a.Out.Act))
					}
				}
				r.Flying = rest
				r.Step(sent...)
			}
			if strings.Join(got, "|") != tc.want {
				t.Errorf("it said %q, and not %q", got, tc.want)
			}
			r.states("1 done")
		})
	}
}
