package console

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/protocol"
	"moot/protocol/protocoltest"
)

// TestAFileLiesInTheFolder: once, where the message says, and for nobody else to read.
func TestAFileLiesInTheFolder(t *testing.T) {
	dir := t.TempDir()
	w, err := Open(Config{Dir: dir, Frozen: true})
	check(t, err)
	a, stop := running(t, w, &protocoltest.Recorder{})
	file := protocol.File{Name: "votes.csv", Type: "text/csv", Data: []byte("vote\n1\n")}
	out := protocol.Outgoing{Key: protocol.DeriveKey("export"), Act: protocol.Whisper{User: "console:ben", Text: protocol.Plain("1 vote"), File: &file}}
	ref, err := a.Send(t.Context(), out, protocol.Attempt{N: 1})
	check(t, err)
	path := filepath.Join(dir, FilesName, string(out.Key), "votes.csv")
	m := w.state.rooms[ref.Room].messages[ref.Event]
	if m == nil || m.text != "1 vote\nFile: "+path {
		t.Fatalf("the message is %+v, and the file %s", m, path)
	}
	info, err := os.Stat(path)
	check(t, err)
	if data, err := os.ReadFile(path); err != nil || string(data) != "vote\n1\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("it holds %q, %v, for %v", data, err, info.Mode())
	}
	for _, folder := range []string{filepath.Dir(path), filepath.Join(dir, FilesName)} {
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", folder, info, err)
		}
	}

	// A crash between the file and the message makes neither twice.
	check(t, os.Remove(path))
	again, err := a.Send(t.Context(), out, protocol.Attempt{N: 2})
	if check(t, err); again != ref {
		t.Errorf("the second time it stands at %v, the first at %v", again, ref)
	}
	stop()
	check(t, w.Close())

	var se *protocol.SendError
	bad := out
	bad.Key, bad.Act = protocol.DeriveKey("bad"), protocol.Whisper{User: "console:ben", Text: protocol.Plain("x"), File: &protocol.File{Name: "../x", Type: "text/csv", Data: []byte("x")}}
	memory, err := Open(Config{Frozen: true})
	check(t, err)
	b, _ := running(t, memory, &protocoltest.Recorder{})
	for what, out := range map[string]protocol.Outgoing{"a world in memory": out, "a name with folders": bad} {
		if _, err := b.Send(t.Context(), out, protocol.Attempt{N: 1}); !errors.As(err, &se) || !se.Final {
			t.Errorf("%s gave %v", what, err)
		}
	}
	for _, rm := range memory.state.rooms {
		for _, m := range rm.messages {
			if strings.Contains(m.text, "1 vote") {
				t.Error("a message stands whose file does not")
			}
		}
	}
}
