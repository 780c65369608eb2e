// Package config reads config.toml.
//
// # Promises
//
//   - The shipped config.toml is the manual: it names every key with its meaning, its unit and its default, and what it
//     says is what [Default] returns. A file of one's own needs only the keys that differ.
//   - Nothing is guessed. An unknown key, a value of the wrong type, without its unit or out of its range is a [Problem]
//     that says the file, the line and what to write instead. All problems of a file are reported together.
//   - What everybody can see to be meant is taken so, and [Config.Warnings] says it: white space around a value is left out,
//     and ~ at the beginning of a path is the home folder.
//   - A secret never stands in the file: it names an environment variable or a file, and [Secret] holds only that name.
//     Whatever prints or logs a Config prints no secret, and neither does any error of this package. What cannot be a token
//     is found before any network is asked: [Config.Secrets].
//
// A key that another version of the program needs has one field in [Config] with its range in the tags, one entry in
// Default and one in config.toml; the tests see to it that none of the three is forgotten.
package config

import (
	"path/filepath"
	"strings"
	"time"

	"moot/protocol"
)

// Config is what can be set. The keys of config.toml stand in the tags; min and max are the bounds of a value, and oneof
// are the only ones that it can have.
type Config struct {
	// Data is the folder of everything that the bot keeps. A relative one in a file counts from the folder of that file.
	Data string `toml:"data"`
	// Name is what the bot calls itself.
	Name string `toml:"name"`
	// Operators may do everything in every room.
	Operators []protocol.UserID `toml:"operators"`
	// StopTimeout is how long a stop waits for what is under way.
	StopTimeout time.Duration `toml:"stop_timeout" min:"100ms" max:"10m"`

	Log      Log      `toml:"log"`
	HTTP     HTTP     `toml:"http"`
	Commands Commands `toml:"commands"`
	Events   Events   `toml:"events"`
	Store    Store    `toml:"store"`
	Votes    Votes    `toml:"votes"`
	Privacy  Privacy  `toml:"privacy"`
	Console  Console  `toml:"console"`
	Invites  Invites  `toml:"invites"`
	Matrix   Matrix   `toml:"matrix"`
	Discord  Discord  `toml:"discord"`
	Nodes    Nodes    `toml:"nodes"`
	Replica  Replica  `toml:"replica"`
	// Services are what the bot does by programs of the operator.
	Services []Service `toml:"service"`

	odd Problems // what was read other than it stands there
}

// Log says what is logged, and how.
type Log struct {
	Level  string `toml:"level" oneof:"debug info warn error"`
	Format string `toml:"format" oneof:"text json"`
	// File is where the log is written; zero means the standard error, or a file in the data folder where somebody chats in the
	// terminal.
	File string `toml:"file" like:"moot.log"`
}

// HTTP says where the bot can be watched.
type HTTP struct {
	// Listen is an address of this machine, or "unix:" and the path of a socket; zero listens nowhere.
	Listen string `toml:"listen" like:"127.0.0.1:9617"`
	// Page is whether there is a page for operators, at an address.
	Page bool `toml:"page"`
}

// Commands says how people give commands.
type Commands struct {
	// Prefixes begin a command in a room. Each of them will do.
	Prefixes []string `toml:"prefixes"`
	// MaxAge is how old a command may be that is caught up after a pause.
	MaxAge time.Duration `toml:"max_age" min:"1s" max:"7d"`
	// RateBurst is how many commands a person may give at once, and RateEvery after what time one more is allowed.
	RateBurst int           `toml:"rate_burst" min:"1" max:"10000"`
	RateEvery time.Duration `toml:"rate_every" min:"1ms" max:"1h"`
}

// Events says how facts are kept.
type Events struct {
	// Window is how long facts stay in the store before they are archived or dropped.
	Window time.Duration `toml:"window" min:"1h" max:"3650d"`
	// History is how many facts are shown first where nobody says how many.
	History int `toml:"history" min:"1" max:"100000"`
}

// Store says how the one file is kept.
type Store struct {
	// Retention is for how long it is remembered what was seen and sent.
	Retention time.Duration `toml:"retention" min:"7d" max:"3650d"`
	// LockTimeout is how long a start waits for another process to let go of the file.
	LockTimeout time.Duration `toml:"lock_timeout" min:"100ms" max:"10m"`
}

// Privacy says how people are protected.
type Privacy struct {
	// HashKey is the key of the hashes that stand for forgotten people; zero means the one in the data folder.
	HashKey Secret `toml:"hash_key"`
}

// Console is the chat network in the terminal.
type Console struct {
	// Enabled is whether it runs beside other networks too. Where no network is switched on it always does.
	Enabled bool `toml:"enabled"`
	// Language is what the people at the terminal speak; zero means that of the environment.
	Language string `toml:"language" oneof:"en de"`
}

