// Package channel is where launcher and clusters speak with each other: one channel of Redis, and the keys beside it, as mewld has them.
//
// # Promises
//
//   - Messages are those of mewld, in both directions. What is no JSON, and what is not for the launcher, is left out.
//   - What is sent goes out in order, and nobody waits for it. While Redis is away, each message is tried for some seconds and then
//     dropped, which the log says. A connection that is lost comes back by itself.
//   - The action log is a list of at most [MaxActions] entries. What mewld has left there as a string is kept as its first one.
//   - One launcher at a time holds a channel, by a lease of a few seconds.
package channel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// MaxActions is how long the action log is.
	MaxActions = 1000
	// waiting is how many messages wait at most while Redis is away.
	waiting = 1000
	// patience is how long Redis may take for one thing.
	patience = 5 * time.Second
	// lease is how long a launcher that is gone keeps the channel from the next one.
	lease = 6 * time.Second
)

// The library writes to standard error what its callers are told as an error anyway.
func init() { redis.SetLogger(quiet{}) }

type quiet struct{}

// Printf implements the logger of the library.
func (quiet) Printf(context.Context, string, ...any) {}

// ErrHeld is the error of Hold where another launcher has the channel.
var ErrHeld = errors.New("another launcher has this channel")

// Message is one for the launcher. Raw values are of any kind, since bots write what they like.
type Message struct {
	Scope     string          `json:"scope"`
	Action    string          `json:"action"`
	Args      json.RawMessage `json:"args"`
	CommandID string          `json:"-"`
	Output    json.RawMessage `json:"output"`
	Data      map[string]any  `json:"data"`
}

// Ping asks a cluster how it is. It has no scope and no action.
type Ping struct {
	ID    int    `json:"id"`
	Nonce string `json:"nonce"`
	Diag  bool   `json:"diag"`
}

// Answer is the answer to a Ping, which a message carries as a text.
type Answer struct {
	Nonce string
	Data  []ShardHealth
}

// ShardHealth is how a shard is.
type ShardHealth struct {
	ShardID int     `json:"shard_id"`
	Up      bool    `json:"up"`
	Latency float64 `json:"latency"`
	Guilds  uint64  `json:"guilds"`
	Users   uint64  `json:"users"`
}

// Channel is a connection to Redis. Its methods may be called concurrently.
type Channel struct {
	name   string
	client *redis.Client
	log    *slog.Logger
	out    chan func(context.Context) error
}

// Open connects to Redis: to host:port, or to a redis:// address.
func Open(ctx context.Context, address, name string, log *slog.Logger) (*Channel, error) {
	o, err := options(address)
	if err != nil {
		return nil, err
	}
	c := &Channel{name: name, client: redis.NewClient(o), log: log, out: make(chan func(context.Context) error, waiting)}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.client.Ping(ctx).Err(); err != nil {
		_ = c.client.Close()
		return nil, fmt.Errorf("reach Redis at %s: %w", o.Addr, err)
	}
	return c, nil
}

func options(address string) (*redis.Options, error) {
	if !strings.Contains(address, "://") {
		address = "redis://" + address + "/0"
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, errors.New("the address of Redis cannot be read") // the error may have its password
	}
	o.DisableIdentity = true
	o.ContextTimeoutEnabled = true
	return o, nil
}

// Close ends the connection.
func (c *Channel) Close() error { return c.client.Close() }

// Listen hands over what is published, until the context ends. Ready is called once nothing is missed any more.
func (c *Channel) Listen(ctx context.Context, ready func(), message func(Message), ping func(Ping)) error {
	sub := c.client.Subscribe(ctx, c.name)
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		return fmt.Errorf("subscribe to %s: %w", c.name, err)
	}
	ready()
	in := sub.Channel(redis.WithChannelSize(waiting))
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, open := <-in:
			if !open {
				return nil
			}
			c.read(m.Payload, message, ping)
		}
	}
}

// read hands over one message.
func (c *Channel) read(text string, message func(Message), ping func(Ping)) {
	var kind struct {
		Scope     string          `json:"scope"`
		Diag      bool            `json:"diag"`
		CommandID json.RawMessage `json:"command_id"`
	}
	if err := json.Unmarshal([]byte(text), &kind); err != nil {
		c.log.Debug("a message is no JSON object", "err", err)
		return
	}
	switch {
	case kind.Diag:
		var p Ping
		if json.Unmarshal([]byte(text), &p) == nil {
			ping(p)
		}
	case kind.Scope == "launcher":
		var m Message
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			c.log.Warn("a message for the launcher cannot be read", "err", err)
			return
		}
		if json.Unmarshal(kind.CommandID, &m.CommandID) != nil {
			m.CommandID = string(kind.CommandID) // a number
		}
		message(m)
	}
}

// ID returns args.id, which is a number, or a text that is one.
func (m Message) ID() (int, bool) {
	var args struct {
		ID any `json:"id"`
	}
	if len(m.Args) == 0 || json.Unmarshal(m.Args, &args) != nil {
		return 0, false
	}
	switch id := args.ID.(type) {
	case float64:
		return int(id), id == float64(int(id))
	case string:
		n, err := strconv.Atoi(id)
		return n, err == nil
	}
	return 0, false
}

// Answer returns what a diag carries.
func (m Message) Answer() (Answer, error) {
	var text string
	var a Answer
	if err := json.Unmarshal(m.Output, &text); err != nil {
		return a, errors.New("its output is no text")
	}
	err := json.Unmarshal([]byte(text), &a)
	return a, err
}

