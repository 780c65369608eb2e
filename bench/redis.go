package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisEngine is a Redis of its own, which is started and stopped with it. It listens on a socket in its folder alone.
type redisEngine struct {
	short  string // the folder of the socket
	cmd    *exec.Cmd
	client *redis.Client
	script *redis.Script
}

// admitScript admits a batch. A hash of each room has the time of its events, a sorted set their order.
const admitScript = `
local at, fresh = ARGV[1], 0
for i = 2, #ARGV, 2 do
	if redis.call('HSETNX', 's:' .. ARGV[i], ARGV[i+1], at) == 1 then
		redis.call('ZADD', 't:' .. ARGV[i], at, ARGV[i+1])
		fresh = fresh + 1
	end
end
return fresh`

func (r *redisEngine) open(dir string) error {
	// The path of a socket may have some hundred bytes only: it gets a short one.
	var err error
	if r.short, err = os.MkdirTemp("", "mootbench"); err != nil {
		return err
	}
	socket := filepath.Join(r.short, "redis.sock")
	r.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0", "--daemonize", "no", "--loglevel", "warning")
	if err := r.cmd.Start(); err != nil {
		return err
	}
	r.client = redis.NewClient(&redis.Options{Network: "unix", Addr: socket, ReadTimeout: time.Minute, WriteTimeout: time.Minute, DisableIdentity: true})
	r.script = redis.NewScript(admitScript)
	deadline := time.Now().Add(2 * time.Minute)
	for {
		_, err := os.Stat(socket)
		if err == nil {
			err = r.client.Ping(context.Background()).Err()
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("redis does not answer: %w", err), r.cmd.Process.Kill(), r.cmd.Wait())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (r *redisEngine) admit(events []event, at time.Time) (int, error) {
	args := make([]any, 0, 1+2*len(events))
	args = append(args, at.UnixMicro())
	for _, e := range events {
		args = append(args, e.room, e.id)
	}
	return r.script.Run(context.Background(), r.client, nil, args...).Int()
}

func (r *redisEngine) settle() error { return nil }

func (r *redisEngine) close() error {
	return errors.Join(r.client.Close(), r.cmd.Process.Signal(syscall.SIGTERM), r.cmd.Wait(), os.RemoveAll(r.short))
}

func (r *redisEngine) count() (events, indexed int, err error) {
	ctx := context.Background()
	for _, room := range rooms {
		n, err1 := r.client.HLen(ctx, "s:"+room).Result()
		m, err2 := r.client.ZCard(ctx, "t:"+room).Result()
		if err := errors.Join(err1, err2); err != nil {
			return 0, 0, err
		}
		events, indexed = events+int(n), indexed+int(m)
	}
	return events, indexed, nil
}