// Invites says whose invitations are accepted, and how the bot comes and goes.
type Invites struct {
	// OwnServer lets everybody invite it who has their account on the server of its own.
	OwnServer bool `toml:"own_server"`
	// Servers and People may invite it beside them and the operators.
	Servers []string          `toml:"servers"`
	People  []protocol.UserID `toml:"people"`
	// PerHour is how many invitations of one person are accepted within an hour.
	PerHour int `toml:"per_hour" min:"1" max:"1000"`
	// Greet is whether it greets a room that it was invited to.
	Greet bool `toml:"greet"`
	// LeaveAlone is how long it stays in a room where it is alone.
	LeaveAlone time.Duration `toml:"leave_alone" min:"1m" max:"3650d"`
}

// Matrix is the account of the bot on a Matrix homeserver. It is switched on when User or Homeserver is set.
type Matrix struct {
	// User is the account: "@moot:example.org", or its first part where Homeserver is set too.
	User string `toml:"user" like:"@moot:example.org"`
	// Homeserver is the address of the server, or its name; zero means the name in User.
	Homeserver string `toml:"homeserver" like:"example.org"`
	// AccessToken and Password are the two ways to log in that need a secret, of which the first comes first; zero for both
	// means what is kept in the data folder, or a login by browser where the server offers it. Password also confirms the
	// making of an identity, where the server asks for that.
	AccessToken Secret `toml:"access_token"`
	Password    Secret `toml:"password"`
	// RecoveryKey unlocks the identity of the account that another program has made; zero means the one in the data folder.
	RecoveryKey Secret `toml:"recovery_key"`
	// Name is what the account is called, and Avatar the file of its picture; zero leaves what it has.
	Name   string `toml:"name" like:"Moot"`
	Avatar string `toml:"avatar" like:"moot.png"`
	// DescribeCommands is whether rooms in which the bot may set states are told its commands.
	DescribeCommands bool `toml:"describe_commands"`
	// Enforcement is how somebody who is challenged is held back beside what the bot itself refuses them.
	Enforcement string `toml:"enforcement" oneof:"off power_level"`
	// Trust is whose words count in encrypted rooms.
	Trust string `toml:"trust" oneof:"signed sealed"`
	// ReactionBallots is whether reactions, which are in clear, count in encrypted rooms.
	ReactionBallots bool `toml:"reaction_ballots"`
	// NativePolls is whether votes are put to rooms as polls of Matrix too.
	NativePolls bool `toml:"native_polls"`
}

// Enabled tells whether the network is switched on.
func (m Matrix) Enabled() bool { return m.User != "" || m.Homeserver != "" }

// Discord is the application of the bot on Discord. It is switched on when Token is set.
type Discord struct {
	// Token is that of the bot in the application.
	Token Secret `toml:"token"`
	// MessageContent is whether commands can also be typed with a prefix in guilds, for which the bot has to read what people
	// write there.
	MessageContent bool `toml:"message_content"`
	// Enforcement is how somebody is held back who is challenged, and EnforcementRole the role for that.
	Enforcement     string `toml:"enforcement" oneof:"off timeout role"`
	EnforcementRole string `toml:"enforcement_role" like:"Challenged"`
	// Shards is how many connections share the guilds; zero means as many as Discord advises.
	Shards int `toml:"shards" min:"0" max:"1000"`
	// APIURL and GatewayURL are the proxies before Discord; zero means Discord itself.
	APIURL     string `toml:"api_url" like:"https://discord.com/api/v10"`
	GatewayURL string `toml:"gateway_url" like:"wss://gateway.discord.gg"`
}

// Enabled tells whether the network is switched on.
func (d Discord) Enabled() bool { return !d.Token.IsZero() }

// Nodes says where the shards of Discord are when they are not in the process of the bot.
type Nodes struct {
	// Listen is where the bot waits for nodes and where nodes find it: an address, or "unix:" and the path of a socket. Zero means
	// that the bot connects Discord itself.
	Listen string `toml:"listen" like:"unix:/run/moot/nodes.sock"`
	// Writers is where nodes find a bot of several machines: what each of these has as Listen. Zero means at Listen.
	Writers []string `toml:"writers" like:"10.0.0.5:7400"`
	// Certificate and Key are the files with which a process shows who it is at an address, and Authority is the one with the
	// certificate that the others' are signed by.
	Certificate string `toml:"certificate" like:"node.pem"`
	Key         string `toml:"key" like:"node-key.pem"`
	Authority   string `toml:"authority" like:"authority.pem"`
	// Redis is where a cluster finds its launcher that is not told.
	Redis string `toml:"redis" like:"127.0.0.1:6379"`
	// Writer is which process has the data where a launcher starts moot as clusters: a bot beside them, or cluster 0.
	Writer string `toml:"writer" oneof:"run cluster"`
}

