package page

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/services"
	"moot/store"
)

// TestOutboxOfServices: why an attempt with a task failed is what the task has written, which may be of a private conversation: the
// outbox names the service, and the jobs show the rest.
func TestOutboxOfServices(t *testing.T) {
	b := newBench(t)
	const room protocol.RoomID = "service.dice:console:heron"
	err := b.store.Commit(time.Now(), func(c *store.Commit) error {
		return c.Run(protocol.Scope(room), protocol.Ref{}, func(tx *store.Tx) error {
			_, err := outbox.Ask(tx, protocol.Ask{Key: "k", Room: room, Expires: outbox.Never, Want: protocol.AskTask{Task: "roll", Input: []byte("{}")}})
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.store.Commit(time.Now(), func(c *store.Commit) error {
		q, ok := c.Queued("k")
		if !ok {
			t.Fatal("it does not wait")
		}
		c.Postpone(c.Begin(q), time.Now().Add(time.Hour), "it failed: pelican")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	text := b.request("GET", "/outbox", nil, "Cookie", b.enter()).Body.String()
	if !strings.Contains(text, "the service dice") || strings.Contains(text, "pelican") || strings.Contains(text, "heron") {
		t.Errorf("it shows\n%s", text)
	}
}

// TestJobs: what a job is is shown, unless it came from a private conversation, or from where nobody knows; and it can be tried
// again, or dropped.
func TestJobs(t *testing.T) {
	b := newBench(t)
	b.jobs = []services.JobLine{
		{Job: "k1", Service: "dice", State: services.Failed, From: "webhook", Fault: "no <dice>", Input: `{"data":"heron"}`, Tries: 5},
		{Job: "k2", Service: "dice", State: services.Ambiguous, From: "console:ann", Room: "console:ann", Private: true, Fault: "pelican", Input: "pelican", Scope: "service.dice:console:pelican"},
		{Job: "k3", Service: "dice", State: services.Running, From: "console:pelican", Room: "console:pelican", Input: "pelican"},
	}
	cookie := b.enter()
	w := b.request("GET", "/jobs?state=failed", nil, "Cookie", cookie)
	text := w.Body.String()
	for _, want := range []string{"Job k1", "Job k2", "Job k3", "no &lt;dice&gt;", "heron", "tried 5 times", "From webhook", "There are more", `aria-current="true">failed`} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not show %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "pelican") || strings.Contains(text, "console:ann") {
		t.Errorf("it shows something of a private conversation:\n%s", text)
	}
	if n := strings.Count(text, "Try again"); n != 2 { // what runs cannot be
		t.Errorf("%d can be tried again", n)
	}
	if !slices.Equal(b.asked.States, []services.State{services.Failed}) {
		t.Errorf("it asked for %+v", b.asked)
	}
	if b.request("GET", "/jobs?state=burnt", nil, "Cookie", cookie); len(b.asked.States) > 0 {
		t.Errorf("it asked for %+v", b.asked)
	}
	for _, do := range []protocol.OrderKind{protocol.OrderRetry, protocol.OrderDrop} {
		if w := b.request("POST", "/jobs", url.Values{"job": {"k1"}, "do": {string(do)}}, "Cookie", cookie); w.Code != http.StatusSeeOther {
			t.Errorf("%s is %d", do, w.Code)
		}
	}
	if w := b.request("GET", "/jobs", nil, "Cookie", cookie); !strings.Contains(w.Body.String(), "Job k1 is seen to.") {
		t.Error("what was done is not said")
	}
	for job, want := range map[string]string{"gone": "no such job", "runs": "has not failed"} {
		if w := b.request("POST", "/jobs", url.Values{"job": {job}, "do": {"retry"}}, "Cookie", cookie); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), want) {
			t.Errorf("to retry one that is %s is %d: %s", job, w.Code, w.Body)
		}
	}
	for _, bad := range []url.Values{
		{"job": {"k1"}, "do": {"run"}}, {"job": {""}, "do": {"drop"}}, {"job": {strings.Repeat("k", 200)}, "do": {"drop"}}, {"do": {"drop"}},
	} {
		if w := b.request("POST", "/jobs", bad, "Cookie", cookie); w.Code != http.StatusBadRequest {
			t.Errorf("%v is %d", bad, w.Code)
		}
	}
	if w := b.request("POST", "/jobs", url.Values{"job": {"k1"}, "do": {"drop"}}); w.Code != http.StatusUnauthorized {
		t.Errorf("without a session it is %d", w.Code)
	}
	if !slices.Equal(b.ordered, []string{"retry k1", "drop k1"}) {
		t.Errorf("these were the orders: %q", b.ordered)
	}
	b.Jobs, b.Order = nil, nil
	if w := b.request("GET", "/jobs", nil, "Cookie", cookie); w.Code != 200 || !strings.Contains(w.Body.String(), "There is none.") {
		t.Errorf("without services it is %d", w.Code)
	}
}
