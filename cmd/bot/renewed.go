package main

import (
	"context"
	"errors"
	"sync/atomic"

	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
)

// renewed is an adapter that is made anew for each Run, with the secrets that its files hold then, and that says of the ends
// of its Runs whether another one can help.
type renewed struct {
	network protocol.Network
	make    func() (protocol.Adapter, error)
	current atomic.Pointer[protocol.Adapter] // nil before the first Run
}

// Network implements protocol.Adapter.
func (r *renewed) Network() protocol.Network { return r.network }

// Run implements protocol.Adapter.
func (r *renewed) Run(ctx context.Context, to protocol.Admitter) error {
	a, err := r.make()
	if err != nil {
		return protocol.Ends(protocol.RetrySlowly, err)
	}
	r.current.Store(&a)
	return judged(a.Run(ctx, to))
}

// Send implements protocol.Adapter.
func (r *renewed) Send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	a := r.current.Load()
	if a == nil {
		return protocol.Ref{}, errNotYet
	}
	return (*a).Send(ctx, out, attempt)
}

// Ask implements protocol.Adapter.
func (r *renewed) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	a := r.current.Load()
	if a == nil {
		return nil, errNotYet
	}
	return (*a).Ask(ctx, ask, attempt)
}

var errNotYet = errors.New("the network is about to be connected")

// judged says of the end of a Run whether another one can help, where the packages below the adapters know.
func judged(err error) error {
	fault, isFault := errors.AsType[*account.Fault](err)
	switch {
	case errors.Is(err, crypto.ErrDamaged), errors.Is(err, matrix.ErrBroken):
		return protocol.Ends(protocol.RetryNever, err)
	case isFault && fault != nil:
		return protocol.Ends(protocol.RetrySlowly, err)
	}
	return err
}