// At returns where nodes find the bot; nothing where it connects Discord itself.
func (n Nodes) At() []string {
	if len(n.Writers) == 0 && n.Listen != "" {
		return []string{n.Listen}
	}
	return n.Writers
}

// Replica says where the log is that several machines share, of which one leads.
type Replica struct {
	// URL is the server of the log: postgres://, redis://, rediss:// or sentinel://. Zero means that this machine is alone.
	URL Secret `toml:"url"`
	// Name is that of the log on the server.
	Name string `toml:"name"`
	// Node is what this machine is called; zero means its host name.
	Node string `toml:"node" like:"left"`
}

// Enabled tells whether there is a log.
func (r Replica) Enabled() bool { return !r.URL.IsZero() }

// Default returns what holds where nobody says otherwise: what the shipped config.toml says.
func Default() Config {
	return Config{
		Data:        "data",
		Name:        "moot",
		Operators:   []protocol.UserID{"console:ann"},
		StopTimeout: 5 * time.Second,
		Log:         Log{Level: "info", Format: "text"},
		Commands: Commands{
			Prefixes:  []string{"!moot", "!m"},
			MaxAge:    15 * time.Minute,
			RateBurst: 8,
			RateEvery: 3 * time.Second,
		},
		Events: Events{Window: 10 * day, History: 256},
		Store:  Store{Retention: 60 * day, LockTimeout: 5 * time.Second},
		Votes:  defaultVotes(),
		Matrix: Matrix{Enforcement: "off", Trust: "signed", ReactionBallots: true, NativePolls: true},
		Invites: Invites{
			OwnServer: true, Servers: []string{}, People: []protocol.UserID{}, PerHour: 10, Greet: true, LeaveAlone: day,
		},
		Discord: Discord{Enforcement: "off"},
		Nodes:   Nodes{Writers: []string{}, Writer: "run"},
		Replica: Replica{Name: "moot"},
	}
}

const day = 24 * time.Hour

// UseConsole tells whether the console runs: it was switched on, or no network was.
func (c Config) UseConsole() bool { return c.Console.Enabled || len(c.Networks()) == 0 }

// Networks returns the networks that are switched on, other than the console.
func (c Config) Networks() []protocol.Network {
	var on []protocol.Network
	if c.Matrix.Enabled() {
		on = append(on, "matrix")
	}
	if c.Discord.Enabled() {
		on = append(on, "discord")
	}
	return on
}

// from lets relative paths of a file count from the folder of that file.
func (c Config) from(folder string) Config { // c is a copy
	if !filepath.IsAbs(c.Data) {
		c.Data = filepath.Join(folder, c.Data)
	}
	if c.Matrix.Avatar != "" && !filepath.IsAbs(c.Matrix.Avatar) {
		c.Matrix.Avatar = filepath.Join(folder, c.Matrix.Avatar)
	}
	if c.Log.File != "" && !filepath.IsAbs(c.Log.File) {
		c.Log.File = filepath.Join(folder, c.Log.File)
	}
	if path, ok := strings.CutPrefix(c.HTTP.Listen, "unix:"); ok && !filepath.IsAbs(path) {
		c.HTTP.Listen = "unix:" + filepath.Join(folder, path)
	}
	if path, ok := strings.CutPrefix(c.Nodes.Listen, "unix:"); ok && !filepath.IsAbs(path) {
		c.Nodes.Listen = "unix:" + filepath.Join(folder, path)
	}
	for i, at := range c.Nodes.Writers {
		if path, ok := strings.CutPrefix(at, "unix:"); ok && !filepath.IsAbs(path) {
			c.Nodes.Writers[i] = "unix:" + filepath.Join(folder, path)
		}
	}
	for _, path := range []*string{&c.Nodes.Certificate, &c.Nodes.Key, &c.Nodes.Authority} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
	for _, n := range c.named() {
		*n.secret = n.secret.from(folder)
	}
	for i := range c.Services {
		for n := range c.Services[i].Tasks {
			if t := &c.Services[i].Tasks[n]; !filepath.IsAbs(t.Folder) {
				t.Folder = filepath.Join(folder, t.Folder)
			}
			if t := &c.Services[i].Tasks[n]; t.Wasm != "" && !filepath.IsAbs(t.Wasm) {
				t.Wasm = filepath.Join(t.Folder, t.Wasm)
			}
		}
		for n := range c.Services[i].Collectors {
			c.Services[i].Collectors[n].from(folder)
		}
	}
	return c
}
