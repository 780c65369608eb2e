package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof" // on the socket that observed opens
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// observeVariable names the environment variable with the place of a socket, by which a test looks into a bot that it has
// started as a process of its own.
const observeVariable = "MOOT_TEST_OBSERVE"

// leaseVariable names the environment variable with the time for which the lease of one of several machines runs.
const leaseVariable = "MOOT_TEST_LEASE"

// observed is the bot, as the tests run it.
func observed() {
	if text := os.Getenv(leaseVariable); text != "" {
		var err error
		if leaseTTL, err = time.ParseDuration(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitFailed)
		}
	}
	if path := os.Getenv(observeVariable); path != "" && len(os.Args) == 1 {
		l, err := net.Listen("unix", path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitFailed)
		}
		go func() { _ = http.Serve(l, nil) }() // until the process ends
	}
	main()
}

// inside shows a test what is going on within a bot.
type inside struct {
	t    testing.TB
	http http.Client
}

func insideOf(t testing.TB, socket string) *inside {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &inside{t, http.Client{Transport: transport, Timeout: 2 * time.Minute}}
}

// get reads one of the pages of net/http/pprof.
func (i *inside) get(page string) string {
	i.t.Helper()
	resp, err := i.http.Get("http://bot/debug/pprof/" + page)
	if err != nil {
		i.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		i.t.Fatalf("%s: %s, %v\n%s", page, resp.Status, err, data)
	}
	return string(data)
}

// memory returns how much of the heap is in use after a collection, in bytes, and how many goroutines there are.
func (i *inside) memory() (heap, goroutines int) {
	i.t.Helper()
	i.get("heap?gc=1") // what the first collection finds, the second frees
	page := i.get("heap?gc=1&debug=1")
	at := strings.Index(page, "# HeapAlloc = ")
	if at < 0 {
		i.t.Fatal("the heap profile does not say how large the heap is")
	}
	if _, err := fmt.Sscanf(page[at:], "# HeapAlloc = %d", &heap); err != nil {
		i.t.Fatal(err)
	}
	if _, err := fmt.Sscanf(i.get("goroutine?debug=1"), "goroutine profile: total %d", &goroutines); err != nil {
		i.t.Fatal(err)
	}
	return heap, goroutines
}

// cpu profiles the bot for so many seconds and returns the file.
func (i *inside) cpu(seconds int) string {
	file := filepath.Join(i.t.TempDir(), "cpu.pprof")
	if err := os.WriteFile(file, []byte(i.get(fmt.Sprintf("profile?seconds=%d", seconds))), 0o600); err != nil {
		i.t.Fatal(err)
	}
	return file
}
