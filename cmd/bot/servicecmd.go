package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/watch"
	"moot/protocol"
	"moot/services"
)

func (a *app) serviceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Show services and their jobs, and try them",
		Long: `Services are what the bot does by programs of yours; config.toml declares them, and
docs/services.md leads through it. A job is what a service does because of one
message, one time of its schedule, or one order.

The states of jobs: pending (waits), running, done, failed (retry it once the
cause is gone, or drop it), ambiguous (a task that may run only once may have
run, or not: look, and then retry or drop it).`,
		Example: `  moot service                     list them
  moot service test dice roll 2d6  do its tasks here and now, without a bot
  moot service jobs --state failed
  moot service retry k3v9          by the beginning of the name of the job`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serviceList(cmd.Context()) },
	}
	a.jsonFlag(cmd)
	list := &cobra.Command{
		Use: "list", Short: "List the services", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serviceList(cmd.Context()) },
	}
	a.jsonFlag(list)
	show := &cobra.Command{
		Use: "show NAME", Short: "Show what a service does, and for whom", Args: exactly("NAME"), ValidArgsFunction: a.known(serviceNames),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := a.serviceNamed(args[0])
			if err != nil {
				return err
			}
			return showService(a.out, s)
		},
	}
	cmd.AddCommand(list, show, a.jobsCommand(), a.testCommand(), a.shellCommand(),
		a.serviceOrder("pause NAME", "Let no task of a service begin; those under way go on", nil, func(args []string) control.ServiceOrder {
			return control.ServiceOrder{What: "pause", Service: args[0]}
		}),
		a.serviceOrder("up NAME", "Let a service go on that was paused", nil, func(args []string) control.ServiceOrder {
			return control.ServiceOrder{What: "up", Service: args[0]}
		}),
		a.serviceOrder("run NAME [TEXT]", "Begin a job of a service, as if somebody had written the text", cobra.MinimumNArgs(1), func(args []string) control.ServiceOrder {
			return control.ServiceOrder{What: "run", Service: args[0], Text: strings.Join(args[1:], " ")}
		}),
		a.serviceOrder("retry JOB", "Try a job again that has failed, or is ambiguous", nil, func(args []string) control.ServiceOrder {
			return control.ServiceOrder{What: "retry", Job: args[0]}
		}),
		a.serviceOrder("drop JOB", "Forget a job", nil, func(args []string) control.ServiceOrder {
			return control.ServiceOrder{What: "drop", Job: args[0]}
		}))
	return cmd
}

// serviceOrder is a command that a running bot follows.
func (a *app) serviceOrder(use, short string, args cobra.PositionalArgs, order func([]string) control.ServiceOrder) *cobra.Command {
	if args == nil {
		_, what, _ := strings.Cut(use, " ")
		args = exactly(what)
	}
	complete := a.known(serviceNames)
	if strings.HasSuffix(use, " JOB") {
		complete = a.known(jobNames)
	}
	return &cobra.Command{
		Use: use, Short: short, Args: args, ValidArgsFunction: complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(func(c *control.Client, _ config.Config) error {
				text, err := c.Service(cmd.Context(), order(args))
				if err == nil {
					a.printf("%s\n", text)
				}
				return err
			})
		},
	}
}

// service returns a service of the configuration.
func (a *app) serviceNamed(name string) (config.Service, error) {
	cfg, _, err := a.load()
	if err != nil {
		return config.Service{}, err
	}
	for _, s := range cfg.Services {
		if s.Name == name {
			return s, nil
		}
	}
	return config.Service{}, fmt.Errorf("there is no service %s; `moot service` lists those that there are", protocol.Quoted(name, 40))
}

// serviceLine is a service as it is listed.
type serviceLine struct {
	Name   string         `json:"name"`
	State  string         `json:"state"` // up, paused, or down where no bot runs
	Begins []string       `json:"begins"`
	Jobs   map[string]int `json:"jobs"` // by state, of the last ones
}

func (a *app) serviceList(ctx context.Context) error {
	return a.ask(func(c *control.Client, cfg config.Config) error {
		status, err := c.Status(ctx)
		if err != nil && !errors.Is(err, control.ErrNoData) {
			return err
		}
		var all []serviceLine
		for _, s := range cfg.Services {
			line := serviceLine{Name: s.Name, State: "down", Begins: beginsOf(s), Jobs: map[string]int{}}
			for _, n := range status.Networks {
				if n.Network != protocol.ServiceNetwork(s.Name) {
					continue
				}
				if line.State = "paused"; n.Up {
					line.State = "up"
				}
			}
			page, err := c.Jobs(ctx, services.JobQuery{Service: s.Name})
			if err != nil && !errors.Is(err, control.ErrNoData) {
				return err
			}
			for _, j := range page.Jobs {
				line.Jobs[string(j.State)]++
			}
			all = append(all, line)
		}
		if a.json {
			return a.printJSON(all)
		}
		return showServices(a.out, all)
	})
}

func showServices(out io.Writer, all []serviceLine) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "There are no services. docs/services.md says how to write one.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tBEGINS WITH\tJOBS")
	for _, s := range all {
		var counts []string
		for _, state := range services.States() {
			if n := s.Jobs[string(state)]; n > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", n, state))
			}
		}
		if counts == nil {
			counts = []string{"none"}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, s.State, clean(strings.Join(s.Begins, "; ")), strings.Join(counts, ", "))
	}
	return w.Flush()
}

