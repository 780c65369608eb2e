package matrix_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/matrix/matrixtest"
	"moot/store"
)

// What goes wrong on the way to the server and back.

// directly runs an adapter without the loop, for what its Send and Ask return.
func directly(t *testing.T) (*harness, protocol.Adapter, *recorder) {
	h := newHarness(t)
	a := h.Adapter()
	rec := newRecorder(t, a)
	h.Ready()
	return h, a, rec
}

func say(h *harness, key, text string) protocol.Outgoing {
	return protocol.Outgoing{Key: protocol.DeriveKey(h.Name(), key), Room: h.Room(), Act: protocol.Say{Text: protocol.Plain(text)}}
}

func TestAServerThatAsksToWait(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	for name, tc := range map[string]struct {
		fault matrixtest.Fault
		want  time.Duration
	}{
		"in the body":   {matrixtest.TooMany("1500"), 1500 * time.Millisecond},
		"in the header": {matrixtest.TooManyByHeader("7"), 7 * time.Second},
		"for ever":      {matrixtest.TooManyByHeader("999999999"), time.Hour},
		"not saying":    {matrixtest.Refusal(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED"), 0},
		"by a proxy":    {matrixtest.Fault{Status: http.StatusTooManyRequests, Body: "<html>slow down</html>"}, 0},
	} {
		h.Break("PUT /_matrix/client/v3/rooms", 1, tc.fault)
		_, err := a.Send(t.Context(), say(h, name, name), protocol.Attempt{N: 1})
		var se *protocol.SendError
		if !errors.As(err, &se) || se.Final || se.Ambiguous || se.RetryAfter != tc.want {
			t.Errorf("%s: the error is %v, and %s was wanted", name, err, tc.want)
		}
		if n := len(h.Requests()); n == 0 {
			t.Fatal("nothing was asked")
		}
		if _, err := a.Send(t.Context(), say(h, name, name), protocol.Attempt{N: 2}); err != nil {
			t.Errorf("%s: the second time it fails too: %v", name, err)
		}
	}
	rec.stop()
}

// The own echo tells what an earlier life has sent, also where the server has forgotten the transaction.
func TestWhatAnEarlierLifeHasSentIsNotSentAgain(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	out := say(h, "1", "only once")
	began := time.Now()
	h.Break("/send/", 1, matrixtest.Fault{Late: true})
	if _, err := a.Send(t.Context(), out, protocol.Attempt{N: 1}); err == nil {
		t.Fatal("a lost answer is no error")
	}
	rec.stop()
	h.ForgetTransactions()
	a = h.Adapter()
	again := newRecorder(t, a)
	ref, err := a.Send(t.Context(), out, protocol.Attempt{N: 2, First: began, Earlier: true})
	if err != nil {
		t.Fatal(err)
	}
	standing := h.Read(h.Room())
	if len(standing) != 1 || standing[0].ID != ref.Event {
		t.Errorf("it was sent as %v, and what stands is %+v", ref, standing)
	}
	again.stop()
}

// A server may still be at work on what the last life has sent when the next has caught up, and knows the transaction only
// afterwards (observed with Dendrite).
func TestWhatTheServerIsStillAtWorkOnIsNotSentAgain(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	out := say(h, "1", "only once")
	began := time.Now()
	release := make(chan struct{})
	h.Break("/send/", 1, matrixtest.Fault{Behind: release})
	if _, err := a.Send(t.Context(), out, protocol.Attempt{N: 1}); err == nil {
		t.Fatal("a lost answer is no error")
	}
	rec.stop()
	a = h.Adapter()
	again := newRecorder(t, a)
	sent := make(chan protocol.Ref, 1)
	go func() {
		ref, err := a.Send(t.Context(), out, protocol.Attempt{N: 2, First: began, Earlier: true})
		if err != nil {
			t.Error(err)
		}
		sent <- ref
	}()
	h.Ready()
	h.ForgetTransactions()
	hasty, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	if h.Asked("/send/", 2, hasty.Done()) {
		t.Error("it was sent again at once")
	}
	close(release)
	h.Carried()
	ref := <-sent
	standing := h.Read(h.Room())
	if len(standing) != 1 || standing[0].ID != ref.Event {
		t.Errorf("it was sent as %v, and what stands is %+v", ref, standing)
	}
	again.stop()
}

func TestErrorsOfSending(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	for name, tc := range map[string]struct {
		fault       matrixtest.Fault
		final, gone bool
	}{
		"too large":      {matrixtest.Refusal(http.StatusRequestEntityTooLarge, "M_TOO_LARGE"), true, false},
		"not allowed":    {matrixtest.Refusal(http.StatusForbidden, "M_FORBIDDEN"), true, false},
		"bad":            {matrixtest.Refusal(http.StatusBadRequest, "M_BAD_JSON"), true, false},
		"a full server":  {matrixtest.Refusal(http.StatusForbidden, "M_RESOURCE_LIMIT_EXCEEDED"), false, false},
		"not there once": {matrixtest.Refusal(http.StatusNotFound, "M_NOT_FOUND"), false, true},
		"server error":   {matrixtest.Refusal(http.StatusInternalServerError, "M_UNKNOWN"), false, false},
		"bad gateway":    {matrixtest.Fault{Status: http.StatusBadGateway, Body: "bad gateway"}, false, false},
		"proxy page":     {matrixtest.Fault{Status: http.StatusForbidden, Body: "<html>no</html>"}, false, false},
		"cut":            {matrixtest.Fault{Cut: true}, false, false},
		"cut afterwards": {matrixtest.Fault{Late: true}, false, false},
		"garbled":        {matrixtest.Fault{Garble: true}, false, false},
		"not JSON":       {matrixtest.Fault{Status: http.StatusOK, Body: "welcome to the hotel network"}, false, false},
	} {
		h.Break("/send/", 1, tc.fault)
		_, err := a.Send(t.Context(), say(h, name, name), protocol.Attempt{N: 1})
		var se *protocol.SendError
		final := errors.As(err, &se) && se.Final
		if err == nil || final != tc.final || errors.Is(err, protocol.ErrGone) != tc.gone {
			t.Errorf("%s: the error is %v; final %v, gone %v", name, err, final, errors.Is(err, protocol.ErrGone))
		}
		if _, err := a.Send(t.Context(), say(h, name, name), protocol.Attempt{N: 2}); err != nil {
			t.Errorf("%s: the second time it fails too: %v", name, err)
		}
		standing := 0
		for _, s := range h.Read(h.Room()) {
			if s.Text == name {
				standing++
			}
		}
		if standing != 1 {
			t.Errorf("%s: it stands %d times", name, standing)
		}
	}
	h.Break("/send/", 1, matrixtest.Refusal(http.StatusNotFound, "M_NOT_FOUND"))
	_, err := a.Send(t.Context(), say(h, "not there", "not there"), protocol.Attempt{N: 2})
	if se := (*protocol.SendError)(nil); !errors.As(err, &se) || !se.Final {
		t.Errorf("what is not there the second time either: %v", err)
	}
	rec.stop()
}

func TestAnOutageIsSeenThroughAndReportedOnce(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	w := newTown(t)
	w.start()
	w.Break("/sync", 4, matrixtest.Refusal(http.StatusServiceUnavailable, "M_UNKNOWN"))
	w.CloseClientConnections()
	w.Server.Say(w.town, w.ann, "ping 1")
	w.eventually(func() bool { return w.Faults() == 0 && len(w.answers(w.town)) == 1 })
	w.expect(w.town, "pong 1")
	for _, ev := range w.feature.events(w.town) {
		if m, ok := ev.Body.(protocol.Message); ok && m.Text == "ping 1" && !ev.Backlog {
			t.Errorf("what was said during the outage is not marked as missed")
		}
	}
	if lost, found := w.log.count("WARN the homeserver cannot be reached"), w.log.count("can be reached again"); lost != 1 || found != 1 {
		t.Errorf("the loss was reported %d times, the end of it %d times:\n%s", lost, found, w.log)
	}
	w.CloseClientConnections()
	w.Break("/sync", 1, matrixtest.Fault{Cut: true})
	w.eventually(func() bool { return w.log.count("WARN the homeserver cannot be reached") == 2 })
	if n := w.log.count("filter="); n != 0 {
		t.Errorf("the address of the sync stands %d times in the log:\n%s", n, w.log)
	}
}

func TestSyncsThatAreCutOffOrGarbled(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	for i, f := range []matrixtest.Fault{
		{Cut: true}, {Late: true}, {Garble: true}, {Status: http.StatusOK, Body: "{}"}, {Status: http.StatusOK, Body: "<html>"},
		{Status: http.StatusOK, Body: `{"next_batch":7,"rooms":[]}`}, matrixtest.TooMany("10"),
	} {
		w.Break("/sync", 1, f)
		w.CloseClientConnections()
		w.Server.Say(w.town, w.ann, fmt.Sprintf("ping %d", i))
		w.eventually(func() bool { return w.Faults() == 0 && len(w.answers(w.town)) == i+1 })
	}
	w.expect(w.town, "pong 0", "pong 1", "pong 2", "pong 3", "pong 4", "pong 5", "pong 6")
}

// A stop takes nothing new and lets what is being sent end well, also when news comes in that moment.
func TestNewsDuringAStopCutsNothingShort(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	release := make(chan struct{})
	w.Break("/send/", 1, matrixtest.Fault{Hold: release})
	w.Server.Say(w.town, w.ann, "ping 1")
	if !w.Asked("/send/", 1, w.ctx().Done()) {
		t.Fatal("nothing is sent")
	}
	syncs := w.Count("/sync")
	w.cancel()
	w.Server.Say(w.town, w.ann, "ping 2")
	// It was told of it and asks again: because it could not admit it, or, where the stop had not come that far yet, for more.
	if !w.Asked("/sync", syncs+1, w.ctx().Done()) {
		t.Error("it does not ask for more news")
	}
	close(release)
	w.stop()
	if got := w.answers(w.town); len(got) == 0 || !slices.Equal(got, []string{"pong 1", "pong 2"}[:min(len(got), 2)]) {
		t.Errorf("at the end of the stop the bot has said %q", got)
	}
	w.start()
	w.expect(w.town, "pong 1", "pong 2")
	if w.log.count("an attempt to send failed") != 0 {
		t.Errorf("an attempt failed:\n%s", w.log)
	}
}

// TestADeadLoginEndsTheRunWithOneSentence, whatever it is that the server refuses.
func TestADeadLoginEndsTheRunWithOneSentence(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*town){
		"while it waits for news": func(w *town) { w.Revoke(w.bot) },
		"while it sends": func(w *town) {
			w.Break("/send/", -1, matrixtest.Refusal(http.StatusUnauthorized, "M_UNKNOWN_TOKEN"))
			w.Server.Say(w.town, w.ann, "ping 1")
		},
		"because the account is closed": func(w *town) {
			w.Break("/sync", -1, matrixtest.Refusal(http.StatusForbidden, "M_USER_DEACTIVATED"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			const sentence = "the login is dead; make another one"
			w.fault = func(error) error { return errors.New(sentence) }
			w.start()
			kill(w)
			w.CloseClientConnections()
			select {
			case err := <-w.ended:
				w.cancel()
				w.cancel = nil
				if err == nil || err.Error() != sentence && !strings.HasSuffix(err.Error(), ": "+sentence) {
					t.Errorf("the bot ended with %v", err)
				}
			case <-time.After(w.Patience()):
				t.Fatalf("the bot goes on\n%s", w.log)
			}
		})
	}
}

// TestASingleRefusalOfTheLoginEndsNothing: the bot looks twice, and loses nothing.
func TestASingleRefusalOfTheLoginEndsNothing(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"/sync", "/send/"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.start()
			w.Break(where, 1, matrixtest.Fault{Status: http.StatusUnauthorized, Body: `{"errcode":"M_UNKNOWN_TOKEN","error":"told to","soft_logout":true}`})
			w.Server.Say(w.town, w.ann, "ping 1")
			w.expect(w.town, "pong 1")
			if w.Faults() != 0 || w.log.count("cannot be reached")+w.log.count("an attempt to send failed") != 0 {
				t.Errorf("%d refusals are left\n%s", w.Faults(), w.log)
			}
		})
	}
}

