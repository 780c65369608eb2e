package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot"
	"moot/internal/span"
)

var compareSecrets = cmp.AllowUnexported(Secret{}, Config{})

func TestShippedFileIsTheDefault(t *testing.T) {
	var c Config // not Default: the file has to say everything
	if err := decodeInto(&c, string(moot.DefaultConfig), "config.toml"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), c, compareSecrets); diff != "" {
		t.Errorf("config.toml is not what Default returns (-Default +file):\n%s", diff)
	}
	if n := c.Networks(); len(n) != 0 {
		t.Errorf("networks are switched on in the shipped file: %v", n)
	}
	if !c.UseConsole() {
		t.Error("nothing is switched on, and the console does not run either")
	}
}

// The manual: each key stands under a comment that ends by naming its default, secrets as a comment themselves.
func TestShippedFileExplainsEveryKey(t *testing.T) {
	text := string(moot.DefaultConfig)
	var look func(typ reflect.Type, example bool)
	look = func(typ reflect.Type, example bool) {
		for name, f := range fields(typ) {
			if name == "" {
				t.Errorf("field %s has no key", f.Name)
				continue
			}
			if isSection(f) {
				if !strings.Contains(text, "\n["+name+"]\n") {
					t.Errorf("section [%s] is missing", name)
				}
				look(f.Type, example)
				continue
			}
			if isTables(f) { // none is the default, and so they are an example
				if !regexp.MustCompile(`(?m)^# \[\[(service\.)?` + name + `\]\]$`).MatchString(text) {
					t.Errorf("there is no example of [[%s]]", name)
				}
				look(f.Type.Elem(), true)
				continue
			}
			commented := ""
			if f.Type == secretType || example {
				commented = "# "
			}
			found := regexp.MustCompile(`(?m)((?:^# .*\n)+)^` + commented + name + ` = `).FindStringSubmatch(text)
			if found == nil {
				t.Errorf("key %s is missing, or has no comment", name)
				continue
			}
			if !strings.Contains(found[1], "# Default: ") {
				t.Errorf("the comment of %s does not name the default:\n%s", name, found[1])
			}
			for _, bound := range []string{"min", "max"} {
				if v, ok := f.Tag.Lookup(bound); ok && !strings.Contains(found[1], v) {
					t.Errorf("the comment of %s does not name its %s, %s", name, bound, v)
				}
			}
		}
	}
	look(configType, false)
}

// The example of a service in the manual is one, and says the defaults where it says that it does.
func TestShippedExampleOfAService(t *testing.T) {
	_, text, ok := strings.Cut(string(moot.DefaultConfig), "# [[service]]\n")
	if !ok {
		t.Fatal("there is none")
	}
	text = strings.Replace(text, "# webhook_secret = ", "# none: ", 1)
	text = strings.Replace(text, "# password = ", "# none: ", 1)
	text = strings.Replace(text, "# token = ", "# none: ", 1)
	text = strings.Replace(text, "# to = []", `# to = ["console:lobby"]`, 1)
	text = "[[service]]\n" + regexp.MustCompile(`(?m)^# ((?:[a-z_]+ = |\[\[).*)$`).ReplaceAllString(text, "$1")
	c, err := Decode(text, "config.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Services) != 1 || len(c.Services[0].Commands) != 1 || len(c.Services[0].Tasks) != 1 || len(c.Services[0].Collectors) != 1 {
		t.Fatalf("it is read as %+v", c.Services)
	}
	for key, want := range map[string]any{
		"who": c.Services[0].Who, "missed": c.Services[0].Missed, "webhook": c.Services[0].Webhook, "webhook_rate": c.Services[0].WebhookRate, "queue": c.Services[0].Queue, "keep": span.Format(c.Services[0].Keep),
		"output": c.Services[0].Tasks[0].Output, "retry": c.Services[0].Tasks[0].Retry, "tries": c.Services[0].Tasks[0].Tries,
		"timeout": span.Format(c.Services[0].Tasks[0].Timeout), "max": c.Services[0].Tasks[0].Max, "memory": c.Services[0].Tasks[0].Memory,
	} {
		if is := reflect.ValueOf(want); is.Kind() == reflect.String {
			want = strconv.Quote(is.String())
		}
		if say := fmt.Sprintf("# Default: %v\n# %s = %v\n", want, key, want); !strings.Contains(string(moot.DefaultConfig), say) {
			t.Errorf("the manual does not say %q", say)
		}
	}
}

