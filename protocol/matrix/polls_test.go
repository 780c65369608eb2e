package matrix_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/protocol"
)

var lunch = protocol.StartPoll{
	Question: "Lunch?", Options: []protocol.Option{{Label: "Soup", Value: "3-x-1"}, {Label: "Bread", Value: "3-x-2"}},
	Most: 2, Disclosed: true,
}

// TestAPollStandsOnceAndEndsOnce: as programs read it, in a thread and outside, also when it is sent once more after a restart.
func TestAPollStandsOnceAndEndsOnce(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	root := h.Server.Say(h.town, h.ann, "a thread")
	at := func(kind string) (found []map[string]any) {
		for _, ev := range h.Timeline(h.town) {
			if ev.Type == kind && ev.Sender == h.bot {
				found = append(found, ev.Content)
			}
		}
		return found
	}
	start := protocol.Outgoing{Key: protocol.DeriveKey(t.Name(), "1"), Room: h.Room(), Place: protocol.PlaceID(root), Act: lunch}
	began := time.Now()
	ref, err := a.Send(t.Context(), start, protocol.Attempt{N: 1})
	if err != nil || ref.Event == "" {
		t.Fatalf("it stands at %v, %v", ref, err)
	}
	end := protocol.Outgoing{Key: protocol.DeriveKey(t.Name(), "2"), Room: h.Room(),
		Act: protocol.EndPoll{Original: start.Key, Text: protocol.Join("Most votes: ", protocol.Strong("Soup"))}}
	ended, err := a.Send(t.Context(), end, protocol.Attempt{N: 1, Original: ref})
	if err != nil {
		t.Fatal(err)
	}
	rec.stop()
	h.ForgetTransactions()
	a = h.Adapter()
	rec = newRecorder(t, a)
	for what, out := range map[protocol.Ref]protocol.Outgoing{ref: start, ended: end} {
		again, err := a.Send(t.Context(), out, protocol.Attempt{N: 2, Original: ref, First: began, Earlier: true})
		if err != nil || again != what {
			t.Errorf("sent once more after a restart it stands at %v, %v, and before at %v", again, err, what)
		}
	}
	polls, ends := at("org.matrix.msc3381.poll.start"), at("org.matrix.msc3381.poll.end")
	want := `{"m.mentions":{},"m.relates_to":{"event_id":"` + root + `","is_falling_back":true,"m.in_reply_to":{"event_id":"` + root + `"},"rel_type":"m.thread"},"org.matrix.msc1767.text":"Lunch?\n• Soup\n• Bread","org.matrix.msc3381.poll.start":{"answers":[{"id":"3-x-1","org.matrix.msc1767.text":"Soup"},{"id":"3-x-2","org.matrix.msc1767.text":"Bread"}],"kind":"org.matrix.msc3381.poll.disclosed","max_selections":2,"question":{"org.matrix.msc1767.text":"Lunch?"}},"org.moot.key":"` + string(start.Key) + `"}`
	if len(polls) != 1 || encode(polls[0]) != want {
		t.Errorf("%d polls stand, the first as\n%s\nand not as\n%s", len(polls), encode(polls[0]), want)
	}
	want = `{"m.mentions":{},"m.relates_to":{"event_id":"` + string(ref.Event) + `","rel_type":"m.reference"},"org.matrix.msc1767.text":"Most votes: Soup","org.matrix.msc3381.poll.end":{},"org.moot.key":"` + string(end.Key) + `"}`
	if len(ends) != 1 || encode(ends[0]) != want {
		t.Errorf("%d ends stand, the first as\n%s\nand not as\n%s", len(ends), encode(ends[0]), want)
	}

	// What cannot be a poll is refused for good.
	var se *protocol.SendError
	many := lunch
	many.Options = nil
	for i := range protocol.MaxPollOptions + 1 {
		many.Options = append(many.Options, protocol.Option{Label: "o", Value: strings.Repeat("v", i+1)})
	}
	_, err = a.Send(t.Context(), protocol.Outgoing{Key: protocol.DeriveKey(t.Name(), "3"), Room: h.Room(), Act: many}, protocol.Attempt{N: 1})
	if !errors.As(err, &se) || !se.Final || !errors.Is(err, protocol.ErrPoll) {
		t.Errorf("a poll of 21 options gave %v", err)
	}
	_, err = a.Send(t.Context(), protocol.Outgoing{Key: protocol.DeriveKey(t.Name(), "4"), Room: h.Room(), Act: protocol.EndPoll{}}, protocol.Attempt{N: 1})
	if !errors.As(err, &se) || !se.Final || !errors.Is(err, protocol.ErrGone) {
		t.Errorf("the end of no poll gave %v", err)
	}
	rec.stop()
}

// TestAPollInAnEncryptedRoom is sealed, and so are its end and what people choose, who are vouched for as for any message.
func TestAPollInAnEncryptedRoom(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	e := &toy{}
	w.encrypt(e)
	vault := w.Create(w.ann, "Vault", encrypted)
	w.enter(vault)
	w.start()
	w.Send(vault, w.ann, "m.room.encrypted", sealed("s1", "poll"))
	w.eventually(func() bool { return len(w.sealedKinds(vault)) == 1 })
	if got := w.sealedKinds(vault); !slices.Equal(got, []string{"org.matrix.msc3381.poll.start"}) {
		t.Errorf("the bot has sealed %q", got)
	}
	for _, ev := range w.Timeline(vault) {
		if strings.Contains(ev.Type, "poll") {
			t.Errorf("in clear in an encrypted room: %s", ev.Type)
		}
	}
	response := sealedEvent("s1", "org.matrix.msc3381.poll.response", map[string]any{
		"m.relates_to":                     map[string]any{"rel_type": "m.reference", "event_id": "$p"},
		"org.matrix.msc3381.poll.response": map[string]any{"answers": []string{"1"}},
	})
	sent := w.Send(vault, w.ann, "m.room.encrypted", response)
	clear := w.Send(vault, w.ann, "org.matrix.msc3381.poll.response", map[string]any{
		"m.relates_to":                     map[string]any{"rel_type": "m.reference", "event_id": "$p"},
		"org.matrix.msc3381.poll.response": map[string]any{"answers": []string{"1"}},
	})
	w.settle()
	if seen := w.disposition(vault, clear); seen.Reason != "in clear in an encrypted room" {
		t.Errorf("a response in clear is %s: %s", seen.Disposition, seen.Reason)
	}
	got := map[protocol.EventID]protocol.Event{}
	for _, ev := range w.feature.events(vault) {
		got[ev.ID] = ev
	}
	if r, is := got[protocol.EventID(sent)].Body.(protocol.PollResponse); !is || got[protocol.EventID(sent)].Trust != protocol.TrustSigned || r.Target != "$p" {
		t.Errorf("the sealed response was shown as %+v", got[protocol.EventID(sent)])
	}
	if _, shown := got[protocol.EventID(clear)]; shown {
		t.Error("the response in clear was shown to features")
	}
}
