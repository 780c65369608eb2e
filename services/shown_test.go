package services_test

import (
	"encoding/json"
	"strings"
	"testing"

	"moot/internal/bot"
	"moot/protocol"
	"moot/services"
	"moot/store"
)

// What a dead letter has of a webhook is shown without what its service hides, and not at all where the service is gone; what is no
// event of a service is shown as it is.
func TestShownLetter(t *testing.T) {
	spec := services.Spec{Name: "news", To: []protocol.RoomID{hall}, Queue: 1, Redact: []string{"token"}}
	r := open(t, spec)
	r.Buried = true
	for _, id := range []protocol.EventID{"h1", "h2"} {
		ev := protocol.Event{Room: "service.news:webhook", ID: id, Private: true, Body: protocol.Collected{
			Kind: "webhook", Name: "push", Text: "with sesame", Data: []byte(`{"n":9007199254740993,"token":"sesame","log":["sesame!"]}`),
		}}
		r.Step(bot.Admitted{Batch: &bot.Batch{Network: "service.news", Events: []protocol.Event{ev}}})
	}
	shown := func() (text string) {
		r.View(func(tx *store.Tx) {
			data, err := json.Marshal(r.feature.Shown(tx, r.letter().Event))
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		})
		return text
	}
	if text := shown(); strings.Contains(text, "sesame") || strings.Count(text, "(hidden)") != 3 || !strings.Contains(text, "9007199254740993") {
		t.Errorf("it shows %s", text)
	}
	open := spec
	open.Redact = nil
	r.restart(0, open)
	if text := shown(); strings.Count(text, "sesame") != 3 {
		t.Errorf("where nothing is hidden it shows %s", text)
	}
	r.restart(0, services.Spec{Name: "other"})
	if text := shown(); strings.Contains(text, "sesame") || !strings.Contains(text, "(hidden)") {
		t.Errorf("of a service that is gone it shows %s", text)
	}
	said := r.Event(lobby, "console:ann", protocol.Message{Text: "sesame"})
	r.View(func(tx *store.Tx) {
		if m := r.feature.Shown(tx, said).Body.(protocol.Message); m.Text != "sesame" {
			t.Errorf("of a message it shows %+v", m)
		}
	})
}
