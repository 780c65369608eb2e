package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"moot/internal/span"
	"moot/protocol"
)

const (
	maxName        = 40 // characters of a name
	maxPrefix      = 20 // characters of a prefix
	maxPrefixBytes = 32
)

// check finds what no single value tells.
func (d *decoder) check(c *Config) {
	if c.Data == "" || strings.ContainsRune(c.Data, 0) {
		d.complain([]string{"data"}, `data: expected the name of a folder, such as "data"`)
	}
	data, err := home(c.Data)
	if err != nil {
		d.complain([]string{"data"}, "data: %v", err)
	}
	c.Data = data
	if c.Matrix.Avatar, err = home(c.Matrix.Avatar); err != nil {
		d.complain([]string{"matrix", "avatar"}, "avatar in [matrix]: %v", err)
	}
	if c.Log.File, err = home(c.Log.File); err != nil {
		d.complain([]string{"log", "file"}, "file in [log]: %v", err)
	}
	if c.Name == "" || protocol.OneLine(c.Name) != c.Name || protocol.Shorten(c.Name, maxName) != c.Name {
		d.complain([]string{"name"}, `name: expected 1 to %d characters on one line, such as "moot"`, maxName)
	}
	d.people([]string{"operators"}, c.Operators)
	d.people([]string{"invites", "people"}, c.Invites.People)
	d.servers([]string{"invites", "servers"}, c.Invites.Servers)
	d.prefixes(c.Commands.Prefixes)
	d.matrix(c.Matrix)
	d.discord(c.Discord)
	d.http(&c.HTTP)
	d.nodes(&c.Nodes, c.Discord)
	d.replica(c)
	d.services(c)
	if c.Commands.MaxAge > c.Store.Retention && !d.faulty("store") {
		d.complain([]string{"commands", "max_age"}, "max_age in [commands]: it is longer than retention in [store] (%q), after which the bot cannot tell whether it has seen a command before",
			span.Format(c.Store.Retention))
	}
	if !d.faulty("votes") && !d.faulty("events") && !d.faulty("store") {
		d.votes(c) // it compares values with one another
	}
}

// home returns a path that begins with ~ with the home folder in its place.
func home(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	switch {
	case !ok:
		return path, nil
	case rest != "" && rest[0] != '/' && rest[0] != filepath.Separator:
		return path, fmt.Errorf(`%s begins with the home folder of somebody, which is not looked up: write the whole path, or "~/" for your own`, describe(path))
	}
	folder, err := os.UserHomeDir()
	if err != nil {
		return path, fmt.Errorf("%s is in the home folder, and nobody says where that is (%w): write the whole path", describe(path), err)
	}
	return filepath.Join(folder, rest), nil
}

// people finds what is wrong with a list of people.
func (d *decoder) people(path []string, ids []protocol.UserID) {
	name := key(path)
	for i, id := range ids {
		network, local, ok := strings.Cut(string(id), ":")
		switch {
		case protocol.CheckID(string(id)) != nil || !ok || network == "" || local == "":
			d.complain(path, `%s: %s is not the identifier of a person: write the network, a colon, and the person as the network writes them, such as "console:ann" or "matrix:@ann:example.org"`, name, describe(string(id)))
		case !slices.Contains(knownNetworks, protocol.Network(network)):
			text := "the networks are " + quoteNetworks()
			if near := nearest(network, networkNames()); near != "" {
				text = "did you mean " + near + "?"
			}
			d.complain(path, "%s: in %s there is no network called %s; %s", name, describe(string(id)), describe(network), text)
		case !personForms()[network].MatchString(local):
			d.complain(path, "%s: %s can be nobody: %s", name, describe(string(id)), personHints[network])
		case slices.Contains(ids[:i], id):
			d.complain(path, "%s: %s stands there twice", name, describe(string(id)))
		}
	}
}

