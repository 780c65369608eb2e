package activity

import (
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

const minute = time.Minute

func TestWhatCounts(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*protocol.Event)
		body   protocol.Body
		by     string // zero means that it does not count
	}{
		"message":        {body: protocol.Message{Text: "hi"}, by: byMessage},
		"reaction":       {body: protocol.ReactionAdded{Target: "$0", Reaction: "👍"}, by: byReaction},
		"response":       {body: protocol.PollResponse{Target: "$0", Answers: []string{"1"}}, by: byReaction},
		"command":        {body: protocol.Invocation{Path: []string{"ping"}}, by: byCommand},
		"message of bot": {body: protocol.Message{Text: "hi", Bot: true}},
		"reaction of bot": {
			body: protocol.ReactionAdded{Target: "$0", Reaction: "👍", Bot: true},
		},
		"command of bot":   {body: protocol.Invocation{Bot: true}},
		"known to be bot":  {change: func(e *protocol.Event) { e.Sender = robot }, body: protocol.Message{Text: "hi"}},
		"the bot itself":   {change: func(e *protocol.Event) { e.Sender = self }, body: protocol.Message{Text: "hi"}},
		"secret press":     {body: protocol.Invocation{Path: []string{"vote", "cast"}}},
		"nobody":           {change: func(e *protocol.Event) { e.Sender = "" }, body: protocol.Message{Text: "hi"}},
		"private":          {change: func(e *protocol.Event) { e.Private = true }, body: protocol.Message{Text: "hi"}},
		"private command":  {change: func(e *protocol.Event) { e.Private = true }, body: protocol.Invocation{}},
		"history":          {change: func(e *protocol.Event) { e.History = true }, body: protocol.Message{Text: "hi"}},
		"edit":             {body: protocol.Edit{Target: "$0", Text: "ho"}},
		"deletion":         {body: protocol.Deletion{Target: "$0"}},
		"reaction undone":  {body: protocol.ReactionRemoved{Target: "$0", Reaction: "👍"}},
		"reactions read":   {body: protocol.ReactionSet{Target: "$0", Reactions: []protocol.Reaction{{User: ann, Reaction: "👍"}}}},
		"membership":       {body: protocol.MemberChange{User: ann, Membership: protocol.Joined, Name: "Ann"}},
		"a room unknown":   {change: func(e *protocol.Event) { e.Room = "console:elsewhere" }, body: protocol.Message{Text: "hi"}},
		"not in a call":    {body: protocol.VoicePresence{}},
		"in a private one": {change: func(e *protocol.Event) { e.Private = true }, body: protocol.VoicePresence{Call: "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ev := r.Event(lobby, ann, tc.body)
			if tc.change != nil {
				tc.change(&ev)
			}
			seen := r.Admit(ev)
			facts := r.facts()
			if tc.by == "" {
				if len(facts) > 0 || r.rows(moments, presences) > 0 {
					t.Errorf("counted: %v", facts)
				}
				return
			}
			if len(facts) != 1 || facts[0] != (fact{lobby, ann, seen.Time, tc.by}) {
				t.Errorf("facts are %v", facts)
			}
			want := store.Handled
			if _, is := tc.body.(protocol.PollResponse); is {
				want = store.Ignored // votes say what it is
			}
			if seen.Disposition != want {
				t.Errorf("the event is %s, %s", seen.Disposition, seen.Reason)
			}
		})
	}
}

func TestOneFactInTenMinutes(t *testing.T) {
	r := newRig(t, garden)
	r.says(ann)
	r.Later(10*minute - time.Second)
	if s := r.says(ann); s.Disposition != store.Ignored || s.Reason != already {
		t.Errorf("the second is %s, %s", s.Disposition, s.Reason)
	}
	r.expect(1, ann)
	r.says(bob)
	r.expect(1, bob)
	r.does(garden, ann, protocol.Message{Text: "hi"})
	r.expect(2, ann)
	r.Down(0)
	r.says(ann)
	r.expect(2, ann)
	r.Later(2 * time.Second)
	r.says(ann)
	r.expect(3, ann)
}

func TestTheIntervalCanBeSet(t *testing.T) {
	r := newRig(t)
	r.config.Interval = time.Hour
	r.Down(0)
	for range 12 {
		r.says(ann)
		r.Later(10 * minute)
	}
	r.expect(2, ann)
	for _, c := range []Config{{Bus: nil}, {Bus: r.Bus, Interval: -1}, {Bus: r.Bus, Call: -1}, {Bus: r.Bus, Window: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("New takes %+v", c)
		}
	}
}

