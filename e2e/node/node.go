// Package node runs a witness that shares no code with the bot: a script of Node.js, which is asked over its standard input and
// output, a JSON object a line each way.
//
//	{"id": 1, "do": "say", "with": {"text": "hello"}}
//	{"id": 1, "result": …}   or   {"id": 1, "error": "…"}
//
// The script ends when its input does.
package node

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
	"time"

	"moot/e2e/homeserver"
)

const (
	// patience is longer than that of the scripts, which say what they wait for.
	patience = 2 * time.Minute
	// ending is how long a script may take to end.
	ending = 10 * time.Second
	// longest is how many bytes a line of an answer may have.
	longest = 16 << 20
)

// Script is a script that runs. Its methods may be called concurrently.
type Script struct {
	t  testing.TB
	in io.WriteCloser

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply // nil once the script has ended; guarded by mu
}

type reply struct {
	ID     int
	Result json.RawMessage
	Error  string
}

// Start starts a script, named by its path in the module of these tests, with the library that the lock file beside it pins and
// that is installed once. It ends with the test.
func Start(t testing.TB, path string) *Script {
	t.Helper()
	_, e2e, err := homeserver.Root()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(e2e, path)
	install := exec.Command(filepath.Join(e2e, "js", "install"), filepath.Dir(script))
	var errs bytes.Buffer
	install.Stderr = &errs
	folder, err := install.Output()
	if err != nil {
		t.Fatalf("install the library of a witness: %v\n%s", err, errs.String())
	}
	cmd := exec.Command("node", script, strings.TrimSpace(string(folder)))
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
		t.Fatalf("start Node.js, which a witness needs: %v", err)
	}
	s := &Script{t: t, in: in, waiting: map[int]chan reply{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		s.read(out)
	}()
	t.Cleanup(func() {
		_ = in.Close()
		late := time.AfterFunc(ending, func() { _ = cmd.Process.Kill() })
		<-read
		err := cmd.Wait()
		late.Stop()
		if t.Failed() {
			t.Logf("%s: %v\n%s", path, err, said.String())
		}
	})
	return s
}

// read hands the answers to those who wait for them, until there are no more.
func (s *Script) read(out io.Reader) {
	scan := bufio.NewScanner(out)
	scan.Buffer(nil, longest)
	for scan.Scan() {
		var r reply
		if err := json.Unmarshal(scan.Bytes(), &r); err != nil {
			continue // whoever waits for it says that it has not come
		}
		s.mu.Lock()
		if c := s.waiting[r.ID]; c != nil {
			c <- r
			delete(s.waiting, r.ID)
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.waiting {
		c <- reply{ID: id, Error: "the script has ended"}
	}
	s.waiting = nil
}

// ask writes a line and returns where its answer comes.
func (s *Script) ask(act string, with any) (<-chan reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		return nil, fmt.Errorf("the script has ended")
	}
	s.next++
	line, err := json.Marshal(map[string]any{"id": s.next, "do": act, "with": with})
	if err != nil {
		return nil, err
	}
	c := make(chan reply, 1)
	s.waiting[s.next] = c
	_, err = s.in.Write(append(line, '\n'))
	return c, err
}

// Do has the script do something and reads its result into a value; nil drops it. It fails the test where the script fails.
func (s *Script) Do(act string, with, into any) {
	s.t.Helper()
	c, err := s.ask(act, with)
	if err != nil {
		s.t.Fatalf("%s: %v", act, err)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case r := <-c:
		switch {
		case r.Error != "":
			s.t.Fatalf("%s %v: %s", act, with, r.Error)
		case into == nil:
		default:
			if err := json.Unmarshal(r.Result, into); err != nil {
				s.t.Fatalf("%s: %v in %s", act, err, r.Result)
			}
		}
	case <-late.C:
		s.t.Fatalf("%s %v: no answer", act, with)
	}
}