func TestServices(t *testing.T) {
	const task = "[[service.task]]\nrun = [\"true\"]\n"
	const command = "[[service.command]]\nname = \"roll\"\nsummary = \"roll\"\nparams = [\"who:person\"]\n"
	const found = "[[service]]\nname = \"a\"\nto = [\"console:lobby\"]\n" + task + "[[service.collector]]\n"
	for name, tc := range map[string]struct{ text, want string }{
		"no task":        {"[[service]]\nname = \"a\"", "c.toml:1: [[service]] a: it has no [[service.task]], and so does nothing"},
		"no name":        {"[[service]]\n" + task, `name in [[service]]: expected a word of a-z, 0-9 and -, such as "dice", and not ""`},
		"twice":          {"[[service]]\nname = \"a\"\n" + task + "[[service]]\nname = \"a\"\n" + task, `c.toml:6: name in [[service]]: two services are called "a"`},
		"unknown":        {"[[service]]\nname = \"a\"\nroms = []\n" + task, `c.toml:3: there is no key roms in [[service]]; did you mean rooms?`},
		"unknown within": {"[[service]]\nname = \"a\"\n" + task + "timeot = \"1s\"", `c.toml:5: there is no key timeot in [[service.task]]; did you mean timeout?`},
		"a section":      {"[service]\nname = \"a\"", "c.toml:1: service is a list of sections: write [[service]], and the keys of each below it"},
		"pattern":        {"[[service]]\nname = \"a\"\nrooms = [\"console:lobby\"]\npattern = \"(\"\n" + task, "c.toml:4: pattern in [[service]]: \"(\" is not a regular expression"},
		"where":          {"[[service]]\nname = \"a\"\npattern = \"x\"\n" + task, `c.toml:3: pattern in [[service]]: in which rooms? Write them, as in rooms = ["console:lobby"]`},
		"schedule":       {"[[service]]\nname = \"a\"\nto = [\"console:lobby\"]\nschedule = \"9 o'clock\"\n" + task, `c.toml:4: schedule in [[service]]: "9 o'clock"`},
		"zone":           {"[[service]]\nname = \"a\"\nto = [\"console:lobby\"]\nschedule = \"0 9 * * *\"\ntimezone = \"Mars\"\n" + task, `there is no time zone "Mars"`},
		"room":           {"[[service]]\nname = \"a\"\nto = [\"lobby\"]\n" + task, `c.toml:3: to in [[service]]: "lobby" is not a room`},
		"no secret":      {"[[service]]\nname = \"a\"\nwebhook = \"github\"\n" + task, "c.toml:3: webhook in [[service]]: which secret do both sides know?"},
		"no address":     {"[[service]]\nname = \"a\"\nwebhook = \"github\"\nwebhook_secret = { env = \"X\" }\n" + task, "c.toml:3: webhook in [[service]]: the bot listens nowhere"},
		"no webhook":     {"[[service]]\nname = \"a\"\nwebhook_secret = { env = \"X\" }\n" + task, "c.toml:3: webhook_secret in [[service]]: for which form?"},
		"no source":      {found + "name = \"x\"", "c.toml:6: [[service.collector]]: expected one of tail, feed, run and botcannon"},
		"two sources":    {found + "tail = \"x\"\nfeed = \"http://example.org\"", "c.toml:7: [[service.collector]]: expected one of tail, feed, run and botcannon"},
		"no address of":  {found + "feed = \"example.org\"", "c.toml:7: feed in [[service.collector]]: expected an address"},
		"too often":      {found + "feed = \"http://example.org\"\nevery = \"1s\"", "c.toml:8: every in [[service.collector]]: a feed that is not on this machine is asked once a minute at most"},
		"reserved":       {found + "name = \"run\"\ntail = \"x\"", "c.toml:7: name in [[service.collector]]: expected a word"},
		"said nowhere":   {"[[service]]\nname = \"a\"\n" + task + "[[service.collector]]\ntail = \"x\"", "c.toml:6: tail in [[service.collector]]: where is the answer to be said?"},
		"two ways":       {"[[service]]\nname = \"a\"\n" + task + "wasm = \"x\"", "c.toml:4: [[service.task]]: expected one of run, http, wasm and torch"},
		"called where":   {"[[service]]\nname = \"a\"\n[[service.task]]\nhttp = \"x\"", "c.toml:4: http in [[service.task]]: expected an address"},
		"warm module":    {"[[service]]\nname = \"a\"\n[[service.task]]\nwasm = \"x\"\nwarm = true", "c.toml:5: warm, lazy and min in [[service.task]] are for programs"},
		"token for what": {"[[service]]\nname = \"a\"\n" + task + "token = { env = \"X\" }", "c.toml:5: token in [[service.task]] is for what is called by http"},
		"progress of":    {"[[service]]\nname = \"a\"\nprivate = true\nprogress = \"x\"\n" + task, "c.toml:4: progress in [[service]]: the answer takes its place"},
		"speaks for":     {"operators = [\"console:ann\"]\n[[service]]\nname = \"a\"\nas = \"console:ben\"\nallow = [\"vote poll\"]\n" + task, "c.toml:4: as in [[service]]: \"console:ben\" is none of the operators"},
		"may do":         {"operators = [\"console:ann\"]\n[[service]]\nname = \"a\"\nas = \"console:ann\"\nallow = [\"vote cast\"]\n" + task, "c.toml:5: allow in [[service]]: a service may give"},
		"which stream":   {found + "botcannon = \"127.0.0.1:6379\"", "c.toml:6: stream in [[service.collector]]: expected the name"},
		"stream of what": {found + "tail = \"x\"\nstream = \"y\"", "c.toml:8: stream and password in [[service.collector]] are for botcannon"},
		"torch alone":    {"[[service]]\nname = \"a\"\n" + command + "[[service.task]]\ntorch = [\"roll\"]", "c.toml:8: torch in [[service.task]]: it reads a command for the tasks behind it, and there is none"},
		"torch of what":  {"[[service]]\nname = \"a\"\n[[service.task]]\ntorch = [\"roll\"]\n" + task, "c.toml:4: torch in [[service.task]]: the service has no [[service.command]] \"roll\""},
		"torch of whom":  {"[[service]]\nname = \"a\"\n" + command + "[[service.task]]\ntorch = [\"roll\"]\n" + task, "c.toml:8: torch in [[service.task]]: a text cannot be read as \"roll\", since who is a person"},
		"torch that may": {"[[service]]\nname = \"a\"\n" + command + "[[service.task]]\ntorch = [\"roll\"]\nretry = \"never\"\n" + task, "c.toml:8: torch in [[service.task]]: it runs nothing"},
		"warm text":      {"[[service]]\nname = \"a\"\n" + task + "warm = true\noutput = \"text\"", "c.toml:5: warm in [[service.task]]"},
		"param":          {"[[service]]\nname = \"a\"\n" + task + "[[service.command]]\nname = \"x\"\nsummary = \"y\"\nparams = [\"dice:weight\"]", `c.toml:8: params in [[service.command]]: "dice:weight": the kind is one of`},
		"too many":       {"[[service]]\nname = \"a\"\n" + task + "max = 1000", `c.toml:5: max in [[service.task]]: 1000 is too much`},
		"variable":       {"[[service]]\nname = \"a\"\n" + task + "env = [\"MOOT_KEY\"]", `env in [[service.task]]: expected names of variables`},
	} {
		_, err := Decode(tc.text, "c.toml")
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for in, want := range map[string]Param{
		"dice":                 {Name: "dice", Kind: "word", Summary: "dice"},
		"dice:word? how many":  {Name: "dice", Kind: "word", Optional: true, Summary: "how many"},
		"c:red|green? colours": {Name: "c", Kind: "choice", Choices: []string{"red", "green"}, Optional: true, Summary: "colours"},
	} {
		if got, err := ParseParam(in); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%q was read as %+v, %v", in, got, err)
		}
	}
}