// A live event counts for now, whatever time the sender says.
func TestLiveEventsCountForNow(t *testing.T) {
	r := newRig(t)
	r.Later(5 * dayLength)
	for _, away := range []time.Duration{-3 * dayLength, -dayLength, dayLength} {
		ev := r.Event(lobby, ann, protocol.Message{Text: "hi"})
		ev.Time = r.Now.Add(away)
		r.Admit(ev)
		r.Later(15 * minute)
	}
	r.expect(3, ann)
	if n := r.days(lobby, ann); n != 1 {
		t.Errorf("active on %d days", n)
	}
}

func TestBacklogCountsForItsDay(t *testing.T) {
	r := newRig(t)
	r.Later(dayLength)
	start := r.Now
	r.says(bob)
	r.Down(4 * dayLength)
	day := func(n int) time.Time { return start.Add(time.Duration(n) * dayLength).Add(time.Hour) }
	r.Admit(
		r.caught(ann, day(0), protocol.Message{Text: "a"}),
		r.caught(ann, day(0).Add(9*minute), protocol.Message{Text: "too near"}),
		r.caught(ann, day(2), protocol.ReactionAdded{Target: "$1", Reaction: "x"}),
		r.caught(ann, day(2).Add(-9*minute), protocol.Message{Text: "too near, and earlier"}),
		r.caught(ann, day(1), protocol.Message{Text: "out of order"}),
	)
	r.expect(3, ann)
	if n, last := r.days(lobby, ann), r.last(lobby, ann); n != 3 || !last.Equal(day(2)) {
		t.Errorf("active on %d days, last at %s", n, last)
	}
	// What is new meanwhile does not end the catching up.
	r.says(cem)
	r.Admit(r.caught(ann, day(3), protocol.Message{Text: "a"}))
	if n := r.days(lobby, ann); n != 4 {
		t.Errorf("active on %d days", n)
	}
	if err := r.Bus.Verify(t.Context(), t.TempDir()); err != nil {
		t.Error(err)
	}
}

// Times that cannot be true gain nothing but now; what is too old gains nothing.
func TestBacklogIsNotBelievedBlindly(t *testing.T) {
	for name, tc := range map[string]struct {
		at    func(r *rig) time.Time
		by    protocol.UserID
		none  bool
		asNow bool
	}{
		"plausible":              {at: func(r *rig) time.Time { return r.Now.Add(-dayLength) }},
		"in the future":          {at: func(r *rig) time.Time { return r.Now.Add(time.Hour) }, asNow: true},
		"unknown":                {at: func(*rig) time.Time { return time.Time{} }, asNow: true},
		"before all that counts": {at: func(r *rig) time.Time { return firstDay(r.Now, DefaultWindow).start().Add(-1) }, none: true},
		"when the bot listened":  {at: func(r *rig) time.Time { return r.Now.Add(-4 * dayLength) }, asNow: true},
		"before they were there": {at: func(r *rig) time.Time { return r.Now.Add(-dayLength) }, by: "console:new", asNow: true},
		"before the bot was":     {at: func(r *rig) time.Time { return r.info(lobby).JoinedAt.Add(-1) }, asNow: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if name != "before the bot was" {
				r.Later(20 * dayLength)
				r.says(bob)
			}
			r.Down(2 * dayLength)
			by := ann
			if tc.by != "" {
				by = tc.by
				r.does(lobby, by, protocol.MemberChange{User: by, Membership: protocol.Joined})
			}
			at := tc.at(r)
			seen := r.Admit(r.caught(by, at, protocol.Message{Text: "hi"}))
			want := fact{lobby, by, at, byMessage}
			if tc.asNow {
				want.at = seen.Time
			}
			var got []fact
			for _, f := range r.facts() {
				if f.user == by {
					got = append(got, f)
				}
			}
			switch {
			case tc.none && (len(got) > 0 || seen.Reason != ofOld):
				t.Errorf("facts are %v, the event is %s, %s", got, seen.Disposition, seen.Reason)
			case !tc.none && (len(got) != 1 || got[0] != want):
				t.Errorf("facts are %v, want %v", got, want)
			}
		})
	}
}

// A short pause of a bot in a room with some life opens no days on which it listened.
func TestAShortPauseOpensNoDays(t *testing.T) {
	r := newRig(t)
	for range 9 * 6 {
		r.says(bob)
		r.Later(4 * time.Hour)
	}
	r.says(bob)
	r.Down(minute)
	for n := range 9 {
		r.Admit(r.caught(ann, r.Now.Add(-time.Duration(n)*dayLength), protocol.Message{Text: "I was there, I swear"}))
	}
	if n := r.days(lobby, ann); n != 1 {
		t.Errorf("active on %d days", n)
	}
	r.says(bob)
	for n := range 9 {
		r.Admit(r.caught(cem, r.Now.Add(-time.Duration(n)*dayLength), protocol.Message{Text: "I was there, I swear"}))
	}
	if n := r.days(lobby, cem); n != 1 {
		t.Errorf("active on %d days", n)
	}
}
