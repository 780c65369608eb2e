package config

import (
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/protocol"
	"moot/protocol/service/schedule"
)

// Service is something that the bot does by programs of the operator: what begins a job, who may, the tasks of it, and where
// their answer goes. docs/services.md leads through it.
type Service struct {
	// Name is what it is called, everywhere but in its commands.
	Name string `toml:"name" like:"dice"`
	// Who may use it.
	Who string `toml:"who" oneof:"operators moderators everybody"`
	// Rooms are those in which it may be used; none means all.
	Rooms []protocol.RoomID `toml:"rooms"`
	// To are the rooms in which its answers are said; none means where the job came from.
	To []protocol.RoomID `toml:"to"`
	// Private is whether the person alone sees the answer.
	Private bool `toml:"private"`
	// Progress is what is said until the answer takes its place.
	Progress string `toml:"progress" like:"A moment…"`
	// Pattern begins a job for each message in Rooms that it fits.
	Pattern string `toml:"pattern" like:"(?i)^good bot"`
	// Schedule begins a job at times, in the time zone Timezone; Missed is what becomes of those that were missed, and Text is
	// what such a job is given.
	Schedule string `toml:"schedule" like:"0 9 * * mon-fri"`
	Timezone string `toml:"timezone" like:"Europe/Berlin"`
	Missed   string `toml:"missed" oneof:"skip once"`
	Text     string `toml:"text" like:"Good morning!"`
	// Webhook is how those sign with WebhookSecret who post what begins a job, and WebhookRate how many a minute are taken.
	Webhook       string `toml:"webhook" oneof:"off github gitea plain"`
	WebhookSecret Secret `toml:"webhook_secret"`
	WebhookRate   int    `toml:"webhook_rate" min:"1" max:"6000"`
	// Queue is how many jobs of one conversation may wait, and Keep how long jobs are listed that are done.
	Queue int           `toml:"queue" min:"1" max:"100000"`
	Keep  time.Duration `toml:"keep" min:"1m" max:"365d"`
	// As is the operator for whom the tasks may give the commands in Allow.
	As    protocol.UserID `toml:"as"`
	Allow []string        `toml:"allow"`
	// Redact are the names of values that are shown to nobody.
	Redact []string `toml:"redact"`

	Commands   []ServiceCommand   `toml:"command"`
	Collectors []ServiceCollector `toml:"collector"`
	Tasks      []ServiceTask      `toml:"task"`
}

// ServiceCommand is a command that begins a job.
type ServiceCommand struct {
	Name     string   `toml:"name" like:"roll"`
	Summary  string   `toml:"summary" like:"roll dice"`
	Help     string   `toml:"help" like:"Rolls dice, and adds them up."`
	Examples []string `toml:"examples"`
	// Params are what it takes, each as ParseParam reads it.
	Params []string `toml:"params"`
}

// ServiceTask is a program, an address or a module that works on a job.
type ServiceTask struct {
	Name string `toml:"name" like:"roll"`
	// Run is the program and its arguments. HTTP is the address that is called instead, with Token if it is set, and Wasm the module
	// that is run instead; a relative one in a file counts from Folder.
	Run   []string `toml:"run"`
	HTTP  string   `toml:"http" like:"https://example.org/task"`
	Token Secret   `toml:"token"`
	Wasm  string   `toml:"wasm" like:"filter.wasm"`
	// Torch are the commands of the service as one of which the text of the job is read, for the tasks behind it.
	Torch []string `toml:"torch"`
	// Folder is where it runs; a relative one in a file counts from the folder of that file.
	Folder string `toml:"folder" like:"dice"`
	// Output is what it writes.
	Output string `toml:"output" oneof:"json text"`
	// Retry is whether it may run again when nobody knows what came of it, and Tries how often it is tried.
	Retry   string        `toml:"retry" oneof:"safe never"`
	Tries   int           `toml:"tries" min:"1" max:"100"`
	Timeout time.Duration `toml:"timeout" min:"100ms" max:"1d"`
	// Warm is whether a process serves one job after another: Min are always there, and Max at most. Lazy is one at most, and
	// none before it is needed.
	Warm bool `toml:"warm"`
	Lazy bool `toml:"lazy"`
	Min  int  `toml:"min" min:"0" max:"100"`
	Max  int  `toml:"max" min:"1" max:"100"`
	// Memory is how many MiB a process may have of its own; zero means no limit.
	Memory int `toml:"memory" min:"0" max:"1000000"`
	// Env are the variables of the bot's environment that it gets.
	Env []string `toml:"env"`
}