// Send sends what waits, until the context ends; what waits then is still sent, within a second.
func (c *Channel) Send(ctx context.Context) {
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, cancel) })
	defer stop()
	for {
		select {
		case f := <-c.out:
			c.try(last, f)
			continue
		case <-ctx.Done():
		}
		for {
			select {
			case f := <-c.out:
				c.try(last, f)
			default:
				return
			}
		}
	}
}

func (c *Channel) try(ctx context.Context, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := f(ctx); err != nil {
		c.log.Error("a message could not be sent", "err", err)
	}
}

// later sends something once what was before it is sent.
func (c *Channel) later(f func(context.Context) error) {
	for {
		select {
		case c.out <- f:
			return
		default:
		}
		select {
		case <-c.out:
			c.log.Error("a message was dropped, as Redis does not take them")
		default:
		}
	}
}

// Publish publishes a text as it stands.
func (c *Channel) Publish(text []byte) {
	c.later(func(ctx context.Context) error { return c.client.Publish(ctx, c.name, text).Err() })
}

func (c *Channel) publish(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // it has only values of our own
	}
	c.Publish(text)
}

// Ping publishes a ping.
func (c *Channel) Ping(id int, nonce string) { c.publish(Ping{id, nonce, true}) }

// Reply publishes the answer to a command, or, with an action, word to all clusters. All four keys are always there.
func (c *Channel) Reply(commandID string, output any, action string) {
	c.publish(struct {
		CommandID string `json:"command_id"`
		Output    any    `json:"output"`
		Scope     string `json:"scope"`
		Action    string `json:"action"`
	}{commandID, output, "bot", action})
}

// Record adds to the action log, with the time in microseconds.
func (c *Channel) Record(data map[string]any, at time.Time) {
	all := map[string]any{}
	for k, v := range data {
		all[k] = v
	}
	all["ts"] = at.UnixMicro()
	text, err := json.Marshal(all)
	if err != nil {
		c.log.Error("an action cannot be written", "err", err)
		return
	}
	c.later(func(ctx context.Context) error {
		add := func(texts ...any) error {
			_, err := c.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.RPush(ctx, c.actions(), texts...)
				p.LTrim(ctx, c.actions(), -MaxActions, -1)
				return nil
			})
			return err
		}
		err := add(text)
		if isWrongType(err) {
			old, _ := c.client.GetDel(ctx, c.actions()).Result() // without it, the log begins anew
			return add(old, text)
		}
		return err
	})
}

func isWrongType(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE") }

func (c *Channel) actions() string { return c.name + "/actlogs" }

// Actions returns the action log, the oldest entry first.
func (c *Channel) Actions(ctx context.Context) ([]map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	texts, err := c.client.LRange(ctx, c.actions(), -MaxActions, -1).Result()
	if isWrongType(err) { // of a mewld after August 2024
		var one string
		one, err = c.client.Get(ctx, c.actions()).Result()
		texts = []string{one}
	}
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for _, text := range texts {
		var one map[string]any
		if json.Unmarshal([]byte(text), &one) == nil && one != nil {
			all = append(all, one)
		}
	}
	return all, nil
}

// The keys of the page: where it is, and the links that let in.
func (c *Channel) pageKey() string            { return c.name + "/launcher/page" }
func (c *Channel) linkKey(hash string) string { return c.name + "/launcher/link/" + hash }

// SetPage says where the page is, "" for nowhere.
func (c *Channel) SetPage(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if address == "" {
		return c.client.Del(ctx, c.pageKey()).Err()
	}
	return c.client.Set(ctx, c.pageKey(), address, 0).Err()
}

// Page returns where the page of the launcher is that runs; "" where none runs, or it has none.
func (c *Channel) Page(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	texts, err := c.client.MGet(ctx, c.name+"/launcher", c.pageKey()).Result()
	if err != nil || texts[0] == nil || texts[1] == nil {
		return "", err
	}
	return fmt.Sprint(texts[1]), nil
}

// PutLink leaves a link for the launcher, by the hash of its secret, and TakeLink takes one once.
func (c *Channel) PutLink(ctx context.Context, hash string, lasts time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.client.Set(ctx, c.linkKey(hash), "1", lasts).Err()
}

// TakeLink takes a link, and reports whether there was one.
func (c *Channel) TakeLink(ctx context.Context, hash string) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.client.GetDel(ctx, c.linkKey(hash)).Err() == nil
}

// Hold takes the channel for one launcher, and keeps it until the context ends; then it lets go of it. A launcher that was killed keeps
// it for some seconds, which Hold waits. Taken is called once it has the channel.
func (c *Channel) Hold(ctx context.Context, owner string, taken func()) error {
	key := c.name + "/launcher"
	take := func() (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		n, err := holdScript.Run(ctx, c.client, []string{key}, owner, lease.Milliseconds()).Int()
		return n == 1, err
	}
	for began := time.Now(); ; time.Sleep(lease / 20) {
		has, err := take()
		switch {
		case err != nil:
			return fmt.Errorf("take the channel %s: %w", c.name, err)
		case has:
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(began) > lease+lease/3:
			return fmt.Errorf("%s: %w", c.name, ErrHeld)
		default:
			continue
		}
		break
	}
	taken()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = releaseScript.Run(ctx, c.client, []string{key}, owner).Err() // otherwise it ends by itself
	}()
	tick := time.NewTicker(lease / 6)
	defer tick.Stop()
	sound := sync.OnceFunc(func() { c.log.Error("another launcher has taken this channel") })
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if has, err := take(); err == nil && !has {
				sound()
			}
		}
	}
}

var (
	holdScript = redis.NewScript(`
local owner = redis.call("GET", KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1`)
	releaseScript = redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`)
)