func TestAServerThatRefusesToTellAnythingEndsTheBot(t *testing.T) {
	t.Parallel()
	effort.Slow(t)
	w := newTown(t)
	w.Break("/sync", -1, matrixtest.Refusal(http.StatusForbidden, "M_FORBIDDEN"))
	w.begin()
	select {
	case err := <-w.ended:
		w.cancel()
		w.cancel = nil
		if err == nil || !strings.Contains(err.Error(), "refuses to tell the bot anything") {
			t.Errorf("the bot ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the bot goes on for ever")
	}
}

// TestAServerThatForgetsUpToWhereTheBotHasReadIsFollowed from the present on: the rooms are told that something may be lost, and
// who is there is read anew.
func TestAServerThatForgetsUpToWhereTheBotHasReadIsFollowed(t *testing.T) {
	t.Parallel()
	effort.Slow(t)
	w := newTown(t)
	w.start()
	w.Server.Say(w.town, w.ann, "ping 1")
	w.expect(w.town, "pong 1")
	w.stop()
	missed := w.Server.Say(w.town, w.ann, "ping 2")
	asked := w.Count("/members")
	w.Forget()
	w.begin()
	for until := time.Now().Add(time.Minute); w.log.count("goes on from now") == 0 && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	w.Ready()
	w.Server.Say(w.town, w.ann, "ping 3")
	w.expect(w.town, "pong 1", "pong 3")
	w.eventually(func() bool { return w.Count("/members") > asked })
	if d := w.disposition(w.town, missed); d.Disposition != store.Ignored || w.Count("/members") == asked {
		t.Errorf("what was said meanwhile is %s (%s), and the members were not read\n%s", d.Disposition, d.Reason, w.log)
	}
	gaps := 0
	for _, ev := range w.feature.events(w.town) {
		if _, ok := ev.Body.(protocol.Gap); ok {
			gaps++
		}
	}
	if gaps != 1 {
		t.Errorf("the room was told of %d gaps", gaps)
	}
}

func TestAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.stop()
	w.bot = w.ben
	w.begin()
	if err := <-w.ended; err == nil || !strings.Contains(err.Error(), "the data folder belongs to the account @moot:fake.test, and this one is @ben:fake.test") {
		t.Errorf("the bot ended with %v", err)
	}
	w.cancel = nil
}

