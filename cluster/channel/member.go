package channel

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// toLauncher is a message of a cluster for its launcher.
type toLauncher struct {
	Scope  string         `json:"scope"`
	Action string         `json:"action"`
	Args   map[string]any `json:"args,omitempty"`
	Data   map[string]any `json:"data,omitempty"`
	Output string         `json:"output,omitempty"`
}

// SayLaunched says that all shards of a cluster are ready: for the action log, and so that the next one is started.
func (c *Channel) SayLaunched(id, first, last int) {
	c.publish(toLauncher{Scope: "launcher", Action: "action_logs",
		Data: map[string]any{"event": "shards_launched", "cluster": id, "from": first, "to": last}})
	c.publish(toLauncher{Scope: "launcher", Action: "launch_next", Args: map[string]any{"id": id, "pid": os.Getpid()}})
}

// SayDiag answers a ping. An answer that Redis does not take at once is dropped: a late one stops mewld. So Redis has to
// answer first: what has been sent to one that stands still is carried out when it goes on.
func (c *Channel) SayDiag(a Answer) {
	text, err := json.Marshal(a)
	if err == nil {
		text, err = json.Marshal(toLauncher{Scope: "launcher", Action: "diag", Output: string(text)})
	}
	if err != nil {
		c.log.Error("a ping cannot be answered", "err", err)
		return
	}
	asked := time.Now()
	c.later(func(ctx context.Context) error {
		if time.Since(asked) > patience {
			return fmt.Errorf("an answer to a ping is %s late, and is not sent", time.Since(asked).Round(time.Second))
		}
		if err := c.client.Ping(ctx).Err(); err != nil {
			return fmt.Errorf("an answer to a ping is not sent, since Redis does not answer: %w", err)
		}
		return c.client.Publish(ctx, c.name, text).Err()
	})
}

// HoldCluster holds the number of a cluster for one process, under a lease, until the context ends. While another process holds it,
// it waits. The error is ErrHeld where another process has taken it over, as from one that was frozen.
func (c *Channel) HoldCluster(ctx context.Context, id int, owner string, taken func()) error {
	key := fmt.Sprintf("%s/cluster/%d", c.name, id)
	hold := func() (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		n, err := holdScript.Run(ctx, c.client, []string{key}, owner, lease.Milliseconds()).Int()
		return n == 1, err
	}
	has, waits := false, false
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = releaseScript.Run(ctx, c.client, []string{key}, owner).Err() // otherwise it ends by itself
	}()
	for {
		now, err := hold()
		switch {
		case err != nil && !has && ctx.Err() == nil:
			return fmt.Errorf("take the number of cluster %d: %w", id, err)
		case err == nil && has && !now:
			return fmt.Errorf("cluster %d: %w", id, ErrHeld)
		case err == nil && now && !has:
			has = true
			taken()
		case err == nil && !now && !waits:
			waits = true
			c.log.Info("another process has the number of this cluster; this one waits until it is gone", "cluster", id)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lease / 20):
		}
	}
}
