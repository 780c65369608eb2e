package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"moot/commands"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/watch"
	"moot/protocol"
	servicenet "moot/protocol/service"
	"moot/protocol/service/call"
	"moot/protocol/service/exec"
	"moot/protocol/service/hook"
	"moot/protocol/service/schedule"
	"moot/protocol/service/wasm"
	"moot/services"
	"moot/store"
)

// newServices returns the feature that makes jobs.
func newServices(
	cfg config.Config, challenged func(*store.Tx, protocol.RoomID, protocol.UserID) (protocol.Text, bool),
	tree func() *commands.Commands,
) (*services.Feature, error) {
	c := services.Config{
		Operators: cfg.Operators, Challenged: challenged,
		Meant: func(ev protocol.Event, m protocol.Message) bool { return tree().Meant(ev, m) },
		Behalf: func(tx *store.Tx, ev protocol.Event, line string, allowed []string) error {
			return tree().Behalf(tx, ev, line, allowed)
		},
	}
	for _, s := range cfg.Services {
		spec, err := specOf(s)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", s.Name, err)
		}
		c.Services = append(c.Services, spec)
	}
	return services.New(c)
}

func nobodyChallenged(*store.Tx, protocol.RoomID, protocol.UserID) (protocol.Text, bool) {
	return nil, false
}

// specOf is a service as the feature wants it. The configuration has seen to it that it can be.
func specOf(s config.Service) (services.Spec, error) {
	spec := services.Spec{
		Name: s.Name, Who: roles[s.Who], Rooms: s.Rooms, To: s.To, Private: s.Private, Progress: s.Progress, Late: s.Missed == "once", Text: s.Text,
		As: s.As, Allow: s.Allow, Queue: s.Queue, Keep: s.Keep, Redact: s.Redact,
	}
	var err error
	if s.Pattern != "" {
		if spec.Pattern, err = regexp.Compile(s.Pattern); err != nil {
			return spec, err
		}
	}
	if s.Schedule != "" {
		if spec.Schedule, err = schedule.Parse(s.Schedule, s.Timezone); err != nil {
			return spec, err
		}
	}
	for _, t := range s.Tasks {
		spec.Tasks = append(spec.Tasks, services.Task{Name: t.Name, Once: t.Retry == "never", Torch: t.Torch})
	}
	for _, c := range s.Collectors {
		if c.Back {
			if spec.Back == nil {
				spec.Back = map[string]services.Task{}
			}
			spec.Back[c.Name] = services.Task{Name: backTask(c.Name)}
		}
	}
	for _, c := range s.Commands {
		cmd := services.Command{Name: c.Name, Summary: c.Summary, Detail: c.Help, Examples: c.Examples}
		for _, text := range c.Params {
			p, err := config.ParseParam(text)
			if err != nil {
				return spec, err
			}
			cmd.Params = append(cmd.Params, commands.Param{
				Name: p.Name, Kind: paramKinds[p.Kind], Summary: p.Summary, Choices: p.Choices, Optional: p.Optional,
			})
		}
		spec.Commands = append(spec.Commands, cmd)
	}
	return spec, nil
}

var (
	roles      = map[string]commands.Role{"operators": commands.Operator, "moderators": commands.Moderator, "everybody": commands.Member}
	paramKinds = map[string]commands.Kind{
		"word": commands.Word, "text": commands.Text, "integer": commands.Integer, "duration": commands.Duration,
		"person": commands.Person, "choice": commands.Choice, "switch": commands.Switch,
	}
)

