//go:build goolm

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"maunium.net/go/mautrix/id"

	"moot/e2e/process"
)

// boundaries are the six places between which it is decided whether something is lost or doubled on a homeserver: what the
// server has handed over is in no store, in that of the encryption alone, in both and not acknowledged; what is to be sent
// is noted and not sent, or sent and not noted.
var boundaries = []string{"keys-received", "commit-before", "commit-after", "admit-returned", "send-before", "send-after"}

// mortal is the bot built with the places at which it can be killed, which `internal/failpoint` of moot describes.
var mortal = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "mortal")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, "bot"), process.Build(dir, "goolm failpoints")
})

// TestCrashes: the bot is killed at a boundary, at its first, second, third time there, in each of many lives, while people
// give commands. Each command is answered exactly once, and nothing is left over.
func TestCrashes(t *testing.T) {
	for _, place := range boundaries {
		t.Run(place, func(t *testing.T) {
			each(t, "", func(w *town) { w.crashes(place) })
		})
	}
}

func (w *town) crashes(place string) {
	const lives, burst = 8, 3
	bin, err := mortal()
	if err != nil {
		w.Fatal(err)
	}
	ben := w.person("ben")
	where := w.room("hall", ben)
	w.ping(w.Ann, where)
	w.Bot.Stop()
	w.Bot.Program = bin
	var asked, ofBen, ofAnn []id.EventID
	deaths := 0
	for life := range lives {
		for n := range burst {
			who, theirs := w.Ann, &ofAnn
			if n == 1 {
				who, theirs = ben, &ofBen
			}
			asked = append(asked, who.Say(where, "!moot ping"))
			*theirs = append(*theirs, asked[len(asked)-1])
		}
		// Each life gets a little further, or none would ever get to the end.
		w.Bot.Start(fmt.Sprintf("MOOT_FAILPOINT=%s:%d", place, 1+life/2))
		last := asked[len(asked)-1]
		if w.diesBefore(func() bool { return len(w.Ann.AnswersIn(where, last)) > 0 }) {
			deaths++
		} else {
			w.Bot.Kill()
		}
	}
	if w.Logf("it died %d times at %s, in %d lives", deaths, place, lives); deaths == 0 {
		w.Errorf("it never came by %s", place)
	}
	w.Bot.Start()
	if w.Encrypted { // see TestAway
		w.inOrder(where, ofAnn)
		w.inOrder(where, ofBen)
	} else {
		w.inOrder(where, asked)
	}
	w.sealed(w.Ann, where)
	w.well()
}

// diesBefore reports whether the bot has died before something was the case, which is looked at as within Await.
func (w *town) diesBefore(yes func() bool) (died bool) {
	w.Helper()
	over := w.Bot.Over()
	w.Ann.AwaitOr("the bot to die or to go on", over, func() bool { return yes() })
	select {
	case <-over:
		return true
	default:
		return false
	}
}