// Nobody's event ends the bot or holds the others up, and each has a disposition.
func TestHostileEvents(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	event := func(fields string) string { return `{"origin_server_ts":1,` + fields + `}` }
	good := `"sender":"@ann:fake.test","type":"m.room.message"`
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	deepList := strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000)
	big := strings.Repeat("!moot ping ", 100_000)
	cases := []struct {
		name, id, raw string
		want          store.Disposition
	}{
		{"deep object", "$deep", event(`"event_id":"$deep",` + good + `,"content":` + deep), store.Refused},
		{"deep list in content", "$deep2", event(`"event_id":"$deep2",` + good + `,"content":{"msgtype":"m.text","body":"x","evil":` + deepList + `}`), store.Ignored},
		{"a megabyte", "$big", event(`"event_id":"$big",` + good + `,"content":{"msgtype":"m.text","body":"` + big + `"}`), store.Ignored},
		{"a megabyte of HTML", "$html", event(`"event_id":"$html",` + good + `,"content":{"msgtype":"m.text","body":"x","format":"org.matrix.custom.html","formatted_body":"` + strings.Repeat("<div>", 200_000) + `"}`), store.Ignored},
		{"no content", "$none", event(`"event_id":"$none",` + good), store.Refused},
		{"content of another type", "$list", event(`"event_id":"$list",` + good + `,"content":[1,2]`), store.Refused},
		{"body of another type", "$body", event(`"event_id":"$body",` + good + `,"content":{"msgtype":"m.text","body":{"a":1}}`), store.Ignored},
		{"kind of another type", "$kind", event(`"event_id":"$kind",` + good + `,"content":{"msgtype":7,"body":"x"}`), store.Refused},
		{"sender of another type", "$sender", event(`"event_id":"$sender","sender":7,"type":"m.room.message","content":{"msgtype":"m.text","body":"ping 9"}`), store.Refused},
		{"sender with a control character", "$sender2", event(`"event_id":"$sender2","sender":"@a\u001f:b","type":"m.room.message","content":{"msgtype":"m.text","body":"ping 9"}`), store.Refused},
		{"type of another type", "$type", event(`"event_id":"$type","sender":"@ann:fake.test","type":{},"content":{}`), store.Refused},
		{"unknown type", "$unknown", event(`"event_id":"$unknown","sender":"@ann:fake.test","type":"org.example.news","content":{}`), store.Ignored},
		{"id with a separator", "$a\x1fb", event(`"event_id":"$a\u001fb",` + good + `,"content":{"msgtype":"m.text","body":"ping 9"}`), store.Refused},
		{"id that is too long", "$" + strings.Repeat("x", 512), event(`"event_id":"$` + strings.Repeat("x", 2000) + `",` + good + `,"content":{"msgtype":"m.text","body":"ping 9"}`), store.Refused},
		{"no id", "", event(good + `,"content":{"msgtype":"m.text","body":"ping 9"}`), store.Refused},
		{"reaction to nothing", "$react", event(`"event_id":"$react","sender":"@ann:fake.test","type":"m.reaction","content":{"m.relates_to":5}`), store.Refused},
		{"edit of nothing", "$edit", event(`"event_id":"$edit",` + good + `,"content":{"msgtype":"m.text","body":"x","m.relates_to":{"rel_type":"m.replace"}}`), store.Refused},
		{"redaction of nothing", "$redact", event(`"event_id":"$redact","sender":"@ann:fake.test","type":"m.room.redaction","content":{}`), store.Refused},
		{"membership that there is not", "$member", event(`"event_id":"$member","sender":"@ann:fake.test","type":"m.room.member","state_key":"@ann:fake.test","content":{"membership":"lurk"}`), store.Refused},
		{"member who is nobody", "$nobody", event(`"event_id":"$nobody","sender":"@ann:fake.test","type":"m.room.member","state_key":"","content":{"membership":"leave"}`), store.Refused},
		{"powers of another type", "$powers", event(`"event_id":"$powers","sender":"@ann:fake.test","type":"m.room.power_levels","state_key":"","content":{"users":[],"kick":"many"}`), store.Handled},
		{"successor that is no room", "$tomb", event(`"event_id":"$tomb","sender":"@ann:fake.test","type":"m.room.tombstone","state_key":"","content":{"replacement_room":"nowhere"}`), store.Refused},
		{"sealed, and no key is there for anything", "$sealed", event(`"event_id":"$sealed","sender":"@ann:fake.test","type":"m.room.encrypted","content":{"algorithm":"rot13"}`), store.Refused},
		{"number out of range", "$time", `{"origin_server_ts":1e400,"event_id":"$time",` + good + `,"content":{"msgtype":"m.text","body":"x"}}`, store.Ignored},
		{"no event at all", "", `7`, store.Refused},
		{"from the future", "$future", `{"origin_server_ts":253402300700000,"event_id":"$future",` + good + `,"content":{"msgtype":"m.text","body":"ping 9"}}`, store.Handled},
	}
	for i, tc := range cases {
		w.Inject(w.town, tc.raw)
		w.Server.Say(w.town, w.ben, fmt.Sprintf("ping %d", i))
	}
	w.settle()
	var want []string
	for i, tc := range cases {
		if tc.id == "$future" {
			want = append(want, "pong 9") // it is a ping of its own
		}
		want = append(want, fmt.Sprintf("pong %d", i))
	}
	w.expect(w.town, want...)
	for _, tc := range cases {
		if d := w.disposition(w.town, tc.id); d.Disposition != tc.want {
			t.Errorf("%s: it is %s (%s), and %s was wanted", tc.name, d.Disposition, d.Reason, tc.want)
		}
	}
	// People can write as many of these as they like: but for what has no id that can be, which only a server makes up, the
	// log does not tell of it.
	if n := w.log.count("WARN an event was refused"); n > 4 {
		t.Errorf("%d warnings\n%s", n, w.log)
	}
}

