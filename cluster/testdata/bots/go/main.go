// Command go is a small bot for the tests of clusters: it says and hears what a cluster does, with the standard library alone.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type redis struct {
	net.Conn
	in *bufio.Reader
}

func dial() *redis {
	address := strings.TrimSuffix(strings.TrimPrefix(os.Getenv("REDIS_URL"), "redis://"), "/0")
	c, err := net.Dial("tcp", address)
	check(err)
	return &redis{c, bufio.NewReader(c)}
}

func (r *redis) send(args ...string) {
	fmt.Fprintf(r, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(r, "$%d\r\n%s\r\n", len(a), a)
	}
}

func (r *redis) read() any {
	line, err := r.in.ReadString('\n')
	check(err)
	line = strings.TrimSpace(line)
	n, _ := strconv.Atoi(line[1:])
	switch {
	case line[0] == '$' && n >= 0:
		b := make([]byte, n+2)
		_, err := io.ReadFull(r.in, b)
		check(err)
		return string(b[:n])
	case line[0] == '*':
		all := make([]any, max(n, 0))
		for i := range all {
			all[i] = r.read()
		}
		return all
	case line[0] == '$':
		return nil
	}
	return line[1:]
}

func (r *redis) do(args ...string) any {
	r.send(args...)
	return r.read()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	var shards []int
	check(json.Unmarshal([]byte(os.Args[1]), &shards))
	total, _ := strconv.Atoi(os.Args[2])
	id, _ := strconv.Atoi(os.Args[3])
	channel := os.Getenv("MEWLD_CHANNEL")
	here, _ := os.Getwd()

	own, hear := dial(), dial()
	hear.do("SUBSCRIBE", channel)
	say := func(v any) {
		text, err := json.Marshal(v)
		check(err)
		own.do("PUBLISH", channel, string(text))
	}
	mode := func() string { text, _ := own.do("GET", channel+"/test/mode/"+os.Args[3]).(string); return text }
	started, _ := json.Marshal(map[string]any{
		"argv": os.Args[1:], "cwd": here, "pid": os.Getpid(), "token": os.Getenv("MTOKEN"), "file": os.Getenv("FROM_FILE"), "generation": os.Getenv("MOOT_GENERATION"),
	})
	own.do("RPUSH", channel+"/test/starts", string(started))
	if mode() == "early" {
		os.Exit(3)
	}
	if mode() == "stubborn" {
		signal.Ignore(syscall.SIGTERM)
	} else {
		// What has begun is finished: only the next message is not read any more.
		end := make(chan os.Signal, 1)
		signal.Notify(end, syscall.SIGTERM)
		go func() {
			<-end
			hear.Close()
		}()
	}
	for _, s := range shards {
		resp, err := http.Post(fmt.Sprintf("%s/identify?shard=%d&pid=%d", os.Getenv("DISCORD"), s, os.Getpid()), "", nil)
		check(err)
		resp.Body.Close()
	}
	switch mode() {
	case "crash":
		os.Exit(4)
	case "leave":
		os.Exit(0)
	case "silent":
	default:
		say(map[string]any{"scope": "launcher", "action": "action_logs", "data": map[string]any{"event": "shards_launched", "cluster": id, "from": shards[0], "to": shards[len(shards)-1]}})
		own.do("RPUSH", channel+"/test/words", strconv.FormatInt(time.Now().UnixMicro(), 10))
		say(map[string]any{"scope": "launcher", "action": "launch_next", "args": map[string]any{"id": id, "pid": os.Getpid()}})
	}
	for {
		parts, _ := hear.read().([]any)
		text, _ := parts[2].(string)
		var m struct {
			ID     int    `json:"id"`
			Nonce  string `json:"nonce"`
			Diag   bool   `json:"diag"`
			Scope  string `json:"scope"`
			Action string `json:"action"`
			Args   struct {
				Event string `json:"event"`
				Guild int64  `json:"guild"`
			} `json:"args"`
		}
		if json.Unmarshal([]byte(text), &m) != nil {
			continue
		}
		switch {
		case m.Diag && m.ID == id && mode() != "mute" && mode() != "silent":
			var data []map[string]any
			for _, s := range shards {
				data = append(data, map[string]any{"shard_id": s, "up": true, "latency": 12.5, "guilds": 7, "users": 70})
			}
			answer, _ := json.Marshal(map[string]any{"Nonce": m.Nonce, "Data": data})
			say(map[string]any{"scope": "launcher", "action": "diag", "output": string(answer)})
		case m.Scope == "bot" && m.Action == "event" && slices.Contains(shards, int((m.Args.Guild>>22)%int64(total))):
			// While two generations run, both hear of an event: the first one handles it.
			own.do("RPUSH", channel+"/test/heard", m.Args.Event)
			if own.do("SET", channel+"/seen/"+m.Args.Event, "1", "NX", "EX", "600") != nil {
				own.do("RPUSH", channel+"/test/handled", m.Args.Event)
			}
		}
	}
}
