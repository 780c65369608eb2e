package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"moot/protocol/discord/rest"
)

// disk is a Budget that outlives what the test calls a process.
type disk struct{ value string }

func (d *disk) Load() (string, error)                      { return d.value, nil }
func (d *disk) Save(_ context.Context, value string) error { d.value = value; return nil }

// asked is the REST API of a Discord that lets one shard identify at a time.
type asked struct{}

func (asked) RoundTrip(r *http.Request) (*http.Response, error) {
	const body = `{"url":"wss://gateway","shards":16,"session_start_limit":{"total":1000,"remaining":1000,"reset_after":86400000,"max_concurrency":1}}`
	return &http.Response{StatusCode: http.StatusOK,
		Header: http.Header{"Content-Type": {"application/json"}, "Via": {"1.1 google"}},
		Body:   io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestIdentifiesKeepTheirDistanceOverRestarts: 16 shards, of which one at a time may identify, in
// processes that end at any time and are followed at once by another. Discord refuses what comes
// within five seconds of the last.
func TestIdentifiesKeepTheirDistanceOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &disk{}
		var sent []time.Time
		left := 16
		for life := 0; left > 0; life++ {
			ctx, stop := context.WithCancel(t.Context())
			c := rest.New(rest.Config{Token: "t", Transport: asked{}})
			b := New(Config{REST: c, Budget: store}).budget
			if err := b.load(); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var shards sync.WaitGroup
			for shard := range left {
				shards.Go(func() {
					p, err := b.acquire(ctx, shard)
					if err != nil {
						return
					}
					defer p.release()
					if p.spend(ctx) != nil || ctx.Err() != nil {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					sent = append(sent, time.Now())
					left--
				})
			}
			time.Sleep(time.Duration(life%7+1) * 3100 * time.Millisecond) // killed at another moment each time
			stop()
			shards.Wait()
			c.Close()
		}
		slices.SortFunc(sent, time.Time.Compare)
		for i := 1; i < len(sent); i++ {
			if apart := sent[i].Sub(sent[i-1]); apart < 5*time.Second {
				t.Errorf("identify %d came %s after the one before", i, apart)
			}
		}
		if len(sent) != 16 {
			t.Error(fmt.Sprint(len(sent), " identifies"))
		}
	})
}
