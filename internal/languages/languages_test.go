package languages_test

import (
	"path/filepath"
	"testing"
	"time"

	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

const (
	ann   protocol.UserID = "console:ann"
	lobby protocol.RoomID = "console:lobby"
)

// TestTo: what somebody has chosen comes before what their network says, and that before what rooms say.
func TestTo(t *testing.T) {
	s, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in := func(scope protocol.Scope, do func(*store.Tx)) {
		t.Helper()
		if err := s.Commit(time.Now(), func(c *store.Commit) error {
			return c.Run(scope, protocol.Ref{}, func(tx *store.Tx) error { do(tx); return nil })
		}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(why string, own, room say.Language) {
		t.Helper()
		if err := s.View(func(tx *store.Tx) error {
			if got := languages.To(tx, ann, lobby); got != own {
				t.Errorf("%s: Ann reads %s", why, got)
			}
			if got := languages.Room(tx, lobby); got != room {
				t.Errorf("%s: the room reads %s", why, got)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	expect("at first", say.English, say.English)
	in(protocol.Scope(lobby), func(tx *store.Tx) { languages.SetRoom(tx, lobby, say.German) })
	expect("in a German room", say.German, say.German)
	in(protocol.Scope(ann), func(tx *store.Tx) { languages.Heard(tx, "en-GB") })
	expect("with an English program", say.English, say.German)
	in(protocol.Scope(ann), func(tx *store.Tx) { languages.Heard(tx, "fr"); languages.Heard(tx, "") })
	expect("with one that is not spoken", say.English, say.German)
	in(protocol.Scope(ann), func(tx *store.Tx) { languages.Choose(tx, say.German) })
	in(protocol.Scope(lobby), func(tx *store.Tx) { languages.SetRoom(tx, lobby, "") })
	expect("by choice", say.German, say.English)
	in(protocol.Scope(ann), func(tx *store.Tx) { languages.Choose(tx, "") })
	expect("without the choice", say.English, say.English)
	in(protocol.Scope(ann), func(tx *store.Tx) {
		if !languages.Forget(tx) || languages.Forget(tx) || languages.Of(tx, ann) != (languages.Own{}) {
			t.Error("it is not forgotten once")
		}
	})
}
