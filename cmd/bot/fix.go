package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"moot/events"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/finding"
	"moot/internal/inspect"
	"moot/internal/parts"
	"moot/protocol"
	"moot/protocol/discord"
	"moot/store"
)

// fix puts right what can be put right without harm, and says what it was, or why it could not be.
func (a *app) fix(ctx context.Context) (found []finding.Finding) {
	cfg, _, err := a.load()
	if err != nil {
		return nil // the check says what is the matter
	}
	mended := func(what, format string, args ...any) {
		found = append(found, finding.Finding{Status: finding.Mended, What: what, Text: fmt.Sprintf(format, args...)})
	}
	failed := func(what string, err error) {
		found = append(found, finding.Finding{Status: finding.Warn, What: what, Text: "could not be put right: " + protocol.OneLine(err.Error())})
	}
	fixModes(cfg, mended, failed)
	fixLeftovers(cfg, mended, failed)
	if token, err := cfg.Discord.Token.Token(); err == nil && cfg.Discord.Enabled() {
		fixCommands(ctx, cfg, token, mended, failed)
	}
	return found
}

type (
	mender func(what, format string, args ...any)
	failer func(what string, err error)
)

// fixModes sees to it that nobody else can read the data folder and the secrets. Links are left alone.
func fixModes(cfg config.Config, mended mender, failed failer) {
	exposed, err := inspect.Exposed(cfg.Data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		failed("permissions", err)
	}
	for _, path := range append(exposed, cfg.OpenSecrets()...) {
		info, err := os.Lstat(path)
		switch {
		case err != nil || info.Mode()&fs.ModeSymlink != 0:
			continue
		case info.IsDir():
			err = os.Chmod(path, 0o700)
		default:
			err = os.Chmod(path, info.Mode().Perm()&^0o177)
		}
		if err != nil {
			failed("permissions", err)
			continue
		}
		mended("permissions", "nobody else can read %s any more", path)
	}
}

// fixLeftovers clears away what killed runs have left. A bot that runs has done so itself, and holds the lock.
func fixLeftovers(cfg config.Config, mended mender, failed failer) {
	path := storeFile(cfg)
	if _, err := os.Stat(path); err != nil {
		return
	}
	st, err := store.Open(store.Config{Path: path, LockTimeout: time.Millisecond})
	if err != nil {
		return // a bot runs, or the check says what is the matter with the database
	}
	left := parts.Leftovers(cfg.Data)
	err = parts.Clear(cfg.Data, slog.New(slog.DiscardHandler))
	gone, serr := control.Clear(cfg.Data)
	if socket, ok := strings.CutPrefix(cfg.HTTP.Listen, "unix:"); ok && isStale(socket) {
		if rerr := os.Remove(socket); rerr == nil {
			gone = append(gone, socket)
		} else {
			serr = errors.Join(serr, rerr)
		}
	}
	if err := errors.Join(err, serr, st.Close()); err != nil {
		failed("data folder", err)
		return
	}
	if len(left) > 0 {
		mended("data folder", "deleted what killed runs had left: %s", strings.Join(left, ", "))
	}
	for _, socket := range gone {
		mended("data folder", "deleted the socket %s, on which nobody listens", socket)
	}
}

// isStale reports whether a path is a socket on which nobody listens.
func isStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return false
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// fixCommands registers the commands of this version where those of another stand with Discord.
func fixCommands(ctx context.Context, cfg config.Config, token string, mended mender, failed failer) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	features, err := newFeatures(cfg, new(events.Bus)) // for the names of the commands only: nothing is run
	if err != nil {
		return // the check says so
	}
	c := discordConfig(cfg, token)
	c.Commands = discordCommands(features.commands)
	switch n, err := discord.Repair(ctx, c); {
	case err != nil:
		failed("discord commands", err)
	case n > 0:
		mended("discord commands", "registered the %d of this version", n)
	}
}
