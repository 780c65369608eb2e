package matrix_test

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"moot/protocol/matrix"
)

// picture writes an image with a width to a file.
func picture(t *testing.T, file string, width int) {
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, image.NewGray(image.Rect(0, 0, width, 1))); err != nil {
		t.Fatal(err)
	}
}

// TestTheAccountIsPresentedAsConfigured: with its name and its picture, which is uploaded once, and again when it is another.
func TestTheAccountIsPresentedAsConfigured(t *testing.T) {
	w := newTown(t)
	file := filepath.Join(t.TempDir(), "avatar.png")
	picture(t, file, 4)
	w.config = func(c *matrix.Config) { c.Name, c.Avatar = "Moot of the Town", file }
	standing := func() string { _, avatar := w.Profile(w.bot); return avatar }
	w.start()
	w.eventually(func() bool { name, avatar := w.Profile(w.bot); return name == "Moot of the Town" && avatar != "" })
	w.stop()
	first := standing()
	w.start()
	w.stop()
	if n := w.Count("/upload"); n != 1 || standing() != first || first == "" {
		t.Errorf("%d uploads; the picture stands at %q, and stood at %q\n%s", n, standing(), first, w.log)
	}
	picture(t, file, 400)
	w.start()
	w.eventually(func() bool { return standing() != first })
	if n := w.Count("/upload"); n != 2 {
		t.Errorf("%d uploads", n)
	}
	w.stop()
	if err := os.WriteFile(file, []byte("a letter"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.eventually(func() bool { return w.log.count("the account could not be given its picture") == 1 })
	if n := w.log.count("it is no picture of at most 10 MiB"); n != 1 {
		t.Errorf("what is no picture is told %d times\n%s", n, w.log)
	}
}

// TestTheServerIsToldWhatIsHandledAndCountsNothing: receipts in each room, and notifications off.
func TestTheServerIsToldWhatIsHandledAndCountsNothing(t *testing.T) {
	w := newTown(t)
	w.start()
	said := w.Server.Say(w.town, w.ann, "ping 1")
	w.eventually(func() bool { return w.ReadUpTo(w.town, w.bot) == said })
	if got := w.ReadUpTo(w.town, w.bot); got != said {
		t.Errorf("the bot has read up to %q and not %q", got, said)
	}
	w.eventually(func() bool { return w.Rule(w.bot, ".m.rule.master") })
	if !w.Rule(w.bot, ".m.rule.master") {
		t.Error("the server counts what is unread")
	}
}