// Kind returns by what it is done: "run", "http", "wasm" or "torch"; zero where that is not one of them.
func (t ServiceTask) Kind() string {
	return oneOf(map[string]bool{"run": len(t.Run) > 0 && t.Run[0] != "", "http": t.HTTP != "", "wasm": t.Wasm != "", "torch": len(t.Torch) > 0})
}

// oneOf returns the one name that is true; zero where there is none, or several.
func oneOf(names map[string]bool) (one string) {
	for name, is := range names {
		switch {
		case is && one != "":
			return ""
		case is:
			one = name
		}
	}
	return one
}

// elements are what the elements of lists of tables hold before they are read.
var elements = map[reflect.Type]any{
	reflect.TypeFor[Service]():          Service{Who: "operators", Missed: "skip", Webhook: "off", WebhookRate: 60, Queue: 100, Keep: 7 * day},
	reflect.TypeFor[ServiceCommand]():   ServiceCommand{},
	reflect.TypeFor[ServiceCollector](): ServiceCollector{Namespace: "DEFAULT", Timeout: 30 * time.Second, Memory: 512},
	reflect.TypeFor[ServiceTask]():      ServiceTask{Output: "json", Retry: "safe", Tries: 5, Timeout: 30 * time.Second, Max: 4, Memory: 512},
}

// isTables tells whether a field is a list of tables, which is written [[name]].
func isTables(f reflect.StructField) bool {
	return f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct
}

// tables reads a list of tables.
func (d *decoder) tables(into reflect.Value, path []string, value any) {
	list, ok := value.([]map[string]any)
	if !ok {
		d.complain(path, "%s is a list of sections: write [[%s]], and the keys of each below it", path[len(path)-1], strings.Join(names(path), "."))
		return
	}
	out := reflect.MakeSlice(into.Type(), len(list), len(list))
	for i, values := range list {
		out.Index(i).Set(reflect.ValueOf(elements[into.Type().Elem()]))
		d.table(out.Index(i), append(slices.Clone(path), numberMark+strconv.Itoa(i)), values)
	}
	into.Set(out)
}

// numberMark begins the part of a path that is the number of an element in a list of tables, counted from 0.
const numberMark = "#"

// names returns a path without the numbers in it.
func names(path []string) []string {
	return slices.DeleteFunc(slices.Clone(path), func(s string) bool { return strings.HasPrefix(s, numberMark) })
}

