package discord

import (
	"testing"
	"time"

	"moot/internal/say"
	"moot/internal/say/saytest"
)

// TestSaid: the catalogue and the code go together, in every language.
func TestSaid(t *testing.T) {
	saytest.Check(t, catalogue, saytest.Config{Least: 5, Says: map[string]int{"told": 0}})
}

// TestLocaleOfAHandle: a handle keeps the language of its person, those of an earlier version have none, and what is no locale is
// none.
func TestLocaleOfAHandle(t *testing.T) {
	h := handle{ID: "1", Token: "token", User: "2", Channel: "3", Guild: "4", Arrived: time.UnixMilli(5).UTC(), Locale: "de"}
	if got, ok := parseHandle(h.String()); !ok || got != h {
		t.Errorf("it is read as %+v, %t", got, ok)
	}
	h.Locale = ""
	if got, ok := parseHandle(h.String()); !ok || got != h || h.String() != "1 1 2 4 3 5 token" {
		t.Errorf("without one it is written as %q and read as %+v, %t", h, got, ok)
	}
	for _, bad := range []string{"de DE", "de\n", "averylongone", "ü"} {
		if localeOf(bad) != "" {
			t.Errorf("%q is a locale", bad)
		}
	}
	if got := h.told("too-early").Plain(); got != catalogue.In(say.English).Plain("too-early") {
		t.Errorf("somebody without a language is told %q", got)
	}
}
