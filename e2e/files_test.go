//go:build goolm

package e2e

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"moot/e2e/client"
	"moot/e2e/witness"
)

// contents downloads the file of a message, as the account of the witness, and opens it where it is sealed: by the words of the
// Client-Server API ("Sending encrypted attachments") and the standard library alone.
func contents(t *testing.T, will *witness.Witness, s witness.Seen) []byte {
	t.Helper()
	address, sealed := fmt.Sprint(s.Content["url"]), s.Content["file"] != nil
	if sealed != s.Encrypted {
		t.Fatalf("the event is encrypted: %v, and its file: %v", s.Encrypted, sealed)
	}
	if sealed {
		address = fmt.Sprint(dig(s.Content, "file", "url"))
	}
	var data []byte
	for _, path := range []string{"/_matrix/client/v1/media/download/", "/_matrix/media/v3/download/"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path+strings.TrimPrefix(address, "mxc://"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+will.Account.Token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		data, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == http.StatusOK {
			break
		}
		t.Logf("%s%s: %s: %.200s", path, address, resp.Status, data)
		data = nil
	}
	if data == nil {
		t.Fatalf("the server does not give %s", address)
	}
	if !sealed {
		return data
	}
	raw := func(coding *base64.Encoding, path ...string) []byte {
		out, err := coding.DecodeString(fmt.Sprint(dig(s.Content, append([]string{"file"}, path...)...)))
		if err != nil {
			t.Fatalf("%v: %v", path, err)
		}
		return out
	}
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], raw(base64.RawStdEncoding, "hashes", "sha256")) {
		t.Fatal("what the server gives is not what was sealed")
	}
	block, err := aes.NewCipher(raw(base64.RawURLEncoding, "key", "k"))
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCTR(block, raw(base64.RawStdEncoding, "iv")).XORKeyStream(data, data)
	return data
}

// TestFiles: the picture of an outcome in a room, and the votes of the room as a file in private, in a client of another library. In
// an encrypted room the server holds neither. With a kill of the bot after each is asked for, each stands once.
func TestFiles(t *testing.T) {
	each(t, fast, func(w *town) {
		will := witness.New(w.T, server, client.Register(w.T, server, "will"))
		where := w.gathering(will)
		room, bot := string(where), string(w.BotID)
		will.Say(room, "!moot room set votes.picture on")
		will.Message(room, bot, "has set votes.picture")
		will.Say(room, `!moot vote poll --for 1m "Which day?" Monday Tuesday`)
		poll := will.Poll(room, bot, "Which day?")
		will.Respond(room, poll.ID, "Tuesday")
		w.turnout(where, "1 of 2")
		w.closed(where)
		w.again()
		picture := will.Message(room, bot, "has closed.")
		if picture.Content["msgtype"] != "m.image" || picture.Content["filename"] != "vote-1.png" || !strings.Contains(picture.Body(), "Most votes: «Tuesday», with 1.") {
			w.Errorf("the outcome is %v", picture.Content)
		}
		img, err := png.Decode(bytes.NewReader(contents(w.T, will, picture)))
		if err != nil {
			w.Fatal(err)
		}
		wide, high := dig(picture.Content, "info", "w"), dig(picture.Content, "info", "h")
		if b := img.Bounds(); fmt.Sprint(wide, high) != fmt.Sprint(b.Dx(), b.Dy()) {
			w.Errorf("it is %v, and said to be %v × %v", b, wide, high)
		}

		dm := will.Create(witness.Room{Direct: true, Encrypted: w.Encrypted, Invite: bot})
		will.Await(dm, bot, "join")
		w.until("the room in private", func() (string, bool) {
			got := will.Answer(dm, will.Say(dm, "rooms")).Body()
			return got, strings.Contains(got, "«hall»")
		})
		asked := will.Say(dm, "vote export --in hall")
		w.again()
		export := will.Answer(dm, asked)
		if name := fmt.Sprint(export.Content["filename"]); export.Content["msgtype"] != "m.file" || !strings.HasPrefix(name, "votes-") || !strings.HasSuffix(name, ".csv") {
			w.Errorf("the export is %v", export.Content)
		}
		file := contents(w.T, will, export)
		if size := fmt.Sprint(dig(export.Content, "info", "size")); size != fmt.Sprint(len(file)) {
			w.Errorf("it has %d bytes, and is said to have %s", len(file), size)
		}
		text := will.Answer(dm, will.Say(dm, "vote export --text --in hall")).Body()
		if got := strings.TrimSuffix(strings.ReplaceAll(string(file), "\r\n", "\n"), "\n"); !strings.HasSuffix(text, ":\n"+got) || !strings.Contains(text, "\n1,poll,chosen,") {
			w.Errorf("the file holds\n%s\nand as text it is\n%s", got, text)
		}
		if n := will.Answers(dm, asked); n != 1 {
			w.Errorf("the file stands %d times", n)
		}
		if n := w.Ann.Count(where, w.BotID, "has closed."); n != 1 {
			w.Errorf("the picture stands %d times", n)
		}
		w.sealed(w.Ann, where)
		w.well()
	})
}