var (
	serviceName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// services finds what is wrong with services.
func (d *decoder) services(c *Config) {
	seen := map[string]bool{}
	for i := range c.Services {
		s := &c.Services[i]
		at := func(key string) []string { return []string{"service", numberMark + strconv.Itoa(i), key} }
		switch {
		case !serviceName.MatchString(s.Name):
			d.complain(at("name"), `name in [[service]]: expected a word of a-z, 0-9 and -, such as "dice", and not %s`, describe(s.Name))
		case seen[s.Name]:
			d.complain(at("name"), "name in [[service]]: two services are called %s", describe(s.Name))
		}
		seen[s.Name] = true
		d.places(at("rooms"), s.Rooms)
		d.places(at("to"), s.To)
		d.beginnings(at, c, s)
		d.webhook(at, c, s)
		for n := range s.Collectors {
			in := []string{"service", numberMark + strconv.Itoa(i), "collector", numberMark + strconv.Itoa(n)}
			d.collector(func(key string) []string { return append(slices.Clone(in), key) }, s, n)
		}
		if len(s.Tasks) == 0 {
			d.complain(at("task"), "[[service]] %s: it has no [[service.task]], and so does nothing", s.Name)
		}
		for n := range s.Tasks {
			in := []string{"service", numberMark + strconv.Itoa(i), "task", numberMark + strconv.Itoa(n)}
			d.serviceTask(func(key string) []string { return append(slices.Clone(in), key) }, s.Tasks, n)
			d.torch(func(key string) []string { return append(slices.Clone(in), key) }, s, n)
		}
		for n, command := range s.Commands {
			in := []string{"service", numberMark + strconv.Itoa(i), "command", numberMark + strconv.Itoa(n)}
			for _, p := range command.Params {
				if _, err := ParseParam(p); err != nil {
					d.complain(append(slices.Clone(in), "params"), "params in [[service.command]]: %s: %v", describe(p), err)
				}
			}
			if command.Name == "" || command.Summary == "" {
				d.complain(append(slices.Clone(in), "name"), `[[service.command]]: expected a name and a summary, such as "roll" and "roll dice"`)
			}
		}
	}
}

// beginnings finds what is wrong with what begins the jobs of a service.
func (d *decoder) beginnings(at func(string) []string, c *Config, s *Service) {
	if s.Pattern != "" {
		if _, err := regexp.Compile(s.Pattern); err != nil {
			d.complain(at("pattern"), "pattern in [[service]]: %s is not a regular expression: %v", describe(s.Pattern), err)
		}
		if len(s.Rooms) == 0 {
			d.complain(at("pattern"), `pattern in [[service]]: in which rooms? Write them, as in rooms = ["console:lobby"]`)
		}
	}
	if s.Schedule != "" {
		if _, err := schedule.Parse(s.Schedule, s.Timezone); err != nil {
			d.complain(at("schedule"), "schedule in [[service]]: %s: %v", describe(s.Schedule), err)
		}
		if len(s.To) == 0 {
			d.complain(at("schedule"), `schedule in [[service]]: where is its answer to be said? Write it, as in to = ["console:lobby"]`)
		}
	} else if s.Timezone != "" {
		d.complain(at("timezone"), "timezone in [[service]]: it is for a schedule, and there is none")
	}
	if s.Progress != "" && (s.Private || len(s.To) > 0) {
		d.complain(at("progress"), "progress in [[service]]: the answer takes its place, and so cannot be private or go to rooms (to)")
	}
	switch {
	case s.As == "" && len(s.Allow) > 0:
		d.complain(at("allow"), `allow in [[service]]: for which operator are these commands given? Write it, as in as = "console:ann"`)
	case s.As != "" && !slices.Contains(c.Operators, s.As):
		d.complain(at("as"), "as in [[service]]: %s is none of the operators: nobody else has a service speak for them", describe(string(s.As)))
	case s.As != "" && len(s.Allow) == 0:
		d.complain(at("as"), `as in [[service]]: which commands may it give? Write them, as in allow = ["vote poll"]`)
	}
	for _, name := range s.Allow {
		if name != "vote poll" && name != "vote motion" && name != "vote elect" {
			d.complain(at("allow"), `allow in [[service]]: a service may give "vote poll", "vote motion" and "vote elect", and not %s`, describe(name))
		}
	}
	if s.Private && len(s.To) > 0 {
		d.complain(at("private"), "private in [[service]]: an answer that goes to rooms (to) is not private")
	}
}

// webhook finds what is wrong with the webhook of a service.
func (d *decoder) webhook(at func(string) []string, c *Config, s *Service) {
	switch {
	case s.Webhook == "off" && s.WebhookSecret.IsZero():
	case s.Webhook == "off":
		d.complain(at("webhook_secret"), `webhook_secret in [[service]]: for which form? Write it, as in webhook = "github"`)
	case s.WebhookSecret.IsZero():
		d.complain(at("webhook"), `webhook in [[service]]: which secret do both sides know? Write where it is, as in webhook_secret = { env = "DICE_SECRET" }`)
	case c.HTTP.Listen == "":
		d.complain(at("webhook"), `webhook in [[service]]: the bot listens nowhere; write [http] and listen = "127.0.0.1:9617"`)
	case len(s.To) == 0:
		d.complain(at("webhook"), `webhook in [[service]]: where is its answer to be said? Write it, as in to = ["console:lobby"]`)
	}
}

func (d *decoder) serviceTask(at func(string) []string, tasks []ServiceTask, n int) {
	t := &tasks[n]
	switch u, err := url.Parse(t.HTTP); {
	case t.Kind() == "" && t.HTTP == "" && t.Wasm == "" && len(t.Torch) == 0:
		d.complain(at("run"), `run in [[service.task]]: expected a program and its arguments, such as ["python3", "roll.py"], or http, or wasm, or torch`)
	case t.Kind() == "":
		d.complain(at("run"), "[[service.task]]: expected one of run, http, wasm and torch")
	case t.Kind() != "run" && (t.Warm || t.Lazy || t.Min > 0):
		d.complain(at("warm"), "warm, lazy and min in [[service.task]] are for programs (run)")
	case t.Kind() == "http" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		d.complain(at("http"), `http in [[service.task]]: expected an address such as "https://example.org/task", and not %s`, describe(t.HTTP))
	case t.Kind() == "http" && len(t.Env) > 0:
		d.complain(at("env"), "env in [[service.task]]: what is called by http has no environment")
	case t.Kind() != "http" && !t.Token.IsZero():
		d.complain(at("token"), "token in [[service.task]] is for what is called by http")
	case t.Warm && t.Output == "text":
		d.complain(at("warm"), `warm in [[service.task]]: a process that serves many jobs writes a line of JSON for each; it cannot have output = "text"`)
	case !t.Warm && (t.Min > 0 || t.Lazy):
		d.complain(at("warm"), "min and lazy in [[service.task]] are for processes that serve many jobs: write warm = true")
	case t.Lazy && t.Min > 0:
		d.complain(at("lazy"), "lazy in [[service.task]]: then none is there before it is needed, and min is 0")
	case t.Min > t.Max:
		d.complain(at("min"), "min in [[service.task]]: it is more than max (%d)", t.Max)
	}
	if t.Lazy {
		t.Max = 1
	}
	if t.Name == "" {
		t.Name = fmt.Sprintf("task-%d", n+1)
	}
	if !serviceName.MatchString(t.Name) || slices.ContainsFunc(tasks[:n], func(o ServiceTask) bool { return o.Name == t.Name }) {
		d.complain(at("name"), "name in [[service.task]]: expected a word of a-z, 0-9 and - that no other task of the service has, and not %s", describe(t.Name))
	}
	d.variables(at("env"), t.Env)
}

// torch finds what is wrong with a task that reads texts as commands.
func (d *decoder) torch(at func(string) []string, s *Service, n int) {
	t := s.Tasks[n]
	if len(t.Torch) == 0 {
		return
	}
	if n == len(s.Tasks)-1 {
		d.complain(at("torch"), "torch in [[service.task]]: it reads a command for the tasks behind it, and there is none")
	}
	if t.Retry != "safe" || t.Output != "json" || len(t.Env) > 0 {
		d.complain(at("torch"), "torch in [[service.task]]: it runs nothing, so that retry, output and env mean nothing")
	}
	for _, name := range t.Torch {
		i := slices.IndexFunc(s.Commands, func(c ServiceCommand) bool { return c.Name == name })
		if i < 0 {
			d.complain(at("torch"), "torch in [[service.task]]: the service has no [[service.command]] %s", describe(name))
			continue
		}
		for _, text := range s.Commands[i].Params {
			if p, err := ParseParam(text); err == nil && p.Kind == "person" {
				d.complain(at("torch"), "torch in [[service.task]]: a text cannot be read as %s, since %s is a person, whom only a room knows", describe(name), p.Name)
			}
		}
	}
}

// variables finds what is wrong with a list of names of variables.
func (d *decoder) variables(path []string, names []string) {
	for _, name := range names {
		if !variableName.MatchString(name) || strings.HasPrefix(name, "MOOT_") {
			d.complain(path, `%s: expected names of variables, such as "API_TOKEN", that do not begin with MOOT_, and not %s`, key(path), describe(name))
		}
	}
}

// places finds what is wrong with a list of rooms.
func (d *decoder) places(path []string, rooms []protocol.RoomID) {
	for _, r := range rooms {
		if protocol.CheckID(string(r)) != nil || !slices.Contains(knownNetworks, r.Network()) || r.Local() == string(r) || r.Local() == "" {
			d.complain(path, `%s: %s is not a room: write the network, a colon, and the room as the network writes it, such as "console:lobby" or "matrix:!abc:example.org"`, key(path), describe(string(r)))
		}
	}
}

// Param is a parameter of a command of a service.
type Param struct {
	Name     string
	Kind     string   // word, text, integer, duration, person, choice or switch
	Choices  []string // of a choice
	Optional bool
	Summary  string
}

var (
	paramKinds = []string{"word", "text", "integer", "duration", "person", "switch"}
	paramForm  = regexp.MustCompile(`^([a-z0-9-]+)(?::([^\s?]+))?(\?)?(?:\s+(.+))?$`)
)

// ParseParam reads "NAME", "NAME:KIND" or "NAME:ONE|ANOTHER", with a question mark behind it where it may be left out, and then
// what it is for.
func ParseParam(s string) (Param, error) {
	m := paramForm.FindStringSubmatch(s)
	if m == nil {
		return Param{}, fmt.Errorf(`expected a name, perhaps a colon and its kind, a question mark where it may be left out, and what it is for, such as "dice:word? how many, and with how many sides"`)
	}
	p := Param{Name: m[1], Kind: m[2], Optional: m[3] != "", Summary: m[4]}
	switch {
	case p.Kind == "":
		p.Kind = "word"
	case strings.Contains(p.Kind, "|"):
		p.Kind, p.Choices = "choice", strings.Split(p.Kind, "|")
	case !slices.Contains(paramKinds, p.Kind):
		return p, fmt.Errorf("the kind is one of %s, or choices such as red|green, and not %s", strings.Join(paramKinds, ", "), describe(p.Kind))
	}
	if p.Summary == "" {
		p.Summary = p.Name
	}
	return p, nil
}
