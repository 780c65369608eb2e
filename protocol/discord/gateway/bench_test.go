package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"moot/protocol/discord/discordtest"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

// aMessage is a message as a guild sends it, just under 1 kB.
var aMessage = []byte(`{"type":0,"tts":false,"timestamp":"2026-11-25T09:00:00.000000+00:00","pinned":false,"nonce":"1234567890123456789","mentions":[],"mention_roles":[],` +
	`"mention_everyone":false,"member":{"roles":["1000000000000000001","1000000000000000002"],"pending":false,"nick":"Annie","mute":false,` +
	`"joined_at":"2024-01-02T03:04:05.678000+00:00","flags":0,"deaf":false,"communication_disabled_until":null,"avatar":null},"id":"1300000000000000001",` +
	`"flags":0,"embeds":[],"edited_timestamp":null,"content":"I think that we should meet on Friday, if everybody can make it; otherwise the week after.","components":[],` +
	`"channel_type":0,"channel_id":"1200000000000000001","author":{"username":"ann","public_flags":0,"primary_guild":null,"id":"1100000000000000001","global_name":"Ann",` +
	`"discriminator":"0","collectibles":null,"avatar_decoration_data":null,"avatar":"a_0123456789abcdef0123456789abcdef"},"attachments":[],` +
	`"guild_id":"1000000000000000000"}`)

// BenchmarkEvents brings messages from a socket to the handler. Run it with -cpu 1: then one core
// does all of it, the sending side included. It reports the processor's time, which a busy machine
// does not falsify:
//
//	events/cpu-s   how many events one core handles a second, the sender's work included
//	decode-%       which part of the work is the decoding of the envelope
func BenchmarkEvents(b *testing.B) {
	for name, compress := range map[string]bool{"plain": false, "compressed": true} {
		b.Run(name, func(b *testing.B) { benchmarkEvents(b, compress) })
	}
}

func benchmarkEvents(b *testing.B, compress bool) {
	srv := discordtest.New(b)
	srv.NoCompression = !compress
	srv.NewGuild("lab").Invite()
	c := rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL()})
	var got atomic.Int64
	ready, done := make(chan struct{}, 1), make(chan struct{}, 1)
	target := int64(b.N)
	g := gateway.New(gateway.Config{Token: srv.Token, REST: c, Intents: 1<<0 | 1<<9})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- g.Run(ctx, func(_ context.Context, e gateway.Event) error {
			switch e.Type {
			case "GUILD_CREATE":
				ready <- struct{}{}
			case "MESSAGE_CREATE":
				if got.Add(1) == target {
					done <- struct{}{}
				}
			}
			return nil
		})
	}()
	<-ready
	decode := decoding(b)
	b.ResetTimer()
	before := cpuTime(b)
	for left := b.N; left > 0; left -= 1000 {
		srv.DispatchRaw("MESSAGE_CREATE", aMessage, min(left, 1000))
	}
	<-done
	spent := cpuTime(b) - before
	b.StopTimer()
	each := spent / time.Duration(b.N)
	b.ReportMetric(float64(time.Second)/float64(max(each, 1)), "events/cpu-s")
	b.ReportMetric(100*float64(decode)/float64(max(each, 1)), "decode-%")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	c.Close()
}

// decoding is what the decoding of one envelope costs.
func decoding(b *testing.B) time.Duration {
	frame := fmt.Appendf(nil, `{"t":"MESSAGE_CREATE","s":1,"op":0,"d":%s}`, aMessage)
	const n = 20_000
	before := cpuTime(b)
	for range n {
		var e struct {
			D json.RawMessage
			S int64
			T string
		}
		if err := json.Unmarshal(frame, &e); err != nil {
			b.Fatal(err)
		}
	}
	return (cpuTime(b) - before) / n
}

func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
