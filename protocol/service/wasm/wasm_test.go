package wasm

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/protocol/service/result"
)

// source is a module that does what its line says.
const source = `package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

var kept [][]byte

func main() {
	line, _ := io.ReadAll(os.Stdin)
	switch s := string(line); {
	case strings.Contains(s, "hang"):
		for {
		}
	case strings.Contains(s, "sleep"):
		time.Sleep(time.Hour)
	case strings.Contains(s, "flood"):
		for {
			fmt.Println(strings.Repeat("x", 1000))
		}
	case strings.Contains(s, "memory"):
		for {
			kept = append(kept, make([]byte, 1<<20))
			kept[len(kept)-1][0] = 1
		}
	case strings.Contains(s, "fail"):
		fmt.Fprintln(os.Stderr, "I cannot")
		os.Exit(3)
	case strings.Contains(s, "reach"):
		_, file := os.ReadFile("/etc/passwd")
		fmt.Printf("{\"read\": %t, \"key\": %q, \"home\": %q}\n", file == nil, os.Getenv("MOOT_KEY"), os.Getenv("HOME"))
	default:
		fmt.Printf("{\"answer\": %q}\n", strings.TrimSpace(s))
	}
}
`

// built builds the module once for all tests.
var built = sync.OnceValues(func() (path string, err error) {
	dir, err := os.MkdirTemp("", "wasm")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "task.wasm")
	build := exec.Command("go", "build", "-o", path, file)
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func module(t *testing.T, set func(*Config)) *Module {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Path: path, Timeout: 10 * time.Minute, Max: 4, Memory: 64 << 20}
	if set != nil {
		set(&c)
	}
	m, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// A module does its job, fails as a program does, and reaches nothing.
func TestModule(t *testing.T) {
	m := module(t, nil)
	out, err := m.Do(t.Context(), []byte(`{"a":1}`))
	if err != nil || string(out) != `{"answer":"{\"a\":1}"}` {
		t.Errorf("it wrote %s, %v", out, err)
	}
	if out, err = m.Do(t.Context(), []byte("reach"), "MOOT_KEY=K"); err != nil || string(out) != `{"home":"","key":"K","read":false}` {
		t.Errorf("it wrote %s, %v", out, err)
	}
	if _, err = m.Do(t.Context(), []byte("fail")); !errors.Is(err, result.ErrFailed) || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("where it fails the error is %v", err)
	}
	if _, err = m.Do(t.Context(), []byte("flood")); !errors.Is(err, result.ErrOutput) {
		t.Errorf("where it floods the error is %v", err)
	}
	if _, err = m.Do(t.Context(), []byte("memory")); !errors.Is(err, result.ErrFailed) {
		t.Errorf("where it wants too much memory the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err = m.Do(ctx, []byte("hang")); !errors.Is(err, context.Canceled) {
		t.Errorf("where the bot stops the error is %v", err)
	}
	if out, err = m.Do(t.Context(), []byte("still")); err != nil || string(out) != `{"answer":"still"}` {
		t.Errorf("after all that it wrote %s, %v", out, err)
	}
}

// It ends with its time, whatever it does.
func TestModuleThatDoesNotEnd(t *testing.T) {
	m := module(t, func(c *Config) { c.Timeout = 100 * time.Millisecond })
	for _, what := range []string{"hang", "sleep"} {
		if _, err := m.Do(t.Context(), []byte(what)); !errors.Is(err, result.ErrTimeout) {
			t.Errorf("%s: the error is %v", what, err)
		}
	}
}

// What is no module that can be run is refused before anything begins.
func TestNoModule(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.wasm")
	if err := os.WriteFile(empty, []byte("\x00asm\x01\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"there-is-none.wasm", "wasm.go", empty} {
		if _, err := New(t.Context(), Config{Path: path, Timeout: time.Second, Max: 1}); err == nil {
			t.Errorf("%s is a module", path)
		}
	}
}