// personForms are what people are called on each network, and personHints say it.
// (Matrix specification, appendix "User Identifiers"; Discord documentation, "Snowflakes".)
var (
	personForms = sync.OnceValue(func() map[string]*regexp.Regexp { // a millisecond, which few starts need
		return map[string]*regexp.Regexp{
			"console": regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{Lm}\p{M}\p{Nd}._-]+$`),
			"matrix":  regexp.MustCompile(`^@[^:\s/]+:([A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`),
			"discord": regexp.MustCompile(`^[1-9][0-9]{14,19}$`),
		}
	})
	personHints = map[string]string{
		"console": `in the console people have one word in small letters, such as "console:ann"`,
		"matrix":  `write "matrix:", the sign @, the name, a colon and the server, such as "matrix:@ann:example.org"`,
		"discord": `Discord knows people by a number, such as "discord:80351110224678912": switch on Developer Mode in its settings, ` +
			`then "Copy User ID" in the menu of the person`,
	}
)

// serverName is the form of the name of a server: a host, and perhaps a port (Matrix specification, appendix "Server Name").
var serverName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)
})

// servers finds what is wrong with a list of servers.
func (d *decoder) servers(path []string, names []string) {
	for i, name := range names {
		switch {
		case !serverName().MatchString(name):
			d.complain(path, `%s: %s is not the name of a server: write what stands behind the colon in the identifiers of its people, such as "example.org"`, key(path), describe(name))
		case slices.Contains(names[:i], name):
			d.complain(path, "%s: %s stands there twice", key(path), describe(name))
		}
	}
}

// matrix checks the account on Matrix (spec, appendices, "User identifiers" and "Server name").
func (d *decoder) matrix(m Matrix) {
	at := func(key string) []string { return []string{"matrix", key} }
	given := func(key string, s Secret) {
		if !s.IsZero() && !m.Enabled() {
			d.complain(at(key), `%s in [matrix]: it belongs to an account; write which one, as in user = "@moot:example.org"`, key)
		}
	}
	given("access_token", m.AccessToken)
	given("password", m.Password)
	given("recovery_key", m.RecoveryKey)
	if m.User != "" {
		name, server, whole := strings.Cut(strings.TrimPrefix(m.User, "@"), ":")
		switch {
		case protocol.CheckID(m.User) != nil || len(m.User) > 255 || name == "" || strings.ContainsAny(m.User, " /") || whole && !isServerName(server):
			d.complain(at("user"), `user in [matrix]: %s is no account: write "@moot:example.org"`, describe(m.User))
		case whole && m.User[0] != '@':
			d.complain(at("user"), `user in [matrix]: the sign @ is missing: write "@%s"`, protocol.Shorten(m.User, 60))
		case !whole && m.Homeserver == "":
			d.complain(at("user"), `user in [matrix]: the server is missing: write "@%s:example.org", or name it as homeserver`, protocol.Shorten(name, 60))
		}
	}
	if base, _, api := strings.Cut(m.Homeserver, "/_matrix"); api && isWebAddress(base) {
		d.complain(at("homeserver"), `homeserver in [matrix]: the bot adds /_matrix by itself: write "%s"`, base)
	} else if m.Homeserver != "" && !isServerName(m.Homeserver) && !isWebAddress(m.Homeserver) {
		d.complain(at("homeserver"), `homeserver in [matrix]: %s is neither the name of a server, such as "example.org", nor an address, such as "https://matrix.example.org"`, describe(m.Homeserver))
	}
	if !m.Password.IsZero() && m.User == "" {
		d.complain(at("password"), `password in [matrix]: of which account? Write it as in user = "@moot:example.org"`)
	}
}

// http finds what is wrong with the address on which the bot is watched, and puts the home folder into it.
func (d *decoder) http(c *HTTP) {
	at := []string{"http", "listen"}
	if c.Page && (c.Listen == "" || strings.HasPrefix(c.Listen, "unix:")) {
		d.complain([]string{"http", "page"}, `page in [http]: a browser needs an address; write one as in listen = "127.0.0.1:9617"`)
	}
	if c.Listen == "" {
		return
	}
	if path, ok := strings.CutPrefix(c.Listen, "unix:"); ok {
		path, err := home(path)
		if err == nil && path == "" {
			err = errors.New(`which socket? Write its path, as in "unix:/run/moot/http.sock"`)
		}
		if err != nil {
			d.complain(at, "listen in [http]: %v", err)
			return
		}
		c.Listen = "unix:" + path
		return
	}
	host, port, err := net.SplitHostPort(c.Listen)
	_, perr := strconv.ParseUint(port, 10, 16)
	ip, ierr := netip.ParseAddr(host)
	switch {
	case err != nil || perr != nil:
		d.complain(at, `listen in [http]: %s is not an address such as "127.0.0.1:9617" or "unix:/run/moot/http.sock"`, describe(c.Listen))
	case host != "localhost" && (ierr != nil || !ip.IsLoopback()):
		d.complain(at, `listen in [http]: %s can be reached from other machines, and nobody is asked who they are there; write "127.0.0.1:%s", and let a web server before it decide`, describe(c.Listen), port)
	}
}

// nodes finds what is wrong with where nodes connect, and puts the home folder into it.
func (d *decoder) nodes(c *Nodes, discord Discord) {
	at := func(key string) []string { return []string{"nodes", key} }
	for key, path := range map[string]*string{"certificate": &c.Certificate, "key": &c.Key, "authority": &c.Authority} {
		whole, err := home(*path)
		if err != nil {
			d.complain(at(key), "%s in [nodes]: %v", key, err)
		}
		*path = whole
	}
	key, places := "listen", []*string{&c.Listen}
	if c.Listen == "" {
		key, places = "writers", nil
	}
	for i := range c.Writers {
		places = append(places, &c.Writers[i])
	}
	if len(places) > 0 && !discord.Enabled() {
		d.complain(at(key), "%s in [nodes]: nodes connect Discord, which is not switched on; write its token in [discord]", key)
	}
	for i, place := range places {
		if key = "writers"; i == 0 && c.Listen != "" {
			key = "listen"
		}
		d.nodeAddress(at(key), key, place, *c)
	}
}

// nodeAddress finds what is wrong with an address at which the processes of a bot find one another, and puts the home folder into it.
func (d *decoder) nodeAddress(at []string, key string, address *string, c Nodes) {
	if path, ok := strings.CutPrefix(*address, "unix:"); ok {
		path, err := home(path)
		if err == nil && path == "" {
			err = errors.New(`which socket? Write its path, as in "unix:/run/moot/nodes.sock"`)
		}
		if err != nil {
			d.complain(at, "%s in [nodes]: %v", key, err)
			return
		}
		*address = "unix:" + path
		return
	}
	host, port, err := net.SplitHostPort(*address)
	_, perr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || perr != nil || host == "":
		d.complain(at, `%s in [nodes]: %s is neither a socket, such as "unix:/run/moot/nodes.sock", nor an address, such as "10.0.0.5:7400"`, key, describe(*address))
	case c.Certificate == "" || c.Key == "" || c.Authority == "":
		d.complain(at, "%s in [nodes]: at an address others could pass for a node; write certificate, key and authority too, or take a socket (unix:)", key)
	}
}

// logName is what a log of changes may be called: it becomes a part of names on servers.
var logName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// replica finds what cannot be where several machines share a bot.
func (d *decoder) replica(c *Config) {
	at := func(key string) []string { return []string{"replica", key} }
	if !logName.MatchString(c.Replica.Name) {
		d.complain(at("name"), "name in [replica]: %s has to begin with a small letter, and to have no more than 32 of a to z, 0 to 9, - and _", describe(c.Replica.Name))
	}
	if protocol.OneLine(c.Replica.Node) != c.Replica.Node || protocol.Shorten(c.Replica.Node, maxName) != c.Replica.Node {
		d.complain(at("node"), `node in [replica]: expected at most %d characters on one line, such as "left"`, maxName)
	}
	if c.Replica.Enabled() && c.Console.Enabled {
		d.complain([]string{"console", "enabled"}, "enabled in [console]: the console is on one machine, and [replica] is for a bot that several share")
	}
}

// discord checks the application on Discord.
func (d *decoder) discord(c Discord) {
	at := func(key string) []string { return []string{"discord", key} }
	switch {
	case c.Enforcement == "role" && c.EnforcementRole == "":
		d.complain(at("enforcement"), `enforcement in [discord]: which role? Write it as in enforcement_role = "Challenged"`)
	case c.Enforcement != "role" && c.EnforcementRole != "":
		d.complain(at("enforcement_role"), `enforcement_role in [discord]: a role is only given with enforcement = "role"`)
	}
	if c.APIURL != "" && !isWebAddress(c.APIURL) {
		d.complain(at("api_url"), `api_url in [discord]: %s is not an address such as "https://discord.com/api/v10"`, describe(c.APIURL))
	}
	if u, err := url.Parse(c.GatewayURL); c.GatewayURL != "" && (err != nil || u.Scheme != "wss" && u.Scheme != "ws" || u.Hostname() == "" || u.User != nil) {
		d.complain(at("gateway_url"), `gateway_url in [discord]: %s is not an address such as "wss://gateway.discord.gg"`, describe(c.GatewayURL))
	}
}

// isServerName tells whether s can be the name of a server: a host, and a port where there is one.
func isServerName(s string) bool {
	u, err := url.Parse("https://" + s)
	return err == nil && u.Host == s && u.Hostname() != "" && strings.Trim(u.Hostname(), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:") == ""
}

// isWebAddress tells whether s can be the address of a server: without user, query and fragment, which a base of other
// addresses cannot have.
func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// knownNetworks are those that an identifier may belong to, also where this version cannot connect to all of them: a
// file may be shared by several versions.
var knownNetworks = []protocol.Network{protocol.Console, "matrix", "discord"}

func networkNames() []string {
	names := make([]string, len(knownNetworks))
	for i, n := range knownNetworks {
		names[i] = string(n)
	}
	return names
}

func quoteNetworks() string { return strings.Join(networkNames(), ", ") }

func (d *decoder) prefixes(prefixes []string) {
	path := []string{"commands", "prefixes"}
	if len(prefixes) == 0 {
		d.complain(path, `prefixes in [commands]: expected at least one, such as ["!moot"]`)
	}
	for i, p := range prefixes {
		switch {
		case p == "" || len(p) > maxPrefixBytes || protocol.Shorten(p, maxPrefix) != p || strings.Join(strings.Fields(protocol.Clean(p)), "") != p:
			d.complain(path, `prefixes in [commands]: %s cannot be one: expected 1 to %d characters without a space, such as "!moot"`, describe(p), maxPrefix)
		case strings.HasPrefix(p, "/"):
			d.complain(path, `prefixes in [commands]: %s begins with a slash, which chat programs keep for themselves; take another sign, such as "!"`, describe(p))
		case slices.Contains(prefixes[:i], p):
			d.complain(path, "prefixes in [commands]: %s stands there twice", describe(p))
		}
	}
}
