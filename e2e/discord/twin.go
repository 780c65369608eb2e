// Package discord lets the whole bot, as it is shipped, answer interactions at a Discord that others have written:
// discord-digital-twin, an experimental double that knows the life cycle of interactions and refuses what Discord refuses
// (10062, 40060). It is a witness of what moot's own double, protocol/discord/discordtest, might have wrong.
//
// The twin has no RESUME, no private conversations and no moderation; those are tested against moot's own.
package discord

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"moot/e2e/homeserver"
)

// Twin is the double, running in a process of Node.js.
type Twin struct {
	API, Token, Guild, Channel string
	Port                       int
	Users                      map[string]string // name → id

	t  testing.TB
	in io.Writer

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply
}

type reply struct {
	ID     int
	Result json.RawMessage
	Error  string
}

// Interaction is one that somebody has begun.
type Interaction struct{ ID, Token string }

// Answer is the first answer to an interaction.
type Answer struct {
	Type    int
	Message string // id, where there is one
	Data    struct {
		Content    string
		Flags      int
		Title      string
		CustomID   string `json:"custom_id"`
		Choices    []struct{ Name, Value string }
		Components []Component
	}
}

// Message is a message as the twin has it.
type Message struct {
	ID, Content string
	Flags       int
	Components  []Component
}

// Component is a row, or what is in one.
type Component struct {
	Type       int
	Label      string
	CustomID   string `json:"custom_id"`
	Options    []struct{ Label, Value string }
	Components []Component
	Component  *Component
}

// All returns the component and all within it.
func All(list []Component) (out []Component) {
	for _, c := range list {
		out = append(out, c)
		out = append(out, All(c.Components)...)
		if c.Component != nil {
			out = append(out, All([]Component{*c.Component})...)
		}
	}
	return out
}

// New starts a twin with a guild, a channel, and the people Ann, Ben, Cem, Dan and Eve. It ends with the test.
func New(t testing.TB) *Twin {
	t.Helper()
	_, e2e, err := homeserver.Root()
	if err != nil {
		t.Fatal(err)
	}
	install := exec.Command(filepath.Join(e2e, "js", "install"), filepath.Join(e2e, "discord", "js"))
	var errs bytes.Buffer
	install.Stderr = &errs
	folder, err := install.Output()
	if err != nil {
		t.Fatalf("install the library of the witness: %v\n%s", err, errs.String())
	}
	cmd := exec.Command("node", filepath.Join(e2e, "discord", "js", "twin.mjs"), strings.TrimSpace(string(folder)))
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	homeserver.DieWithParent(cmd)
	if err := homeserver.StartProcess(cmd); err != nil {
		t.Fatalf("start Node.js, which the witness needs: %v", err)
	}
	w := &Twin{t: t, in: in, waiting: map[int]chan reply{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		w.read(out)
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-read
		if err := cmd.Wait(); err != nil && t.Failed() {
			t.Logf("the twin: %v\n%s", err, said.String())
		}
	})
	w.do("start", nil, w)
	return w
}

func (w *Twin) read(out io.Reader) {
	scan := bufio.NewScanner(out)
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		var r reply
		if err := json.Unmarshal(scan.Bytes(), &r); err != nil {
			r.Error = fmt.Sprintf("%v in %s", err, scan.Text())
		}
		w.mu.Lock()
		if c := w.waiting[r.ID]; c != nil {
			c <- r
			delete(w.waiting, r.ID)
		}
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, c := range w.waiting {
		c <- reply{ID: id, Error: "the twin has ended"}
		delete(w.waiting, id)
	}
}

// do has the twin do something, and fails the test where it cannot.
func (w *Twin) do(act string, with map[string]any, into any) {
	w.t.Helper()
	c := make(chan reply, 1)
	w.mu.Lock()
	w.next++
	id := w.next
	w.waiting[id] = c
	line, err := json.Marshal(map[string]any{"id": id, "do": act, "with": with})
	if err == nil {
		_, err = w.in.Write(append(line, '\n'))
	}
	w.mu.Unlock()
	if err != nil {
		w.t.Fatal(err)
	}
	r := <-c
	if r.Error != "" {
		w.t.Fatalf("%s %v: %s", act, with, r.Error)
	}
	if into != nil {
		if err := json.Unmarshal(r.Result, into); err != nil {
			w.t.Fatalf("%s: %v in %s", act, err, r.Result)
		}
	}
}

// Commands waits until the bot has registered its commands, and returns their names.
func (w *Twin) Commands() (names []string) { w.do("commands", nil, &names); return names }

// interact begins an interaction and waits for its first answer.
func (w *Twin) interact(act string, with map[string]any) (Interaction, Answer) {
	w.t.Helper()
	var i Interaction
	w.do(act, with, &i)
	var a Answer
	w.do("answer", map[string]any{"id": i.ID}, &a)
	return i, a
}

// Saying waits for a message with the text.
func (w *Twin) Saying(text string) (m Message) {
	w.t.Helper()
	w.do("message", map[string]any{"text": text}, &m)
	return m
}

// FollowUps waits until an interaction is followed up by a further answer, and returns those.
func (w *Twin) FollowUps(i Interaction) (list []Message) {
	w.t.Helper()
	w.do("followUps", map[string]any{"id": i.ID}, &list)
	return list
}
