package main

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"

	"moot/internal/config"
	"moot/protocol"
	servicenet "moot/protocol/service"
	"moot/protocol/service/cannon"
	"moot/protocol/service/exec"
	"moot/protocol/service/feed"
	"moot/protocol/service/program"
	"moot/protocol/service/tail"
	"moot/services"
	"moot/store"
)

// backTries is how often a collector is told what the tasks have made of what it has found: for most of a day.
const backTries = 100

// backTask is the name of the task by which a collector takes back. No other task is called so.
func backTask(collector string) string { return "back/" + collector }

// openCollectors returns the collectors of a service, and the tasks by which those take back that do.
func openCollectors(s config.Service, node string, log *slog.Logger) (all []servicenet.Collector, backs []servicenet.Task, err error) {
	for _, c := range s.Collectors {
		one, err := openCollector(s, c, node, log.With("service", s.Name, "collector", c.Name))
		if err != nil {
			return nil, nil, fmt.Errorf("collector %s of the service %s: %w", c.Name, s.Name, err)
		}
		all = append(all, one)
		if p, ok := one.(*program.Collector); ok && c.Back {
			backs = append(backs, servicenet.Task{Name: backTask(c.Name), Run: p, Tries: backTries})
		}
	}
	return all, backs, nil
}

func openCollector(s config.Service, c config.ServiceCollector, node string, log *slog.Logger) (servicenet.Collector, error) {
	switch c.Kind() {
	case "tail":
		t := tail.Config{Name: c.Name, Path: c.Tail, Node: node, Every: c.Every, Log: log}
		if c.Match != "" {
			var err error
			if t.Match, err = regexp.Compile(c.Match); err != nil {
				return nil, err
			}
		}
		return tail.New(t)
	case "feed":
		return feed.New(feed.Config{Name: c.Name, URL: c.Feed, Every: c.Every, Log: log})
	case "botcannon":
		password := ""
		if !c.Password.IsZero() {
			var err error
			if password, err = c.Password.Reveal(); err != nil {
				return nil, fmt.Errorf("its password: %w", err)
			}
		}
		return cannon.New(cannon.Config{
			Service: s.Name, Name: c.Name, Address: c.Botcannon, Password: password, Namespace: c.Namespace, Stream: c.Stream, Log: log,
		})
	}
	env, err := environment(c.Env)
	if err != nil {
		return nil, err
	}
	return program.New(program.Config{
		Service: s.Name, Name: c.Name, Every: c.Every, Back: c.Back, Timeout: c.Timeout, Log: log,
		Exec: exec.Config{Argv: c.Run, Folder: c.Folder, Env: env, Memory: int64(c.Memory) << 20, Groups: exec.Delegated(), Log: log},
	})
}

// environment returns variables of the bot's environment, each NAME=VALUE.
func environment(names []string) (env []string, err error) {
	for _, name := range names {
		value, ok := os.LookupEnv(name)
		if !ok {
			return nil, fmt.Errorf("the environment variable %s is not set", name)
		}
		env = append(env, name+"="+value)
	}
	return env, nil
}

// freeJobs returns how many jobs of a collector may be begun now.
func freeJobs(st *store.Store, f *services.Feature) func(protocol.RoomID) (int, error) {
	return func(room protocol.RoomID) (n int, err error) {
		err = st.View(func(tx *store.Tx) error {
			n = f.Free(tx, room)
			return nil
		})
		return n, err
	}
}
