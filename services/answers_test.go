package services_test

import (
	"slices"
	"strings"
	"testing"

	"moot/commands"
	"moot/internal/bot"
	"moot/protocol"
	"moot/services"
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
