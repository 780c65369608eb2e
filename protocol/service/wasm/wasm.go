// Package wasm does tasks by WebAssembly: modules that read and write lines by WASI (preview 1), in the process of the bot, and can
// reach nothing else.
//
// # Promises
//
//   - A module sees its line of JSON on standard input, variables, and the time. It has no files, no network, no processes, and no
//     thread of its own.
//   - Each job has a memory of its own, which is gone afterwards, and at most as much of it as is configured.
//   - It ends when a job takes longer than it may, whatever it does.
//   - It is read up to [result.MaxOutput] bytes for a job; more ends it. Its standard error goes to the log, so many lines a job.
//   - Where the machine lets no memory be executed, modules are interpreted, and slower.
package wasm

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/service/result"
)

const (
	// maxModule is how many bytes a module has at most.
	maxModule = 64 << 20
	// maxLog is how many bytes of standard error of a job are looked at.
	maxLog = 8 << 10
	// page is how many bytes WebAssembly counts memory by.
	page = 64 << 10
)

// Config says what is run, and how.
type Config struct {
	// Path is the module.
	Path string
	// Timeout is how long a job may take.
	Timeout time.Duration
	// Text is whether what it writes is the answer as it stands, and no JSON.
	Text bool
	// Max is how many jobs there are at once.
	Max int
	// Memory is how many bytes a job may have; zero means 4 GiB, which is all that there can be.
	Memory int64
	// Env are its variables, each NAME=VALUE.
	Env []string
	Log *slog.Logger // nil means none
}

// Module runs one module for as many jobs as come. Its methods may be called concurrently.
type Module struct {
	cfg     Config
	runtime wazero.Runtime
	code    wazero.CompiledModule
	slots   chan struct{} // has a value for each job that runs
}

// New reads a module and compiles it.
func New(ctx context.Context, c Config) (_ *Module, err error) {
	if c.Timeout <= 0 || c.Max < 1 || c.Memory < 0 {
		return nil, errors.New("wasm: Timeout, Max or Memory cannot be")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	info, err := os.Stat(c.Path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the module cannot be read: %w", err)
	case info.Size() > maxModule:
		return nil, fmt.Errorf("the module %s has more than %d MiB", c.Path, maxModule>>20)
	}
	binary, err := os.ReadFile(c.Path)
	if err != nil {
		return nil, fmt.Errorf("the module cannot be read: %w", err)
	}
	rc := wazero.NewRuntimeConfig().WithCloseOnContextDone(true)
	if c.Memory > 0 {
		rc = rc.WithMemoryLimitPages(uint32(min(max(c.Memory/page, 1), 65536)))
	}
	m := &Module{cfg: c, runtime: wazero.NewRuntimeWithConfig(ctx, rc), slots: make(chan struct{}, c.Max)}
	defer func() {
		if err != nil {
			_ = m.runtime.Close(ctx)
		}
	}()
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err != nil {
		return nil, fmt.Errorf("prepare WASI: %w", err)
	}
	if m.code, err = m.runtime.CompileModule(ctx, binary); err != nil {
		return nil, fmt.Errorf("%s is no WebAssembly that can be run: %w", c.Path, err)
	}
	if _, ok := m.code.ExportedFunctions()["_start"]; !ok {
		return nil, fmt.Errorf("%s has no _start: build it as a program for WASI (GOOS=wasip1 GOARCH=wasm for Go)", c.Path)
	}
	return m, nil
}

// Do implements service.Runner.
func (m *Module) Do(ctx context.Context, line []byte, env ...string) (json.RawMessage, error) {
	select {
	case m.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-m.slots }()
	within, cancel := context.WithTimeoutCause(ctx, m.cfg.Timeout, result.ErrTimeout)
	defer cancel()
	out, errs := capped{most: result.MaxOutput, end: cancel}, capped{most: maxLog}
	mc := wazero.NewModuleConfig().WithName("").WithArgs("task").
		WithStdin(bytes.NewReader(append(bytes.Clone(line), '\n'))).WithStdout(&out).WithStderr(&errs).
		WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader).
		WithNanosleep(func(ns int64) { _ = pause.Sleep(within, time.Duration(ns)) }) // which ends with the job
	for _, e := range append(append([]string{}, m.cfg.Env...), env...) {
		name, value, _ := strings.Cut(e, "=")
		mc = mc.WithEnv(name, value)
	}
	instance, err := m.runtime.InstantiateModule(within, m.code, mc)
	if instance != nil {
		_ = instance.Close(ctx)
	}
	m.says(errs.Bytes())
	var exit *sys.ExitError
	switch {
	case out.over:
		return nil, result.ErrOutput
	case context.Cause(within) != nil:
		return nil, context.Cause(within)
	case errors.As(err, &exit) && exit.ExitCode() == 0:
	case errors.As(err, &exit):
		return nil, fmt.Errorf("%w with the exit code %d", result.ErrFailed, exit.ExitCode())
	case err != nil: // it ran into something, such as the end of its memory
		return nil, fmt.Errorf("%w: %s", result.ErrFailed, protocol.Shorten(protocol.OneLine(err.Error()), 300))
	}
	return result.Read(out.Bytes(), m.cfg.Text, "")
}

// says writes into the log what a job has said to standard error.
func (m *Module) says(text []byte) {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			words := protocol.OneLine(strings.ToValidUTF8(string(line), "\uFFFD"))
			m.cfg.Log.Warn("a task says", "text", protocol.Shorten(words, 500))
		}
	}
}

// Warm implements service.Runner. A module is compiled by New.
func (m *Module) Warm() {}

// Close implements service.Runner.
func (m *Module) Close() { _ = m.runtime.Close(context.Background()) }

// capped keeps what is written, up to so many bytes.
type capped struct {
	bytes.Buffer
	most int
	over bool
	end  func() // called where there is more; nil leaves it out
}

// Write implements io.Writer.
func (c *capped) Write(b []byte) (int, error) {
	room := max(0, c.most-c.Len())
	if len(b) > room {
		c.over = true
		if c.end != nil {
			c.end()
		}
	}
	_, _ = c.Buffer.Write(b[:min(room, len(b))]) // which never fails
	return len(b), nil
}