// A server that writes a part of its answers wrong does not keep the bot from the rest of them.
func TestAPartOfAnAnswerThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	for i, part := range []string{`"account_data":[]`, `"to_device":"x"`, `"to_device":{"events":7}`, `"rooms":[]`, `"rooms":{"join":7,"invite":"x","leave":[]}`,
		`"device_lists":[],"device_one_time_keys_count":7,"device_unused_fallback_key_types":{}`, `"presence":7,"to_device":null,"rooms":null`} {
		w.Break("/sync", 1, matrixtest.Fault{Status: http.StatusOK, Body: `{"next_batch":"s0",` + part + `}`})
		w.Server.Say(w.town, w.ann, fmt.Sprint("ping ", i)) // what waits for news is answered, and the next answer is the broken one
		w.eventually(func() bool { return w.Faults() == 0 })
	}
	w.settle()
	w.expect(w.town, "pong 0", "pong 1", "pong 2", "pong 3", "pong 4", "pong 5", "pong 6")
	if n := w.log.count("a part of what the homeserver says cannot be read"); n != 5 {
		t.Errorf("%d lines tell of it\n%s", n, w.log)
	}
}

// A server that says something about one room that cannot be read does not keep the bot from the others.
func TestARoomThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	members := w.Count("/members")
	w.Break("/sync", 1, matrixtest.Fault{Status: http.StatusOK, Body: fmt.Sprintf(
		`{"next_batch":"s0","rooms":{"join":{%q:{"timeline":[]}},"invite":{"!other:fake.test":7}}}`, w.town)})
	w.Server.Say(w.town, w.ann, "ping 1") // what waits for news is answered, and the next answer is the broken one
	w.expect(w.town, "pong 1")
	w.eventually(func() bool { return w.Count("/members") > members })
	w.Server.Say(w.town, w.ann, "ping 2")
	w.expect(w.town, "pong 1", "pong 2")
	if n := w.log.count("cannot be read, and is left out"); n != 2 {
		t.Errorf("%d lines tell of it", n)
	}
	for _, room := range []string{w.town, "!other:fake.test"} {
		id := "unreadable-" + string(protocol.DeriveKey(room, "s0"))
		if d := w.disposition(room, id); d.Disposition != store.Refused {
			t.Errorf("of %s it is recorded as %s", room, d.Disposition)
		}
	}
	if info := w.info("!other:fake.test"); info.Own != "" {
		t.Errorf("the bot believes to be in a room of which it was told nothing: %+v", info)
	}
}
