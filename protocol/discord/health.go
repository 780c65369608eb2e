package discord

import (
	"time"

	"moot/protocol/discord/gateway"
)

// ShardHealth is how a shard is.
type ShardHealth struct {
	Shard   int
	Up      bool // whether it is connected
	Latency time.Duration
	Guilds  int
	Members int // of these, about: as many as there were when Discord last told of a guild
}

// Health returns how each shard of this adapter is, in their order. It does not block.
func (a *Adapter) Health() []ShardHealth {
	count := int(a.count.Load())
	if count == 0 {
		return nil
	}
	at := make([]ShardHealth, count)
	a.guilds.mu.RLock()
	for id, g := range a.guilds.byID {
		h := &at[gateway.ShardOf(id, count)]
		h.Guilds++
		h.Members += g.members
	}
	a.guilds.mu.RUnlock()
	a.mu.Lock()
	gw := a.gw
	for k := range at {
		at[k].Up = a.up[k]
	}
	a.mu.Unlock()
	var own []ShardHealth
	for k := range at {
		if a.has(k) {
			at[k].Shard, at[k].Latency = k, gw.Latency(k)
			own = append(own, at[k])
		}
	}
	return own
}
