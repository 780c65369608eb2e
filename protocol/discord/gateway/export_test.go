package gateway

import "context"

// Send sends anything on the first shard.
func (g *Gateway) Send(ctx context.Context, op int, data any) error {
	return (*g.shards.Load())[0].send(ctx, op, data)
}