func TestDecodeOverDefaults(t *testing.T) {
	c, err := Decode(`
name = "agora"
operators = ["console:ben", "matrix:@ann:example.org"]
[commands]
prefixes = ["!"]
max_age = "1h30m"
[store]
retention = "12w"
[privacy]
hash_key = { env = "MOOT_HASH_KEY" }
`, "my.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Name, want.Commands.Prefixes, want.Commands.MaxAge = "agora", []string{"!"}, 90*time.Minute
	want.Operators = append(want.Operators[:0:0], "console:ben", "matrix:@ann:example.org")
	want.Store.Retention, want.Privacy.HashKey = 84*day, EnvSecret("MOOT_HASH_KEY")
	if diff := cmp.Diff(want, c, compareSecrets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "[commands]\nmax_agee = \"15m\"", `c.toml:2: there is no key max_agee in [commands]; did you mean max_age?`},
		{"unknown key at the top", "nmae = \"x\"", `c.toml:1: there is no key nmae; did you mean name?`},
		{"key of another section", "\nlevel = \"info\"", `c.toml:2: there is no key level; it belongs to [log]`},
		{"key of the top", "[log]\noperators = []", `c.toml:2: there is no key operators in [log]; it belongs at the top, before all sections`},
		{"nothing like it", "[log]\nzzzzzzzz = 1", `c.toml:2: there is no key zzzzzzzz in [log]; there are level, format, file`},
		{"case counts", "[log]\nLevel = \"info\"", `c.toml:2: there is no key Level in [log]; did you mean level?`},
		{"unknown section", "\n\n[comands]\nmax_age = \"1m\"", `c.toml:3: there is no section [comands]; did you mean [commands]?`},
		{"unknown section by dots", "comands.max_age = \"1m\"", `c.toml:1: there is no section [comands]; did you mean [commands]?`},
		{"section that is a value", "log = \"debug\"", `c.toml:1: log is a section: write [log], and its keys below it`},
		{"section that is a list", "[[log]]\nlevel = \"info\"", `c.toml:1: log is a section: write [log], and its keys below it`},
		{"number for a duration", "[events]\nwindow = 10", `c.toml:2: window in [events]: expected a duration in quotes with its unit, such as "10d", and not the number 10`},
		{"unit", "[events]\nwindow = \"10 days\"", `c.toml:2: window in [events]: "10 days" is not a duration: write a number and its unit: w, d, h, m, s or ms, such as "10d", "36h", "1h30m" or "15s"`},
		{"no unit", "[events]\nwindow = \"10\"", `c.toml:2: window in [events]: "10" is not a duration: write a number and its unit: w, d, h, m, s or ms, such as "10d", "36h", "1h30m" or "15s"`},
		{"too little", "[store]\nretention = \"6d\"", `c.toml:2: retention in [store]: "6d" is too little, it has to be at least "7d"`},
		{"too much", "stop_timeout = \"1d\"", `c.toml:1: stop_timeout: "1d" is too much, it may be at most "10m"`},
		{"number out of range", "[commands]\nrate_burst = 0", `c.toml:2: rate_burst in [commands]: 0 is too little, it has to be at least 1`},
		{"quorum upside down", "[votes]\nquorum = 60", `c.toml:1: quorum_most in [votes]: it is the largest quorum, and less than quorum (60), the smallest`},
		{"more yes than all", "[votes]\nyes_of = 1", `c.toml:2: yes_of in [votes]: a challenge would take more yes than there are yes and no; it has to be at least yes_part (2)`},
		{"below its own floor", "[votes]\nduration = \"6h\"", `c.toml:2: duration in [votes]: it is less than shortest_duration ("12h"), which no room may go below`},
		{"polls between", "[votes]\npoll_longest = \"1d\"", `c.toml:1: poll_duration in [votes]: it has to lie between poll_shortest ("10m") and poll_longest ("1d")`},
		{"longer than the log", "[votes]\nactive_window = \"20d\"", `c.toml:2: active_window in [votes]: it is longer than window in [events] ("10d"), after which nobody knows who was active`},
		{"more days than there are", "[votes]\nactive_days = 11", `c.toml:2: active_days in [votes]: nobody can be active on 11 days of active_window ("10d")`},
		{"a challenge of an hour", "[votes]\nchallenge_max = \"1h\"", `c.toml:2: challenge_max in [votes]: expected at least "1d", or "0s" for a challenge that stands until it is lifted`},
		{"longer than it is remembered", "[store]\nretention = \"20d\"", `c.toml: void in [votes]: a vote could be open for "44d", its time away included, and retention in [store] ("20d") is less; the bot would not recognise its message any more`},
		{"text for a number", "[commands]\nrate_burst = \"10\"", `c.toml:2: rate_burst in [commands]: expected a whole number without quotes, such as 8, and not "10"`},
		{"text for a switch", "[console]\nenabled = \"yes\"", `c.toml:2: enabled in [console]: expected true or false, without quotes, and not "yes"`},
		{"number for a text", "name = 7", `c.toml:1: name: expected a text in quotes, such as "moot", and not the number 7`},
		{"no such word", "[log]\nlevel = \"verbose\"", `c.toml:2: level in [log]: expected one of "debug", "info", "warn", "error", and not "verbose"`},
		{"text for a list", "operators = \"console:ann\"", `c.toml:1: operators: expected a list of texts in brackets, such as ["console:ann"], and not "console:ann"`},
		{"list of numbers", "operators = [1]", `c.toml:1: operators: expected a list of texts, such as ["console:ann"], and not one with the number 1 in it`},
		{"no identifier", "operators = [\"ann\"]", `c.toml:1: operators: "ann" is not the identifier of a person: write the network, a colon, and the person as the network writes them, such as "console:ann" or "matrix:@ann:example.org"`},
		{"no such network", "operators = [\"matrx:@ann:example.org\"]", `c.toml:1: operators: in "matrx:@ann:example.org" there is no network called "matrx"; did you mean matrix?`},
		{"nobody on Matrix", "operators = [\"matrix:@ann\"]", `c.toml:1: operators: "matrix:@ann" can be nobody: write "matrix:", the sign @, the name, a colon and the server, such as "matrix:@ann:example.org"`},
		{"a name on Discord", "[invites]\npeople = [\"discord:ann\"]", `c.toml:2: people in [invites]: "discord:ann" can be nobody: Discord knows people by a number, such as "discord:80351110224678912": switch on Developer Mode in its settings, then "Copy User ID" in the menu of the person`},
		{"nobody in the console", "operators = [\"console:Ann Lee\"]", `c.toml:1: operators: "console:Ann Lee" can be nobody: in the console people have one word in small letters, such as "console:ann"`},
		{"somebody's home", "data = \"~ann/moot\"", `c.toml:1: data: "~ann/moot" begins with the home folder of somebody, which is not looked up: write the whole path, or "~/" for your own`},
		{"twice", "operators = [\"console:ann\", \"console:ann\"]", `c.toml:1: operators: "console:ann" stands there twice`},
		{"prefix with a space", "[commands]\nprefixes = [\"hey you\"]", `c.toml:2: prefixes in [commands]: "hey you" cannot be one: expected 1 to 20 characters without a space, such as "!moot"`},
		{"prefix with a slash", "[commands]\nprefixes = [\"/moot\"]", `c.toml:2: prefixes in [commands]: "/moot" begins with a slash, which chat programs keep for themselves; take another sign, such as "!"`},
		{"no prefix", "[commands]\nprefixes = []", `c.toml:2: prefixes in [commands]: expected at least one, such as ["!moot"]`},
		{"empty name", "name = \"\"", `c.toml:1: name: expected 1 to 40 characters on one line, such as "moot"`},
		{"empty folder", "data = \" \"", `c.toml:1: data: expected the name of a folder, such as "data"`},
		{"account without a server", "[matrix]\nuser = \"moot\"", `c.toml:2: user in [matrix]: the server is missing: write "@moot:example.org", or name it as homeserver`},
		{"no account", "[matrix]\nuser = \"@moot:ex ample\"", `c.toml:2: user in [matrix]: "@moot:ex ample" is no account: write "@moot:example.org"`},
		{"account without its sign", "[matrix]\nuser = \"moot:example.org\"", `c.toml:2: user in [matrix]: the sign @ is missing: write "@moot:example.org"`},
		{"address of the API", "[matrix]\nhomeserver = \"https://example.org/_matrix/client\"", `c.toml:2: homeserver in [matrix]: the bot adds /_matrix by itself: write "https://example.org"`},
		{"number for an account", "[matrix]\nuser = 7", `c.toml:2: user in [matrix]: expected a text in quotes, such as "@moot:example.org", and not the number 7`},
		{"no homeserver", "[matrix]\nhomeserver = \"ftp://example.org\"", `c.toml:2: homeserver in [matrix]: "ftp://example.org" is neither the name of a server, such as "example.org", nor an address, such as "https://matrix.example.org"`},
		{"address with a query", "[matrix]\nhomeserver = \"https://example.org/?a=b\"", `c.toml:2: homeserver in [matrix]: "https://example.org/?a=b" is neither the name of a server, such as "example.org", nor an address, such as "https://matrix.example.org"`},
		{"token of nobody", "[matrix]\naccess_token = { env = \"T\" }", `c.toml:2: access_token in [matrix]: it belongs to an account; write which one, as in user = "@moot:example.org"`},
		{"password of nobody", "[matrix]\nhomeserver = \"example.org\"\npassword = { env = \"P\" }", `c.toml:3: password in [matrix]: of which account? Write it as in user = "@moot:example.org"`},
		{"role without a name", "[discord]\nenforcement = \"role\"", `c.toml:2: enforcement in [discord]: which role? Write it as in enforcement_role = "Challenged"`},
		{"role for nothing", "[discord]\nenforcement_role = \"Bad\"", `c.toml:2: enforcement_role in [discord]: a role is only given with enforcement = "role"`},
		{"no API", "[discord]\napi_url = \"discord.com\"", `c.toml:2: api_url in [discord]: "discord.com" is not an address such as "https://discord.com/api/v10"`},
		{"no gateway", "[discord]\ngateway_url = \"https://discord.gg\"", `c.toml:2: gateway_url in [discord]: "https://discord.gg" is not an address such as "wss://gateway.discord.gg"`},
		{"not TOML", "a = 1\nname = \"moot\nx = 1", `c.toml:2: strings cannot contain newlines`},
		{"key twice", "name = \"a\"\nname = \"b\"", `c.toml:2: Key 'name' has already been defined`},
		{"not UTF-8", "name = \"\xff\"", `c.toml: it is not UTF-8 text`},
		{"too long", strings.Repeat("#\n", maxFile), `c.toml: it has 524288 bytes, and a configuration at most 262144`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(tt.text, "c.toml")
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestMatrix(t *testing.T) {
	for text, want := range map[string]Matrix{
		`user = "@moot:example.org"`:                                                     {User: "@moot:example.org"},
		"user = \"moot\"\nhomeserver = \"https://m.example.org\"":                        {User: "moot", Homeserver: "https://m.example.org"},
		"homeserver = \"127.0.0.1:8008\"\naccess_token = { env = \"MOOT_TOKEN\" }":       {Homeserver: "127.0.0.1:8008", AccessToken: EnvSecret("MOOT_TOKEN")},
		"user = \"@moot:[::1]:8448\"\nrecovery_key = { file = \"/k\" }":                  {User: "@moot:[::1]:8448", RecoveryKey: FileSecret("/k")},
		"user = \"@moot:example.org\"\npassword = { env = \"P\" }\nhomeserver = \"a.b\"": {User: "@moot:example.org", Password: EnvSecret("P"), Homeserver: "a.b"},
	} {
		c, err := Decode("[matrix]\n"+text, "c.toml")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want.Enforcement, want.Trust, want.ReactionBallots, want.NativePolls = "off", "signed", true, true
		if diff := cmp.Diff(want, c.Matrix, compareSecrets); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if n := c.Networks(); len(n) != 1 || n[0] != "matrix" || c.UseConsole() {
			t.Errorf("%s: networks %v, console %v", text, n, c.UseConsole())
		}
	}
}

func TestDiscord(t *testing.T) {
	c, err := Decode("[discord]\ntoken = { env = \"DISCORD_TOKEN\" }\n", "c.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := Default().Discord
	want.Token = EnvSecret("DISCORD_TOKEN")
	if diff := cmp.Diff(want, c.Discord, compareSecrets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := c.Networks(); len(n) != 1 || n[0] != "discord" || c.UseConsole() {
		t.Errorf("networks %v, console %v", n, c.UseConsole())
	}
}

// TestProblemsAreReportedTogether: also those that only several values show, and not what is wrong with what stands in the
// place of a value that cannot be read.
func TestProblemsAreReportedTogether(t *testing.T) {
	_, err := Decode(`nmae = "x"
operators = ["ann"]
stop_timeout = "5"
[log]
level = 3
[commands]
prefixes = [""]
[store]
retention = "soon"
[votes]
quorum = 60
yes_of = 1
[discord]
enforcement = "role"
`, "c.toml")
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatalf("got %v", err)
	}
	var lines []int
	for _, p := range ps {
		lines = append(lines, p.Line)
	}
	if want := []int{1, 2, 3, 5, 7, 9, 14}; !slices.Equal(lines, want) {
		t.Errorf("problems on the lines %v, want %v:\n%v", lines, want, err)
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != len(ps) {
		t.Errorf("%d problems on %d lines:\n%v", len(ps), n, err)
	}
	_, err = Decode("[votes]\nquorum = 60\nyes_of = 1\n", "c.toml")
	if !errors.As(err, &ps) || len(ps) != 2 {
		t.Errorf("of two contradictions: %v", err)
	}
}

// TestWhatIsMeantIsTaken: white space around a value is left out, which is said; and ~ is the home folder.
func TestWhatIsMeantIsTaken(t *testing.T) {
	t.Setenv("HOME", "/home/ann")
	c, err := Decode(`data = "~/moot "
operators = ["\uFEFFmatrix:@ann:example.org\n", "console:ben"]
[commands]
prefixes = ["!moot "]
max_age = " 10m"
[matrix]
user = "@moot:example.org "
[discord]
token = { file = "~/token" }
`, "c.toml")
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "/home/ann/moot" || c.Operators[0] != "matrix:@ann:example.org" || c.Commands.Prefixes[0] != "!moot" ||
		c.Commands.MaxAge != 10*time.Minute || c.Matrix.User != "@moot:example.org" || c.Discord.Token != FileSecret("/home/ann/token") {
		t.Errorf("it is read as %+v", c)
	}
	w := strings.Join(c.Warnings(), "\n")
	for _, part := range []string{"c.toml:1: data: there is white space around", "c.toml:2: operators: there is", "c.toml:4: prefixes", "c.toml:5: max_age", "c.toml:7: user"} {
		if !strings.Contains(w, part) {
			t.Errorf("nothing says %q:\n%s", part, w)
		}
	}
	t.Setenv("HOME", "")
	if _, err := Decode("data = \"~/moot\"", "c.toml"); err == nil || !strings.Contains(err.Error(), "c.toml:1: data:") {
		t.Errorf("without a home folder: %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv(Variable, "")
	check := func(flag, path, why string) {
		t.Helper()
		src, err := Find(flag)
		if err != nil || src.Path != path || src.Why != why {
			t.Errorf("Find(%q) = %+v, %v; want %q because it is %s", flag, src, err, path, why)
		}
	}
	check("", "", "there is no config.toml in the working folder")
	if err := os.WriteFile("config.toml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check("", "config.toml", "in the working folder")
	t.Setenv(Variable, "/etc/moot.toml")
	check("", "/etc/moot.toml", "named by $MOOT_CONFIG")
	check("my.toml", "my.toml", "named by --config")
}

func TestLoadCountsPathsFromTheFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "my.toml")
	text := "data = \"state\"\n[privacy]\nhash_key = { file = \"key\" }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, src, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != filepath.Join(dir, "state") || c.Privacy.HashKey != FileSecret(filepath.Join(dir, "key")) {
		t.Errorf("data is %s, the key is in %s", c.Data, c.Privacy.HashKey)
	}
	if want := file + " (named by --config)"; src.String() != want {
		t.Errorf("source is %s, want %s", src, want)
	}
	t.Chdir(t.TempDir())
	t.Setenv(Variable, "")
	c, src, err = Load("")
	if err != nil || c.Data != "data" || src.Path != "" {
		t.Errorf("without a file: data %q, source %s, %v", c.Data, src, err)
	}
	if _, _, err := Load("missing.toml"); err == nil || !strings.Contains(err.Error(), "missing.toml") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10d": 240 * time.Hour, "15m": 15 * time.Minute, "1w2d3h4m5s6ms": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second + 6*time.Millisecond,
		"1.5h": 90 * time.Minute, "0s": 0, "36h": 36 * time.Hour,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %s, %v; want %s", text, got, err, want)
		}
		if again, err := ParseDuration(span.Format(want)); err != nil || again != want {
			t.Errorf("%s is written as %q, which is read as %s, %v", want, span.Format(want), again, err)
		}
	}
	for _, text := range []string{"", "10", "d", "-1d", "1h1d", "1d1d", "10 d", "1e9h", "1D", "1..5h", "NaNh", "999999999w", "1µs", "."} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %s, want an error", text, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(string(moot.DefaultConfig))
	f.Add("[privacy]\nhash_key = \"s3cr3t-s3cr3t\"")
	f.Add("operators = [\"console:ann\", 3]\n[events]\nwindow = \"10d\"")
	f.Add("[[log]]\na.b.\"c\" = {}\n[log.x]\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Decode(text, "fuzz.toml")
		var ps Problems
		switch {
		case err == nil:
			d := decoder{doc: &document{}}
			if d.check(&c); len(d.problems) > 0 {
				t.Errorf("accepted, and then refused: %v", d.problems)
			}
			if c.Store.Retention < 7*day || c.Commands.RateBurst < 1 {
				t.Errorf("accepted what is out of range: %+v", c)
			}
		case !errors.As(err, &ps) || len(ps) == 0 || len(ps) > maxProblems:
			t.Errorf("error is %T: %v", err, err)
		}
		for _, p := range ps {
			if p.Text == "" || len(p.Text) > 4000 {
				t.Errorf("problem of %d bytes", len(p.Text))
			}
		}
	})
}