// beginsOf says what begins jobs of a service.
func beginsOf(s config.Service) (begins []string) {
	for _, c := range s.Commands {
		begins = append(begins, "the command "+c.Name)
	}
	if s.Pattern != "" {
		begins = append(begins, "what fits "+s.Pattern)
	}
	if s.Schedule != "" {
		zone := s.Timezone
		if zone == "" {
			zone = "UTC"
		}
		begins = append(begins, "the time "+s.Schedule+" ("+zone+")")
	}
	if s.Webhook != "off" {
		begins = append(begins, "what is posted to "+watch.HookPath+s.Name+" ("+s.Webhook+")")
	}
	for _, c := range s.Collectors {
		switch c.Kind() {
		case "tail":
			begins = append(begins, "lines of "+c.Tail)
		case "feed":
			begins = append(begins, "entries of "+c.Feed)
		case "botcannon":
			begins = append(begins, "answers of "+c.Stream+" (botcannon)")
		default:
			begins = append(begins, "what "+strings.Join(c.Run, " ")+" finds")
		}
	}
	if begins == nil {
		begins = []string{"`moot service run` alone"}
	}
	return begins
}

func showService(out io.Writer, s config.Service) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	list := func(ids []protocol.RoomID, none string) string {
		if len(ids) == 0 {
			return none
		}
		words := make([]string, len(ids))
		for i, id := range ids {
			words[i] = string(id)
		}
		return strings.Join(words, ", ")
	}
	fmt.Fprintln(out, s.Name)
	fmt.Fprintf(w, "  begins with\t%s\n", clean(strings.Join(beginsOf(s), "; ")))
	fmt.Fprintf(w, "  for\t%s\n", s.Who)
	fmt.Fprintf(w, "  in\t%s\n", clean(list(s.Rooms, "all rooms")))
	fmt.Fprintf(w, "  answers to\t%s\n", clean(list(s.To, "where it was asked")))
	fmt.Fprintf(w, "  may wait\t%d in each room or channel\n", s.Queue)
	for _, t := range s.Tasks {
		how := "one process for each job"
		switch {
		case t.Lazy:
			how = "one process for all jobs"
		case t.Warm:
			how = fmt.Sprintf("%d to %d processes that stay", t.Min, t.Max)
		}
		retry := "safe: tried " + times(t.Tries, "time") + " at most"
		if t.Retry == "never" {
			retry = "never: run once at most"
		}
		what := strings.Join(t.Run, " ")
		switch t.Kind() {
		case "http":
			what, how = "POST "+t.HTTP, times(t.Max, "call")+" at once"
		case "wasm":
			what, how = t.Wasm, times(t.Max, "job")+" at once, with memory of their own"
		case "torch":
			fmt.Fprintf(w, "  task %s\treads the text as one of the commands %s\n", t.Name, clean(strings.Join(t.Torch, ", ")))
			continue
		}
		fmt.Fprintf(w, "  task %s\t%s\n", t.Name, clean(what))
		fmt.Fprintf(w, "  \tin %s, within %s, %s, %s, retry %s\n", clean(t.Folder), t.Timeout, t.Output, how, retry)
	}
	return w.Flush()
}

func (a *app) jobsCommand() *cobra.Command {
	q := services.JobQuery{}
	var wanted []string
	cmd := &cobra.Command{
		Use: "jobs", Short: "List jobs, the last change first", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, s := range wanted {
				if !slices.Contains(services.States(), services.State(s)) {
					return usageErrorf("--state %q: write one of %s.", s, jobStates())
				}
				q.States = append(q.States, services.State(s))
			}
			return a.ask(func(c *control.Client, _ config.Config) error {
				page, err := c.Jobs(cmd.Context(), q)
				switch {
				case err != nil:
					return err
				case a.json:
					return a.printJSON(page)
				}
				return showJobs(a.out, page)
			})
		},
	}
	cmd.Flags().StringVar(&q.Service, "service", "", "only those of this service, by `NAME`")
	cmd.Flags().StringVar(&q.Job, "job", "", "only the `JOB` whose name begins so")
	cmd.Flags().StringArrayVar(&wanted, "state", nil, "only what is in this `STATE`; may be given several times")
	cmd.Flags().IntVar(&q.Limit, "limit", 50, "at most `N`")
	a.jsonFlag(cmd)
	completes(cmd, "service", a.known(serviceNames))
	completes(cmd, "job", a.known(jobNames))
	completes(cmd, "state", words(services.States()))
	return cmd
}

func jobStates() string {
	var words []string
	for _, s := range services.States() {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

func showJobs(out io.Writer, page services.JobPage) error {
	if len(page.Jobs) == 0 {
		_, err := fmt.Fprintln(out, "There are no such jobs.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tSERVICE\tSTATE\tTASK\tTRIES\tCHANGED\tFROM\tFAULT")
	for _, j := range page.Jobs {
		task := j.Task
		if task == "" {
			task = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", j.Job, j.Service, j.State, task, j.Tries, when(j.Changed), clean(j.From), protocol.Shorten(clean(j.Fault), 120))
	}
	more(w, page.More)
	return w.Flush()
}
