//go:build linux

package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/internal/pause"
	"moot/protocol/service/exec"
	"moot/protocol/service/result"
	"moot/protocol/service/servicetest"
)

func collector(t *testing.T, text string, set func(*Config)) *Collector {
	t.Helper()
	path := filepath.Join(t.TempDir(), "collector")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Service: "s", Name: "c", Exec: exec.Config{Argv: []string{path}, Folder: filepath.Dir(path)}, Timeout: time.Minute}
	if set != nil {
		set(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.backoff = pause.Backoff{First: time.Millisecond, Most: time.Millisecond}
	return c
}

// A program that has a cursor goes on from it, whether it is killed or what it hands over to is, and nothing is brought twice.
func TestProgramGoesOnFromItsCursor(t *testing.T) {
	c := collector(t, `
read -r first
n=$(printf '%s' "$first" | sed -n 's/.*"cursor":\([0-9]*\).*/\1/p'); n=${n:-0}
while [ $n -lt 20 ]; do
	n=$((n + 1))
	echo "{\"text\": \"$n a\"}" # belongs to what was before
	echo "{\"cursor\": $n, \"text\": \"$n\"}"
	[ $((n % 3)) != 0 ] || kill -9 $$
done
sleep 1000`, nil)
	to := servicetest.New()
	// What has no cursor of its own before the first one is another thing each time; the others are the same.
	for died := range 5 {
		to.DieAfter(died)
		stop := servicetest.Run(t, c, to)
		to.Wait(t.Context(), died)
		stop()
	}
	to.DieAfter(-1)
	stop := servicetest.Run(t, c, to)
	var want []string
	for n := 1; n <= 20; n++ {
		want = append(want, fmt.Sprint(n, " a"), fmt.Sprint(n))
	}
	within, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for within.Err() == nil && !slices.Contains(to.Texts(), "20") {
		to.Wait(within, len(to.Items())+1)
	}
	stop()
	got := slices.DeleteFunc(to.Texts(), func(s string) bool { return s == "1 a" })
	if want = slices.DeleteFunc(want, func(s string) bool { return s == "1 a" }); !slices.Equal(got, want) {
		t.Errorf("it brought %q", got)
	}
}

// What has an id is known by that alone.
func TestProgramWithIDs(t *testing.T) {
	c := collector(t, `echo '{"id": 1, "text": "one"}'; echo nonsense; echo '[1]'; echo '{"id": "2", "text": "two", "more": true}'; exit 3`, nil)
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	to.Wait(t.Context(), 2)
	time.Sleep(20 * time.Millisecond) // it is started again
	stop()
	if got := to.Texts(); !slices.Equal(got, []string{"one", "two"}) || string(to.Items()[1].Data) != `{"id": "2", "text": "two", "more": true}` {
		t.Errorf("it brought %q", got)
	}
}

// Numbers are ids as they are written: those of many services have more digits than a float64.
func TestProgramWithLargeIDs(t *testing.T) {
	c := collector(t, `read -r first
echo '{"id": 1203456789012345678, "text": "one"}'; echo '{"id": 1203456789012345679, "text": "two"}'
read -r a; read -r b; printf '{"id": "end", "text": %s}\n' "\"$(echo "$a $b" | tr -d '"{}')\""; sleep 1000`, func(c *Config) { c.Back = true })
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	within, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	to.Wait(within, 3)
	stop()
	if got := to.Texts(); !slices.Equal(got, []string{"one", "two", "taken:1203456789012345678 taken:1203456789012345679"}) {
		t.Errorf("it brought %q", got)
	}
}

// What a program has neither id nor cursor for is another thing each time.
func TestProgramWithoutIDs(t *testing.T) {
	c := collector(t, `echo '{"text": "tick"}'`, func(c *Config) { c.Every = time.Millisecond })
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	to.Wait(t.Context(), 3)
	stop()
}

// A program that takes back is told what is taken, and what came of it until it says that it has that, also when it has died.
func TestProgramTakesBack(t *testing.T) {
	c := collector(t, `
read -r first
echo '{"id": "a", "text": "a", "cursor": {"at": "a"}}'
while read -r line; do
	echo "$line" >> log
	case $line in '{"key":"K"'*)
		[ -e died ] && echo '{"ack": "K", "answer": "seen"}'
		[ -e died ] || { touch died; kill -9 $$; } ;;
	'{"key":"L"'*) echo '{"ack": "L", "error": "no"}' ;;
	esac
done`, func(c *Config) { c.Back = true })
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	if _, err := c.Do(t.Context(), []byte(`{"key":"K"}`)); !errors.Is(err, result.ErrDied) {
		t.Errorf("where it dies the error is %v", err)
	}
	out, err := c.Do(t.Context(), []byte(`{"key":"K"}`))
	if err != nil || string(out) != `{"answer":"seen"}` {
		t.Errorf("it answers %s, %v", out, err)
	}
	if _, err := c.Do(t.Context(), []byte(`{"key":"L"}`)); !errors.Is(err, result.ErrFailed) {
		t.Errorf("where it has failed the error is %v", err)
	}
	c.cfg.Timeout = time.Millisecond
	if _, err := c.Do(t.Context(), []byte(`{"key":"M"}`)); !errors.Is(err, result.ErrTimeout) {
		t.Errorf("where it says nothing the error is %v", err)
	}
	stop()
	log, err := os.ReadFile(filepath.Join(c.cfg.Exec.Folder, "log"))
	if err != nil || !strings.Contains(string(log), `{"taken":"a"}`) {
		t.Errorf("it was told %s, %v", log, err)
	}
	if len(to.Items()) != 1 {
		t.Errorf("it brought %q", to.Texts())
	}
}

// A program that takes back is started also where nothing more may be brought: what waits may wait for its acknowledgement.
func TestProgramTakesBackWhereNothingMayBeBrought(t *testing.T) {
	c := collector(t, `read -r first; while read -r line; do echo '{"ack": "K"}'; done`, func(c *Config) { c.Back, c.Timeout = true, 10*time.Second })
	to := servicetest.New()
	to.Fill()
	stop := servicetest.Run(t, c, to)
	if _, err := c.Do(t.Context(), []byte(`{"key":"K"}`)); err != nil {
		t.Error(err)
	}
	stop()
}

// One that floods, and does not care what is taken, is ended and started again; others wait.
func TestProgramThatFloods(t *testing.T) {
	for _, back := range []bool{false, true} {
		c := collector(t, `read -r first; yes '{"text": "more"}'`, func(c *Config) { c.Back = back })
		to := servicetest.New()
		stop := servicetest.Run(t, c, to)
		to.Wait(t.Context(), 3000)
		stop()
	}
}
