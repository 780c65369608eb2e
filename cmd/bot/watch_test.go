package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"moot/internal/config"
)

// TestWatched: a bot that runs can be watched, and tells systemd that it is ready, that it lives and that it stops.
func TestWatched(t *testing.T) {
	b := newDiscordBot(t, "message_content = true\n[http]\nlisten = \"unix:http.sock\"")
	notify := filepath.Join(b.dir, "notify")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	b.env = []string{"NOTIFY_SOCKET=" + notify, "WATCHDOG_USEC=200000"}
	hears := func(what string) (said string) {
		t.Helper()
		if err := heard.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for buf := make([]byte, 4096); !strings.Contains(said, what); {
			n, err := heard.Read(buf)
			if err != nil {
				t.Fatalf("systemd never hears %q: %v", what, err)
			}
			said = string(buf[:n])
		}
		return said
	}
	w := &killedTown{town: b.settle("Lab")}
	b.start()
	b.expect("when it is ready", hears("READY=1"), "WATCHDOG=1", "STATUS=")
	hears("WATCHDOG=1")
	w.ready()
	asked := w.asks()
	b.srv.Until("an answer", func() bool { return w.answers()[asked] > 0 })

	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(b.dir, "http.sock"))
	}}}
	defer client.CloseIdleConnections()
	get := func(path string) string {
		t.Helper()
		resp, err := client.Get("http://moot" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s is %s: %s, %v", path, resp.Status, text, err)
		}
		return string(text)
	}
	b.expect("/livez", get("/livez"), "ok")
	b.expect("/readyz", get("/readyz"), `{"check":"loop","ok":true`, `{"check":"network discord","ok":true`, `"check":"disk"`)
	b.expect("/metrics", get("/metrics"), `moot_network_up{network="discord"} 1`, `moot_events_total{disposition="handled",network="discord"}`,
		`moot_attempts_total{result="done"}`, "process_start_time_seconds")
	b.expect("log-level", b.run("log-level", "debug", "--for", "1h"), "at the level DEBUG for 1h0m0s, and then at INFO again")
	if out, err := b.command("log-level", "loud").CombinedOutput(); err == nil || !strings.Contains(string(out), "the levels are") {
		t.Errorf("a level that is none: %s, %v", out, err)
	}
	b.terminate()
	hears("STOPPING=1")
	b.ends()
	if out, err := b.command("log-level", "debug").CombinedOutput(); err == nil || !strings.Contains(string(out), "No bot runs here") {
		t.Errorf("without a bot: %s, %v", out, err)
	}
}

// TestNobodyReadsTheSocketOfTheService: where systemd hangs, the bot stops all the same.
func TestNobodyReadsTheSocketOfTheService(t *testing.T) {
	b := newDiscordBot(t, "")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(b.dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	b.env = []string{"NOTIFY_SOCKET=" + heard.LocalAddr().String(), "WATCHDOG_USEC=20000"}
	b.settle("Lab")
	b.start()
	full := func() bool { // a datagram more than the socket holds would wait
		conn, err := net.DialUnix("unixgram", nil, heard.LocalAddr().(*net.UnixAddr))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err = conn.Write([]byte("x"))
		return errors.Is(err, os.ErrDeadlineExceeded)
	}
	for until := time.Now().Add(time.Minute); !full(); {
		if time.Now().After(until) {
			t.Fatal("the socket never becomes full")
		}
	}
	b.stop()
}

// TestLevelReturns: another level holds for a while, and the last one that was wanted counts.
func TestLevelReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l logLevel
		newHandler(io.Discard, config.Log{Level: "warn", Format: "text"}, &l)
		l.change(slog.LevelError, time.Minute)
		l.change(slog.LevelDebug, time.Hour)
		time.Sleep(59 * time.Minute)
		if got := l.Level(); got != slog.LevelDebug {
			t.Errorf("before its end it is %s", got)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := l.Level(); got != slog.LevelWarn {
			t.Errorf("afterwards it is %s", got)
		}
	})
}
