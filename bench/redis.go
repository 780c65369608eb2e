package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisEngine is a Redis of its own, which is started and stopped with it, behind a filter in its
// client. It listens on a socket in its folder alone. A hash of each room has the times of its
// events, a sorted set what it had in each batch.
type redisEngine struct {
	filter *front
	short  string // the folder of the socket
	cmd    *exec.Cmd
	client *redis.Client
}

func (r *redisEngine) open(dir string) error {
	// The path of a socket may have some hundred bytes only: it gets a short one.
	var err error
	if r.short, err = os.MkdirTemp("", "mootbench"); err != nil {
		return err
	}
	socket := filepath.Join(r.short, "redis.sock")
	r.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
		"--daemonize", "no", "--loglevel", "warning")
	if err := r.cmd.Start(); err != nil {
		return err
	}
	r.client = redis.NewClient(&redis.Options{
		Network: "unix", Addr: socket, ReadTimeout: time.Minute, WriteTimeout: time.Minute, DisableIdentity: true,
	})
	deadline := time.Now().Add(2 * time.Minute)
	for {
		_, err := os.Stat(socket)
		if err == nil {
			err = r.client.Ping(context.Background()).Err()
		}
		if err == nil {
			return r.fill()
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("redis does not answer: %w", err), r.cmd.Process.Kill(), r.cmd.Wait())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// fill fills the filter.
func (r *redisEngine) fill() error {
	r.filter = newFront()
	ctx := context.Background()
	for _, room := range rooms {
		it := r.client.HScan(ctx, "s:"+room, 0, "", 10_000).Iterator()
		for it.Next(ctx) {
			r.filter.add(event{room, it.Val()}.key())
			it.Next(ctx) // its time
		}
		if err := it.Err(); err != nil {
			return err
		}
	}
	return nil
}

// admit asks for those that the filter may know, and writes the others in one transaction, which
// has one sync.
func (r *redisEngine) admit(events []event, at time.Time) (int, error) {
	ctx := context.Background()
	batch := make(map[event]bool, len(events))
	var fresh []event
	var asked map[event]*redis.BoolCmd
	ask := r.client.Pipeline()
	for _, e := range events {
		if _, again := asked[e]; again || !r.filter.maybe(e.key()) {
			continue
		}
		if asked == nil {
			asked = map[event]*redis.BoolCmd{}
		}
		asked[e] = ask.HExists(ctx, "s:"+e.room, e.id)
	}
	if len(asked) > 0 {
		if _, err := ask.Exec(ctx); err != nil {
			return 0, err
		}
	}
	now := at.UnixMicro()
	rows := map[string][]any{}
	for _, e := range events {
		if known := asked[e]; batch[e] || known != nil && known.Val() {
			continue
		}
		batch[e] = true
		fresh = append(fresh, e)
		rows[e.room] = append(rows[e.room], e.id, now)
	}
	if len(fresh) == 0 {
		return 0, nil
	}
	write := r.client.TxPipeline()
	for room, fields := range rows {
		write.HSet(ctx, "s:"+room, fields...)
	}
	for room, ids := range byRoom(fresh) {
		write.ZAdd(ctx, "t:"+room, redis.Z{Score: float64(now), Member: ids})
	}
	if _, err := write.Exec(ctx); err != nil {
		return 0, err
	}
	r.filter.admit(fresh)
	return len(fresh), nil
}

func (r *redisEngine) finish() error { return nil }

func (r *redisEngine) close() error {
	return errors.Join(r.client.Close(), r.cmd.Process.Signal(syscall.SIGTERM), r.cmd.Wait(), os.RemoveAll(r.short))
}

func (r *redisEngine) count() (events, indexed int, err error) {
	ctx := context.Background()
	for _, room := range rooms {
		n, err1 := r.client.HLen(ctx, "s:"+room).Result()
		rows, err2 := r.client.ZRange(ctx, "t:"+room, 0, -1).Result()
		if err := errors.Join(err1, err2); err != nil {
			return 0, 0, err
		}
		events += int(n)
		for _, row := range rows {
			indexed += 1 + strings.Count(row, sep)
		}
	}
	return events, indexed, nil
}
