package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/matrix/matrixtest"
	"moot/rooms"
	"moot/store"
)

// TestMemoryOfAThousandRooms starts the real bot on an account that is in 1,000 rooms of 100 members each, lets all of them
// talk, and reads how much memory the process has. MOOT_LONG runs it.
func TestMemoryOfAThousandRooms(t *testing.T) {
	if !effort.Long() {
		t.Skip("takes a minute; MOOT_LONG runs it")
	}
	const crowded, members, steady = 1000, 100, 150 << 20
	dir := t.TempDir()
	bin := filepath.Join(dir, "bot")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	s := matrixtest.New()
	defer s.Close()
	self := s.Account("moot", "Moot")
	halls := s.Crowd(crowded, members, self)
	config := fmt.Sprintf("data = %q\n[matrix]\nuser = %q\nhomeserver = %q\naccess_token = { env = \"MOOT_TOKEN\" }\n", filepath.Join(dir, "data"), self, s.URL)
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	began := time.Now()
	life := func(talk func()) (now, peak int64) {
		cmd := exec.CommandContext(ctx, bin, "--config", file)
		cmd.Env = append(os.Environ(), "MOOT_TOKEN=token-moot")
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		talk()
		now, peak = resident(t, cmd.Process.Pid)
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the bot ended with %v\n%s", err, said.Bytes()[max(0, said.Len()-10_000):])
		}
		return now, peak
	}
	answered := func(text string) {
		for i, hall := range halls {
			s.Say(hall, fmt.Sprintf("@c%d:%s", i, matrixtest.Name), text)
		}
		for _, hall := range halls {
			for n := 0; n == 0; {
				if ctx.Err() != nil {
					t.Fatal("not all rooms were answered")
				}
				for _, ev := range s.Timeline(hall) {
					if ev.Sender == self && ev.Type == "m.room.message" {
						n++
					}
				}
				if n == 0 {
					s.Polled(self, ctx.Done())
				}
			}
		}
	}
	now, peak := life(func() {
		s.Asked("/members", crowded, ctx.Done())
		s.Polled(self, ctx.Done())
		t.Logf("the first sync and the members of all rooms took %s", time.Since(began).Round(time.Second))
	})
	t.Logf("first start: %d MB at the end, peak %d MB", now>>20, peak>>20)
	now, peak = life(func() {
		s.Polled(self, ctx.Done())
		answered("!moot version")
	})
	t.Logf("second start, every room answered once: %d MB at the end, peak %d MB", now>>20, peak>>20)
	if now > steady {
		t.Errorf("the bot has %d MB, and at most %d were promised", now>>20, steady>>20)
	}
	st, err := store.Open(store.Config{Path: filepath.Join(dir, "data", "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	err = st.View(func(tx *store.Tx) error {
		for _, hall := range halls {
			if info, _ := rooms.Get(tx, protocol.RoomID("matrix:"+hall)); info.Members != rooms.Known || info.Count != members {
				t.Errorf("%s has %d members, %s", hall, info.Count, info.Members)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// resident returns how many bytes of memory a process has, and had at most.
func resident(t *testing.T, pid int) (now, peak int64) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("this system does not tell the memory of a process")
	}
	for line := range strings.Lines(string(data)) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			continue
		}
		kb, _ := strconv.ParseInt(fields[0], 10, 64)
		switch name {
		case "VmRSS":
			now = kb << 10
		case "VmHWM":
			peak = kb << 10
		}
	}
	return now, peak
}
