package main

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/protocol/discord/discordtest"
	"moot/protocol/matrix/matrixtest"
)

// TestANetworkThatIsSlowHoldsUpNoOther: the whole program on Discord, Matrix and the console. One network hangs, is slow, fails or
// loses its connections, over and over; people on the others are answered as before, within 50 ms more, and the log stays short.
// Once it is well again people there are answered too.
func TestANetworkThatIsSlowHoldsUpNoOther(t *testing.T) {
	for _, row := range []struct {
		name, network string
		break_        func(*trio) (heal func())
	}{
		{"Matrix hangs", "matrix", func(w *trio) func() {
			hold := make(chan struct{})
			w.home.Break("/_matrix", -1, matrixtest.Fault{Hold: hold})
			return func() { w.home.Heal(); close(hold) }
		}},
		{"Matrix is broken", "matrix", func(w *trio) func() {
			w.home.Break("/_matrix", -1, matrixtest.Fault{Status: http.StatusBadGateway, Body: "<html>"})
			return w.home.Heal
		}},
		{"Matrix is cut off", "matrix", func(w *trio) func() {
			w.home.Break("/_matrix", -1, matrixtest.Fault{Cut: true})
			return w.home.Heal
		}},
		{"Discord answers after ten seconds", "discord", func(w *trio) func() {
			return w.failing(discordtest.Fault{Delay: 10 * time.Second})
		}},
		{"Discord is broken", "discord", func(w *trio) func() {
			w.srv.Cut()
			return w.failing(discordtest.Fault{Status: http.StatusBadGateway})
		}},
		{"Discord drops each connection", "discord", func(w *trio) func() {
			done := make(chan struct{})
			go func() {
				for {
					select {
					case <-done:
						return
					case <-time.After(100 * time.Millisecond):
						w.srv.Cut()
					}
				}
			}()
			return func() { close(done) }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTrio(t)
			all := map[string]func() bool{"matrix": w.matrixAnswers, "discord": w.discordAnswers, "console": w.consoleAnswers}
			took := func(name string) time.Duration {
				var each []time.Duration
				for range 15 {
					began := time.Now()
					if !all[name]() {
						t.Fatalf("%s does not answer", name)
					}
					each = append(each, time.Since(began))
				}
				slices.Sort(each)
				return each[len(each)/2]
			}
			before := map[string]time.Duration{}
			for name := range all {
				before[name] = took(name)
			}
			logged := strings.Count(w.out.String(), "level=")
			heal := sync.OnceFunc(row.break_(w))
			t.Cleanup(heal)      // no server that holds requests back can be closed
			switch row.network { // and somebody asks there
			case "matrix":
				w.home.Say(w.room, w.ann, "!moot ping")
			case "discord":
				w.ben.Slash(w.general, "ping", nil)
			}
			for name := range all {
				if name == row.network {
					continue
				}
				during := took(name)
				t.Logf("%s answers after %s, and %s while %s", name, before[name], during, row.name)
				if during > before[name]+50*time.Millisecond*patience() {
					t.Errorf("%s answers after %s, and %s before", name, during, before[name])
				}
			}
			lines := strings.Count(w.out.String(), "level=") - logged
			if lines > 10 {
				t.Errorf("%d lines in the log", lines)
			}
			heal()
			if !all[row.network]() {
				t.Errorf("%s does not answer once it is well again", row.network)
			}
			w.stop()
		})
	}
}

// failing has all requests to Discord's API fail so from here on.
func (w *trio) failing(f discordtest.Fault) (heal func()) {
	w.srv.Fail(1_000_000, "", "/", f)
	return w.srv.Heal
}
