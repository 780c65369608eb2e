package matrix_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/crypto/attachment"

	"moot/internal/record"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/matrixtest"
)

var minutes = protocol.File{Name: "votes.csv", Type: "text/csv", Data: []byte("vote,type\r\n1,poll\r\n")}

// TestAFileStandsOnce: in clear with its name and type, also when it is sent once more after a restart, which uploads nothing.
func TestAFileStandsOnce(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	out := protocol.Outgoing{Key: protocol.DeriveKey(t.Name(), "1"), Room: h.Room(),
		Act: protocol.Say{Text: protocol.Plain("3 votes"), File: &minutes}}
	began := time.Now()
	ref, err := a.Send(t.Context(), out, protocol.Attempt{N: 1})
	if err != nil {
		t.Fatal(err)
	}
	rec.stop()
	h.ForgetTransactions()
	a = h.Adapter()
	newRecorder(t, a)
	again, err := a.Send(t.Context(), out, protocol.Attempt{N: 2, First: began, Earlier: true})
	if err != nil || again != ref {
		t.Errorf("sent once more after a restart it stands at %v, %v, and before at %v", again, err, ref)
	}
	var found []matrixtest.Event
	for _, ev := range h.Timeline(h.town) {
		if ev.Sender == h.bot && ev.Content["filename"] != nil {
			found = append(found, ev)
		}
	}
	want := `{"body":"3 votes","filename":"votes.csv","info":{"mimetype":"text/csv","size":19},"m.mentions":{},"msgtype":"m.file","org.moot.key":"` +
		string(out.Key) + `","url":"mxc://` + matrixtest.Name + `/19"}`
	if len(found) != 1 || encode(found[0].Content) != want {
		t.Fatalf("%d files stand, the first as\n%s\nand not as\n%s", len(found), encode(found[0].Content), want)
	}
	file := h.File("mxc://" + matrixtest.Name + "/19")
	if string(file.Data) != string(minutes.Data) || file.Type != "text/csv" || file.Name != "votes.csv" {
		t.Errorf("the server has %+v", file)
	}
	if n := h.Count("/upload"); n != 1 {
		t.Errorf("it was uploaded %d times", n)
	}

	// A picture is shown, and its text is read out in its place.
	picture := protocol.File{Name: "vote-1.png", Type: "image/png", Data: []byte("png"), Width: 4, Height: 3}
	if _, err := a.Send(t.Context(), protocol.Outgoing{Key: protocol.DeriveKey(t.Name(), "2"), Room: h.Room(),
		Act: protocol.Say{Text: protocol.Plain("2 yes, 1 no"), File: &picture}}, protocol.Attempt{N: 1}); err != nil {
		t.Fatal(err)
	}
	all := h.Timeline(h.town)
	c := all[len(all)-1].Content
	if c["msgtype"] != "m.image" || c["body"] != "2 yes, 1 no" || encode(map[string]any{"i": c["info"]}) != `{"i":{"h":3,"mimetype":"image/png","size":3,"w":4}}` {
		t.Errorf("the picture stands as %s", encode(c))
	}
}

// TestARefusedFile: what the server does not take is no use to try again; what it cannot take now is.
func TestARefusedFile(t *testing.T) {
	t.Parallel()
	h, a, _ := directly(t)
	n := 0
	send := func(f protocol.File) error {
		n++
		_, err := a.Send(t.Context(), protocol.Outgoing{Key: protocol.DeriveKey(t.Name(), string(rune('a'+n))), Room: h.Room(),
			Act: protocol.Say{Text: protocol.Plain("3 votes"), File: &f}}, protocol.Attempt{N: 1})
		return err
	}
	for name, tt := range map[string]struct {
		matrixtest.Fault
		final bool
	}{
		"too large":           {matrixtest.Refusal(413, "M_TOO_LARGE"), true},
		"too large to a gate": {matrixtest.Fault{Status: 413, Body: "<html>"}, true},
		"forbidden":           {matrixtest.Refusal(403, "M_FORBIDDEN"), true},
		"down":                {matrixtest.Fault{Status: 502, Body: "<html>"}, false},
		"cut":                 {matrixtest.Fault{Cut: true}, false},
	} {
		h.Break("/upload", 1, tt.Fault)
		var se *protocol.SendError
		if err := send(minutes); err == nil || errors.As(err, &se) && se.Final != tt.final || !errors.As(err, &se) && tt.final {
			t.Errorf("%s: %v", name, err)
		}
	}
	var se *protocol.SendError
	if err := send(protocol.File{Name: "../x", Type: "text/csv", Data: []byte("x")}); !errors.As(err, &se) || !se.Final {
		t.Errorf("a name with folders gave %v", err)
	}
	for _, ev := range h.Timeline(h.town) {
		if ev.Sender == h.bot && strings.Contains(encode(ev.Content), "votes.csv") {
			t.Errorf("it stands as %s", encode(ev.Content))
		}
	}
}

// TestAFileForAnEncryptedRoomIsSealed: the server sees neither the file nor its name nor its kind, and the room can open it.
func TestAFileForAnEncryptedRoomIsSealed(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.encrypt(&toy{})
	vault := w.Create(w.ann, "Vault", encrypted)
	w.enter(vault)
	connect := matrix.Config{Connect: w.connect, Rooms: record.Matrix{Store: w.store}}
	w.config(&connect)
	a := matrix.New(connect)
	newRecorder(t, a)
	out := protocol.Outgoing{Key: protocol.DeriveKey(t.Name()), Room: mxRoom(vault),
		Act: protocol.Say{Text: protocol.Plain("3 votes"), File: &minutes}}
	if _, err := a.Send(t.Context(), out, protocol.Attempt{N: 1}); err != nil {
		t.Fatal(err)
	}
	if w.clear(vault) != 0 || len(w.sealed(vault)) != 1 {
		t.Fatalf("%d messages stand in clear, %d sealed", w.clear(vault), len(w.sealed(vault)))
	}
	all := w.Timeline(vault)
	data, err := base64.StdEncoding.DecodeString(all[len(all)-1].Content["ciphertext"].(string))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Content struct {
			Body, URL, Filename, Msgtype string
			File                         struct {
				URL string
				attachment.EncryptedFile
			}
		}
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	f := w.File(c.Content.File.URL)
	if c.Content.URL != "" || c.Content.Filename != "votes.csv" || c.Content.Msgtype != "m.file" || c.Content.File.Version != "v2" ||
		f.Name != "" || f.Type != "application/octet-stream" || strings.Contains(string(f.Data), "vote") {
		t.Errorf("the file stands as %s\nand lies as %+v", data, f)
	}
	if err := c.Content.File.DecryptInPlace(f.Data); err != nil || string(f.Data) != string(minutes.Data) {
		t.Errorf("opened it is %q, %v", f.Data, err)
	}
}
