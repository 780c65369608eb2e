package sealed_test

import (
	"slices"
	"strings"
	"testing"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/protocol"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
)

// acts is a feature that does what it is told, and takes reactions for ballots.
type acts struct{ seen []protocol.Event }

func (a *acts) Handle(_ *store.Tx, ev protocol.Event) (store.Outcome, error) {
	switch ev.Body.(type) {
	case protocol.Message, protocol.ReactionAdded, protocol.Edit, protocol.PollResponse:
		a.seen = append(a.seen, ev)
		return store.WasHandled("done"), nil
	}
	return store.Outcome{}, nil
}

func (*acts) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }
func (*acts) Timed(*store.Tx, protocol.Timer) (bool, error)   { return false, nil }

// newGuarded is a bot in the hall whose core has a rule about trust.
func newGuarded(t *testing.T, trust sealed.Trust) (*bottest.Rig, *acts) {
	does := &acts{}
	r := &bottest.Rig{
		TB: t, Dir: t.TempDir(), Network: "matrix", Kinds: []events.Kind{rooms.Kind}, Trust: trust,
		Features: func(*bottest.Rig) []bot.Feature { return []bot.Feature{does} },
	}
	r.Open()
	t.Cleanup(r.Close)
	r.Admit(r.Event(hall, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined}))
	return r, does
}

// TestWhatNobodyVouchesForIsRefused: the rule, for each kind of event and each degree of trust.
func TestWhatNobodyVouchesForIsRefused(t *testing.T) {
	response := protocol.PollResponse{Target: "$1", Answers: []string{"1"}}
	message, edit, reaction := protocol.Message{Text: "!moot ping"}, protocol.Edit{Target: "$1", Text: "x"}, protocol.ReactionAdded{Target: "$1", Reaction: "👍"}
	for _, c := range []struct {
		name  string
		rule  sealed.Trust
		body  protocol.Body
		trust protocol.Trust
		why   string // zero: it is acted on
	}{
		{"a room without encryption", sealed.Trust{}, message, "", ""},
		{"sealed and signed", sealed.Trust{}, message, protocol.TrustSigned, ""},
		{"in clear", sealed.Trust{}, message, protocol.TrustClear, "in clear in an encrypted room"},
		{"in clear, where unsigned devices count", sealed.Trust{Unsigned: true}, message, protocol.TrustClear, "in clear in an encrypted room"},
		{"an edit in clear", sealed.Trust{}, edit, protocol.TrustClear, "in clear in an encrypted room"},
		{"an unsigned device", sealed.Trust{}, message, protocol.TrustUnsigned, "from a device that its owner has not signed"},
		{"an unsigned device, where those count", sealed.Trust{Unsigned: true}, message, protocol.TrustUnsigned, ""},
		{"a response to a poll", sealed.Trust{NoReactions: true}, response, protocol.TrustSigned, ""},
		{"a response in a room without encryption", sealed.Trust{NoReactions: true}, response, "", ""},
		{"a response in clear", sealed.Trust{}, response, protocol.TrustClear, "in clear in an encrypted room"},
		{"a response of an unsigned device", sealed.Trust{}, response, protocol.TrustUnsigned, "from a device that its owner has not signed"},
		{"a reaction in clear", sealed.Trust{}, reaction, protocol.TrustClear, ""},
		{"a reaction where none count", sealed.Trust{NoReactions: true}, reaction, protocol.TrustClear, "a reaction in an encrypted room"},
		{"a sealed reaction where none in clear count", sealed.Trust{NoReactions: true}, reaction, protocol.TrustSigned, ""},
		{"a reaction in a room without encryption", sealed.Trust{NoReactions: true}, reaction, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, does := newGuarded(t, c.rule)
			ev := r.Event(hall, ann, c.body)
			ev.Trust = c.trust
			r.Admit(ev)
			want := store.Seen{Disposition: store.Handled, Reason: "done"}
			if c.why != "" {
				want = store.Seen{Disposition: store.Refused, Reason: c.why}
			}
			if s := seen(r, ev); s.Disposition != want.Disposition || s.Reason != want.Reason || len(does.seen) > 0 != (c.why == "") {
				t.Errorf("it is %s (%s), and %d were acted on", s.Disposition, s.Reason, len(does.seen))
			}
		})
	}
}

// TestWhoIsRefusedIsToldOnce, in private, and only if they meant the bot.
func TestWhoIsRefusedIsToldOnce(t *testing.T) {
	r, _ := newGuarded(t, sealed.Trust{Meant: func(_ protocol.Event, m protocol.Message) bool { return strings.HasPrefix(m.Text, "!moot") }})
	say := func(text string, private, isBot bool) {
		ev := r.Event(hall, ann, protocol.Message{Text: text, Bot: isBot})
		ev.Trust, ev.Private = protocol.TrustClear, private
		r.Admit(ev)
	}
	say("hello everybody", false, false)
	say("!moot ping", false, true)
	if said := r.Said(); len(said) != 0 {
		t.Errorf("to what was not meant for it, it says %q", said)
	}
	say("!moot ping", false, false)
	var to []protocol.Act
	for _, a := range r.Flying {
		if a.Out != nil {
			to = append(to, a.Out.Act)
		}
	}
	flying := len(r.Flying)
	whispers := slices.ContainsFunc(to, func(a protocol.Act) bool {
		w, ok := a.(protocol.Whisper)
		return ok && w.User == ann && strings.Contains(w.Text.Plain(), "in clear") && strings.Contains(w.Text.Plain(), "in your name")
	})
	if len(to) != 1 || !whispers {
		t.Errorf("it says %+v", to)
	}
	say("!moot ping", false, false)
	if len(r.Flying) != flying {
		t.Errorf("it says so again")
	}
}

// TestWhoAnswersAPollWithoutProofIsTold, in private, if it was a poll of the bot.
func TestWhoAnswersAPollWithoutProofIsTold(t *testing.T) {
	polled := func(_ *store.Tx, _ protocol.Event, r protocol.PollResponse) bool { return r.Target == "$own" }
	r, _ := newGuarded(t, sealed.Trust{Polled: polled})
	for target, told := range map[protocol.EventID]int{"$other": 0, "$own": 1} {
		before := len(r.Flying)
		ev := r.Event(hall, ann, protocol.PollResponse{Target: target, Answers: []string{"1"}})
		ev.Trust = protocol.TrustUnsigned
		r.Admit(ev)
		if got := len(r.Flying) - before; got != told {
			t.Errorf("to who answers the poll %s it says %d things", target, got)
		}
		if told == 0 {
			continue
		}
		w, ok := r.Flying[before].Out.Act.(protocol.Whisper)
		if !ok || w.User != ann || !strings.Contains(w.Text.Plain(), "a poll of mine") || !strings.Contains(w.Text.Plain(), "not verified") {
			t.Errorf("they are told %+v", r.Flying[before].Out.Act)
		}
	}
}
