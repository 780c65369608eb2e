// Package witness drives a Matrix client that shares no code with the bot: matrix-js-sdk with its Rust crypto, in a process
// of Node.js. It sees messages as the users of the common clients do.
package witness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/e2e/homeserver"
)

// patience is longer than that of the witness itself, which says what it waits for.
const patience = 2 * time.Minute

// Witness is such a client, logged in. Its methods are called one after another.
type Witness struct {
	Account homeserver.Account

	t     testing.TB
	in    io.Writer
	lines chan []byte
	next  int
}

// New starts a client for an account. It ends with the test.
func New(t testing.TB, s *homeserver.Server, account homeserver.Account) *Witness {
	t.Helper()
	_, e2e, err := homeserver.Root()
	if err != nil {
		t.Fatal(err)
	}
	install := exec.Command(filepath.Join(e2e, "js", "install"))
	var errs bytes.Buffer
	install.Stderr = &errs
	folder, err := install.Output()
	if err != nil {
		t.Fatalf("install the library of the witness: %v\n%s", err, errs.String())
	}
	cmd := exec.Command("node", filepath.Join(e2e, "js", "witness.mjs"), strings.TrimSpace(string(folder)))
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
	w := &Witness{Account: account, t: t, in: in, lines: make(chan []byte)}
	over := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(w.lines)
		scan := bufio.NewScanner(out)
		scan.Buffer(nil, 16<<20)
		for scan.Scan() {
			select {
			case w.lines <- bytes.Clone(scan.Bytes()):
			case <-over:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(over)
		_ = in.Close()
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait() // it was killed
		if t.Failed() && said.Len() > 0 {
			t.Logf("the witness said: %s", said.String())
		}
	})
	w.do("login", map[string]any{"homeserver": s.URL, "user": account.UserID, "token": account.Token, "device": account.DeviceID}, nil)
	return w
}

// do gives a command and reads its result.
func (w *Witness) do(name string, with any, result any) {
	w.t.Helper()
	w.next++
	line, err := json.Marshal(map[string]any{"id": w.next, "do": name, "with": with})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.in.Write(append(line, '\n')); err != nil {
		w.t.Fatalf("the witness is gone: %v", err)
	}
	select {
	case line, ok := <-w.lines:
		var answer struct {
			ID     int
			Error  string
			Result json.RawMessage
		}
		switch err := json.Unmarshal(line, &answer); {
		case !ok:
			w.t.Fatal("the witness is gone")
		case err != nil || answer.ID != w.next:
			w.t.Fatalf("the witness answers %q", line)
		case answer.Error != "":
			w.t.Fatalf("the witness: %s", answer.Error)
		}
		if result == nil {
			return
		}
		if err := json.Unmarshal(answer.Result, result); err != nil {
			w.t.Fatalf("the witness answers %q: %v", line, err)
		}
	case <-time.After(patience):
		w.t.Fatalf("the witness does not answer to %s", line)
	}
}

// Room says how a room is made.
type Room struct {
	Name      string `json:"name,omitempty"`
	Invite    string `json:"invite,omitempty"`
	Encrypted bool   `json:"encrypted,omitempty"`
	Direct    bool   `json:"direct,omitempty"`
}

// Create makes a room.
func (w *Witness) Create(r Room) (room string) {
	w.t.Helper()
	w.do("create", r, &room)
	return room
}

// Invite invites somebody.
func (w *Witness) Invite(room, user string) {
	w.t.Helper()
	w.do("invite", map[string]string{"room": room, "user": user}, nil)
}

// Await waits until somebody has a membership.
func (w *Witness) Await(room, user, membership string) {
	w.t.Helper()
	w.do("member", map[string]string{"room": room, "user": user, "membership": membership}, nil)
}

// Say says something and returns the event.
func (w *Witness) Say(room, text string) (event string) {
	w.t.Helper()
	w.do("say", map[string]string{"room": room, "text": text}, &event)
	return event
}

// React reacts to a message.
func (w *Witness) React(room, event, key string) (reaction string) {
	w.t.Helper()
	w.do("react", map[string]string{"room": room, "event": event, "key": key}, &reaction)
	return reaction
}

// Seen is a message as the witness sees it.
type Seen struct {
	ID          string
	Sender      string
	WireType    string
	WireContent map[string]any
	Content     map[string]any // as it was sent, decrypted
	Shown       map[string]any // as it is shown: after edits
	Encrypted   bool
	Failure     bool
	// Shield is what stands beside an encrypted message: nothing, or a warning with its reason.
	Shield *struct {
		Colour int
		None   bool
		Reason *int
	}
}

// Body returns the text that is shown.
func (s Seen) Body() string { return fmt.Sprint(s.Shown["body"]) }

// Answer waits for the answer to a message.
func (w *Witness) Answer(room, to string) (s Seen) {
	w.t.Helper()
	w.do("answer", map[string]string{"room": room, "to": to}, &s)
	return s
}

// Message waits for a message of somebody that holds a text.
func (w *Witness) Message(room, by, holds string) (s Seen) {
	w.t.Helper()
	w.do("message", map[string]string{"room": room, "by": by, "holds": holds}, &s)
	return s
}

// Edited waits until a message is shown with a text that it did not have at first.
func (w *Witness) Edited(room, event, holds string) (s Seen) {
	w.t.Helper()
	w.do("edited", map[string]string{"room": room, "event": event, "holds": holds}, &s)
	return s
}

// Signed tells whether all devices of somebody are cross-signed by their owner, and how many there are.
func (w *Witness) Signed(user string) (signed bool, devices int) {
	w.t.Helper()
	var s struct {
		Devices int
		Signed  bool
	}
	w.do("crosssigned", map[string]string{"user": user}, &s)
	return s.Signed, s.Devices
}
