package discord

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
)

func TestMessageEvents(t *testing.T) {
	const id = "1310000000000000000"
	at := timeOf(id)
	read := func(s string) message {
		var m message
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	in := protocol.Event{Room: "discord:5", Place: "6", ID: "6-" + id, Sender: "discord:7", Time: at}
	private := protocol.Event{Room: "discord:@6", Private: true, ID: "6-" + id, Sender: "discord:7", Time: at}
	with := func(ev protocol.Event, body protocol.Body) protocol.Event {
		ev.Body = body
		return ev
	}
	own := in
	own.Sender = "discord:9"
	for name, tt := range map[string]struct {
		json string
		want protocol.Event
	}{
		"in a guild":     {`{"guild_id":"5","content":"hi","author":{"id":"7"}}`, with(in, protocol.Message{Text: "hi"})},
		"in private":     {`{"content":"hi","author":{"id":"7"}}`, with(private, protocol.Message{Text: "hi"})},
		"a reply":        {`{"guild_id":"5","type":19,"author":{"id":"7"},"message_reference":{"message_id":"3","channel_id":"6"}}`, with(in, protocol.Message{ReplyTo: "6-3"})},
		"a forward":      {`{"guild_id":"5","author":{"id":"7"},"message_reference":{"type":1,"message_id":"3","channel_id":"6"}}`, with(in, protocol.Message{})},
		"a bot":          {`{"guild_id":"5","content":"hi","author":{"id":"7","bot":true}}`, with(in, protocol.Message{Text: "hi", Bot: true})},
		"a webhook":      {`{"guild_id":"5","content":"hi","webhook_id":"8","author":{"id":"7"}}`, with(in, protocol.Message{Text: "hi", Bot: true})},
		"a notice":       {`{"guild_id":"5","type":7,"author":{"id":"7"}}`, with(in, protocol.Message{Bot: true})},
		"another bot":    {`{"guild_id":"5","content":"<@4>: help","author":{"id":"7"}}`, with(in, protocol.Message{Text: "<@discord:4>: help"})},
		"wide marks":     {`{"guild_id":"5","content":"<@9>：\u3000help","author":{"id":"7"}}`, with(in, protocol.Message{Text: "help", Addressed: true})},
		"addressed":      {`{"guild_id":"5","content":"<@9> help","author":{"id":"7"}}`, with(in, protocol.Message{Text: "help", Addressed: true})},
		"our own":        {`{"guild_id":"5","content":"hi","author":{"id":"9","bot":true},"nonce":"abcdefghijklmnopqrstuvwx"}`, with(own, protocol.Receipt{Key: "abcdefghijklmnopqrstuvwx"})},
		"our own answer": {`{"guild_id":"5","content":"hi","author":{"id":"9","bot":true}}`, with(own, protocol.Message{Text: "hi", Bot: true})},
		"a later piece":  {`{"guild_id":"5","content":"hi","author":{"id":"9","bot":true},"nonce":"abcdefghijklmnopqrstuvwx1"}`, with(own, protocol.Message{Text: "hi", Bot: true})},
		"a forged nonce": {`{"guild_id":"5","content":"hi","author":{"id":"7"},"nonce":"abcdefghijklmnopqrstuvwx"}`, with(in, protocol.Message{Text: "hi"})},
		"a number":       {`{"guild_id":"5","content":"hi","author":{"id":"7"},"nonce":123}`, with(in, protocol.Message{Text: "hi"})},
	} {
		m := read(tt.json)
		m.ID, m.Channel = id, "6"
		got, ok := messageEvent(m, "9", false)
		if d := cmp.Diff(tt.want, got); d != "" || !ok {
			t.Errorf("%s: ok %v, %s", name, ok, d)
		}
		if err := got.Check(Network); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, m := range map[string]message{"no id": {Channel: "6"}, "no channel": {ID: id}, "a strange guild": {ID: id, Channel: "6", Guild: "x"}} {
		if ev, ok := messageEvent(m, "9", false); ok {
			t.Errorf("%s became %+v", name, ev)
		}
	}
}

func TestEditsAreKeyedByTheirTime(t *testing.T) {
	edit := func(at string) (protocol.Event, bool) {
		return editEvent(message{ID: "4", Channel: "6", Guild: "5", Content: "new", Author: &account{ID: "7"}, Edited: &at}, "9")
	}
	first, ok := edit("2026-11-25T10:00:00.123456+00:00")
	if !ok || first.Body != (protocol.Edit{Target: "6-4", Text: "new"}) {
		t.Fatalf("got %+v, %v", first, ok)
	}
	if again, _ := edit("2026-11-25T10:00:00.123456+00:00"); again.ID != first.ID {
		t.Error("the same edit has another id the second time")
	}
	if next, _ := edit("2026-11-25T10:00:00.123457+00:00"); next.ID == first.ID {
		t.Error("another edit has the same id")
	}
	for _, m := range []message{{ID: "4", Channel: "6", Guild: "5"}, {ID: "4", Channel: "6", Edited: new(string)}} {
		if ev, ok := editEvent(m, "9"); ok {
			t.Errorf("a preview of a link became %+v", ev)
		}
	}
}

func TestDeletions(t *testing.T) {
	got := deletionEvents(deletion{IDs: []string{"3", "x", "4"}, Channel: "6", Guild: "5"})
	if len(got) != 2 || got[0].Body != (protocol.Deletion{Target: "6-3"}) || got[1].ID != "deletion-6-4" || got[1].Room != "discord:5" {
		t.Errorf("got %+v", got)
	}
	if got := deletionEvents(deletion{ID: "3", Channel: "6"}); len(got) != 1 || !got[0].Private || got[0].Room != "discord:@6" {
		t.Errorf("got %+v", got)
	}
}

func TestSnowflakes(t *testing.T) {
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	below := snowflakeAt(at)
	if got := timeOf(below); !got.Equal(at.Add(-time.Millisecond)) {
		t.Errorf("%s is of %s", below, got)
	}
	// https://discord.com/developers/docs/reference#snowflakes
	if got := timeOf("175928847299117063"); !got.Equal(time.Date(2016, 4, 30, 11, 18, 25, 796000000, time.UTC)) {
		t.Errorf("the example of the documentation is of %s", got)
	}
	for s, want := range map[string]bool{"1": true, "18446744073709551615": true, "18446744073709551616": false, "0": false, "01": false, "+1": false, "-1": false, "": false, "1a": false} {
		if isSnowflake(s) != want {
			t.Errorf("%q is an id: %v", s, !want)
		}
	}
	if !newer("10", "9") || newer("9", "10") || newer("9", "9") || !newer("1", "") {
		t.Error("ids are not compared as numbers")
	}
	if got := snowflakeAt(time.Time{}); !isSnowflakeOrZero(got) {
		t.Errorf("before all time is %q", got)
	}
}

func isSnowflakeOrZero(s string) bool { return s == "0" || isSnowflake(s) }

func TestHandlesSurvive(t *testing.T) {
	for _, h := range []handle{
		{ID: "1", Token: "aW50ZXJhY3Rpb24", User: "2", Channel: "3", Guild: "4", Arrived: time.UnixMilli(1795608000123).UTC()},
		{ID: "1", Token: "t", User: "2", Channel: "3", Arrived: time.UnixMilli(0).UTC()},
		{ID: "1", Token: "t", User: "2", Channel: "3", Guild: "4", Arrived: time.UnixMilli(0).UTC(), Quiet: true},
	} {
		if got, ok := parseHandle(h.String()); !ok || got != h {
			t.Errorf("%+v came back as %+v, %v", h, got, ok)
		}
	}
	for _, s := range []string{"", "token", "1 1 2 4 3 x t", "3 1 2 4 3 5 t", "1 1 2 4 3 5 ", "1 a 2 4 3 5 t", "1 1 2 4 3 5 t u v"} {
		if h, ok := parseHandle(s); ok {
			t.Errorf("%q was read as %+v", s, h)
		}
	}
}

// TestFilledForms: what was typed is found in a row of inputs, as in forms of an earlier version that stood open, and in
// labels.
func TestFilledForms(t *testing.T) {
	for name, data := range map[string]string{
		"rows":   `[{"type":1,"components":[{"type":4,"custom_id":"a","value":"x"},{"type":4,"custom_id":"b","value":""}]}]`,
		"labels": `[{"type":18,"component":{"type":4,"custom_id":"a","value":"x"}},{"type":10},{"type":18,"component":{"type":4,"custom_id":"b","value":""}}]`,
	} {
		var list []filled
		if err := json.Unmarshal([]byte(data), &list); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range list {
			f.inputs(got, 4)
		}
		if d := cmp.Diff(map[string]string{"a": "x", "b": ""}, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
