package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// ServiceCollector is something that begins jobs of what it finds. It has one of Tail, Feed, Run and Botcannon.
type ServiceCollector struct {
	Name string `toml:"name" like:"log"`
	// Tail is a file; Match is what a line of it has to fit.
	Tail  string `toml:"tail" like:"/var/log/app.log"`
	Match string `toml:"match" like:"ERROR"`
	// Feed is the address of an RSS, Atom or JSON feed.
	Feed string `toml:"feed" like:"https://example.org/feed.xml"`
	// Run is a program and its arguments, and Folder where it runs; a relative one in a file counts from the folder of that file.
	Run    []string `toml:"run"`
	Folder string   `toml:"folder" like:"collector"`
	// Botcannon is the Redis of an installation of botcannon, a host and a port or the path of a socket, Password that of it, and
	// Namespace and Stream are the namespace and the service there of which the answers are read.
	Botcannon string `toml:"botcannon" like:"/run/redis/redis-server.sock"`
	Password  Secret `toml:"password"`
	Namespace string `toml:"namespace" like:"DEFAULT"`
	Stream    string `toml:"stream" like:"weather"`
	// Env are the variables of the bot's environment that the program gets, and Memory how many MiB it may have of its own; zero
	// means no limit.
	Env    []string `toml:"env"`
	Memory int      `toml:"memory" min:"0" max:"1000000"`
	// Back is whether the program takes back what the tasks have made of what it has found, within Timeout.
	Back    bool          `toml:"back"`
	Timeout time.Duration `toml:"timeout" min:"100ms" max:"1d"`
	// Every is how often the file is looked at, the feed asked, or the program started after it has ended well.
	Every time.Duration `toml:"every" min:"100ms" max:"365d"`
}

// Kind returns what it collects from: "tail", "feed", "run" or "botcannon"; zero where that is not one of them.
func (c ServiceCollector) Kind() string {
	return oneOf(map[string]bool{"tail": c.Tail != "", "feed": c.Feed != "", "run": len(c.Run) > 0 && c.Run[0] != "", "botcannon": c.Botcannon != ""})
}

// from resolves the paths of a collector from a folder.
func (c *ServiceCollector) from(folder string) {
	if !filepath.IsAbs(c.Folder) {
		c.Folder = filepath.Join(folder, c.Folder)
	}
	if c.Tail != "" && !filepath.IsAbs(c.Tail) {
		c.Tail = filepath.Join(folder, c.Tail)
	}
}

// usual is how often collectors look, where the configuration does not say.
var usual = map[string]time.Duration{"tail": time.Second, "feed": 15 * time.Minute}

// reserved are the conversations of a service that are no collectors.
var reserved = []string{"schedule", "webhook", "run"}

// collector finds what is wrong with a collector.
func (d *decoder) collector(at func(string) []string, s *Service, n int) {
	c := &s.Collectors[n]
	kind := c.Kind()
	if kind == "" {
		d.complain(at("tail"), "[[service.collector]]: expected one of tail, feed, run and botcannon, which say where it collects from")
		return
	}
	if c.Name == "" {
		c.Name = fmt.Sprintf("%s-%d", kind, n+1)
	}
	if !serviceName.MatchString(c.Name) || slices.Contains(reserved, c.Name) ||
		slices.ContainsFunc(s.Collectors[:n], func(o ServiceCollector) bool { return o.Name == c.Name }) {
		d.complain(at("name"), "name in [[service.collector]]: expected a word of a-z, 0-9 and - that no other collector of the service has, and not %s", describe(c.Name))
	}
	if c.Every == 0 {
		c.Every = usual[kind]
	}
	if _, err := regexp.Compile(c.Match); err != nil {
		d.complain(at("match"), "match in [[service.collector]]: %s is not a regular expression: %v", describe(c.Match), err)
	}
	switch u, err := url.Parse(c.Feed); {
	case kind != "tail" && c.Match != "":
		d.complain(at("match"), "match in [[service.collector]]: it is for the lines of a file (tail)")
	case kind != "run" && (c.Back || len(c.Env) > 0):
		d.complain(at("back"), "back and env in [[service.collector]] are for a program (run)")
	case kind == "botcannon" && (c.Stream == "" || c.Namespace == ""):
		d.complain(at("stream"), `stream in [[service.collector]]: expected the name that the service has in botcannon, such as "weather", and its namespace`)
	case kind != "botcannon" && (c.Stream != "" || !c.Password.IsZero()):
		d.complain(at("stream"), "stream and password in [[service.collector]] are for botcannon")
	case kind == "feed" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		d.complain(at("feed"), `feed in [[service.collector]]: expected an address such as "https://example.org/feed.xml", and not %s`, describe(c.Feed))
	case kind == "feed" && c.Every < time.Minute && !net.ParseIP(u.Hostname()).IsLoopback():
		d.complain(at("every"), "every in [[service.collector]]: a feed that is not on this machine is asked once a minute at most")
	case len(s.To) == 0 && !c.Back:
		d.complain(at(kind), `%s in [[service.collector]]: where is the answer to be said? Write it in [[service]], as in to = ["console:lobby"]`, kind)
	}
	d.variables(at("env"), c.Env)
}