// openServices returns the adapters of the services that are configured.
func openServices(cfg config.Config, st *store.Store, f *services.Feature, log *slog.Logger) (all []*servicenet.Adapter, err error) {
	defer func() {
		if err != nil {
			for _, s := range all {
				s.Close()
			}
		}
	}()
	if len(cfg.Services) > 0 {
		exec.Sweep(exec.Delegated())
	}
	for _, s := range cfg.Services {
		paused := false
		err := st.View(func(tx *store.Tx) error {
			paused = services.Paused(tx, s.Name)
			return nil
		})
		if err != nil {
			return all, err
		}
		tasks, err := openTasks(s, log)
		if err != nil {
			return all, err
		}
		node, err := machineName(cfg.Replica)
		if err != nil {
			return all, err
		}
		collectors, backs, err := openCollectors(s, node, log)
		tasks = append(tasks, backs...)
		c := servicenet.Config{
			Name: s.Name, Tasks: tasks, Collectors: collectors, Free: freeJobs(st, f),
			Paused: paused, Cursor: services.PausedCursor(s.Name), PausedYes: services.PausedYes, Redact: s.Redact, Log: log,
		}
		all = append(all, servicenet.New(c))
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// openTasks returns what does the tasks of a service, but for those that only read a text.
func openTasks(s config.Service, log *slog.Logger) (tasks []servicenet.Task, _ error) {
	for _, t := range s.Tasks {
		if t.Kind() == "torch" {
			continue
		}
		run, err := openTask(t, log.With("service", s.Name, "task", t.Name))
		if err != nil {
			for _, t := range tasks {
				t.Run.Close()
			}
			return nil, fmt.Errorf("task %s of the service %s: %w", t.Name, s.Name, err)
		}
		tasks = append(tasks, servicenet.Task{Name: t.Name, Run: run, Tries: t.Tries, Max: t.Max, Once: t.Retry == "never"})
	}
	return tasks, nil
}

func openTask(t config.ServiceTask, log *slog.Logger) (servicenet.Runner, error) {
	env, err := environment(t.Env)
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case "http":
		token := ""
		if !t.Token.IsZero() {
			if token, err = t.Token.Reveal(); err != nil {
				return nil, fmt.Errorf("its token: %w", err)
			}
		}
		return call.New(call.Config{URL: t.HTTP, Token: token, Timeout: t.Timeout, Text: t.Output == "text", Max: t.Max})
	case "wasm":
		return wasm.New(context.Background(), wasm.Config{
			Path: t.Wasm, Timeout: t.Timeout, Text: t.Output == "text", Max: t.Max, Memory: int64(t.Memory) << 20, Env: env, Log: log,
		})
	}
	return exec.New(exec.Config{
		Argv: t.Run, Folder: t.Folder, Timeout: t.Timeout, Text: t.Output == "text", Warm: t.Warm, Min: t.Min, Max: t.Max,
		Memory: int64(t.Memory) << 20, Groups: exec.Delegated(), Env: env, Log: log,
	})
}

// allNetworks are the networks that are configured, the console, and the services.
func allNetworks(cfg config.Config) []protocol.Network {
	all := append(cfg.Networks(), protocol.Console)
	for _, s := range cfg.Services {
		all = append(all, protocol.ServiceNetwork(s.Name))
	}
	return all
}

func jobsOf(st *store.Store, f *services.Feature) func(services.JobQuery) (services.JobPage, error) {
	return func(q services.JobQuery) (page services.JobPage, err error) {
		err = st.View(func(tx *store.Tx) error {
			page = f.Jobs(tx, q)
			return nil
		})
		return page, err
	}
}

// order returns what follows the orders of operators to services.
func (n *networks) order(st *store.Store, f *services.Feature) func(context.Context, control.ServiceOrder) (string, error) {
	find := func(name string) (*servicenet.Adapter, error) {
		for _, s := range n.services {
			if is, _ := s.Network().Service(); is == name {
				return s, nil
			}
		}
		return nil, fmt.Errorf("there is no service %s; `moot service` lists those that there are", protocol.Quoted(name, 40))
	}
	return func(ctx context.Context, o control.ServiceOrder) (string, error) {
		if o.What == string(protocol.OrderRetry) || o.What == string(protocol.OrderDrop) {
			return orderJob(ctx, st, f, find, o)
		}
		s, err := find(o.Service)
		if err != nil {
			return "", err
		}
		switch o.What {
		case "pause":
			return fmt.Sprintf("%s is paused: no task begins until `moot service up %s`. Those under way go on.", o.Service, o.Service), s.Pause(ctx, true)
		case "up":
			return fmt.Sprintf("%s is up.", o.Service), s.Pause(ctx, false)
		case string(protocol.OrderRun):
			err := s.Order(ctx, s.Room("run"), protocol.Order{What: protocol.OrderRun, Text: o.Text})
			return fmt.Sprintf("%s has a job. `moot service jobs --service %s` shows how far it is.", o.Service, o.Service), err
		}
		return "", fmt.Errorf("there is no order %q", o.What)
	}
}

// orderJob follows an order about one job.
func orderJob(
	ctx context.Context, st *store.Store, f *services.Feature, find func(string) (*servicenet.Adapter, error), o control.ServiceOrder,
) (string, error) {
	var job services.JobLine
	err := st.View(func(tx *store.Tx) (err error) {
		job, err = f.Find(tx, o.Job)
		return err
	})
	if errors.Is(err, services.ErrNoJob) || errors.Is(err, services.ErrManyJobs) {
		return "", fmt.Errorf("%w; `moot service jobs` lists them", err)
	}
	if err != nil {
		return "", err
	}
	if o.What == string(protocol.OrderRetry) && job.State != services.Failed && job.State != services.Ambiguous {
		return "", fmt.Errorf("job %s is %s; %w", job.Job, job.State, services.ErrNotFailed)
	}
	s, err := find(job.Service)
	if err != nil {
		return "", err
	}
	err = s.Order(ctx, protocol.RoomID(job.Scope), protocol.Order{What: protocol.OrderKind(o.What), Job: job.Job})
	if err != nil {
		return "", err
	}
	if o.What == string(protocol.OrderDrop) {
		return fmt.Sprintf("Job %s is gone. A task that runs is not stopped.", job.Job), nil
	}
	return fmt.Sprintf("Job %s is tried again.", job.Job), nil
}

// hooks returns what answers the webhooks of the services; nil where none has one.
func (n *networks) hooks(cfg config.Config, log *slog.Logger) (http.Handler, error) {
	var mux *http.ServeMux
	for i, s := range cfg.Services {
		if s.Webhook == "off" {
			continue
		}
		secret, err := s.WebhookSecret.Reveal()
		if err != nil {
			return nil, fmt.Errorf("webhook_secret in [[service]] %s: %w", s.Name, err)
		}
		adapter := n.services[i]
		h, err := hook.New(hook.Config{
			Form: hook.Form(s.Webhook), Secret: []byte(secret), PerMinute: s.WebhookRate, Now: time.Now, Log: log.With("service", s.Name),
			Deliver: func(ctx context.Context, d hook.Delivery) error {
				return adapter.Collect(ctx, d.ID, protocol.Collected{Kind: "webhook", Name: d.Event, Data: d.Data})
			},
		})
		if err != nil {
			return nil, err
		}
		if mux == nil {
			mux = http.NewServeMux()
		}
		mux.Handle(watch.HookPath+s.Name, h)
	}
	if mux == nil {
		return nil, nil
	}
	return mux, nil
}
