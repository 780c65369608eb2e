package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"moot/internal/config"
	"moot/internal/record"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/store"
)

// matrixAccount is an account on a homeserver, and the keys to what it reads.
type matrixAccount struct {
	login account.Config
	keys  *crypto.Store // nil where this program cannot encrypt
	c     crypto.ConnectConfig
	log   *slog.Logger
	// enforce is whether who is challenged loses the power to write.
	enforce bool
}

// openAccount opens what is kept of the account of the configuration. The caller holds the lock on the data folder.
func (a *app) openAccount(ctx context.Context, cfg config.Config, st *store.Store, log *slog.Logger) (*matrixAccount, error) {
	m := &matrixAccount{
		login: account.Config{
			User: cfg.Matrix.User, Homeserver: cfg.Matrix.Homeserver,
			AccessToken: reveal(cfg.Matrix.AccessToken), Password: reveal(cfg.Matrix.Password),
			Folder: cfg.Data, DeviceName: cfg.Name, Show: a.showGrant, Patient: true, Log: log,
		},
		c:   crypto.ConnectConfig{Rooms: record.Matrix{Store: st}, RecoveryKey: reveal(cfg.Matrix.RecoveryKey), Password: reveal(cfg.Matrix.Password)},
		log: log, enforce: cfg.Matrix.Enforcement != "off",
	}
	pair, err := readPair(st)
	switch {
	case err != nil:
		return nil, err
	case !crypto.Able && pair != "":
		// The keys that are sent to the bot would be thrown away.
		return nil, &account.Fault{What: "this program was built without encryption, and the bot has keys in " + cfg.Data, Do: "build it with `-tags goolm`, as in `go run -tags goolm ./cmd/bot`"}
	case !crypto.Able:
		log.Warn("encrypted rooms will be refused: this program was built without encryption", "network", matrix.Network, "do", "build it with -tags goolm, as in: go run -tags goolm ./cmd/bot")
		return m, nil
	}
	_, secret, err := st.Instance()
	if err != nil {
		return nil, err
	}
	sum := hmac.New(sha256.New, secret)
	sum.Write([]byte("the keys of Matrix"))
	if err := whenThereIsRoom(ctx, log, func() (err error) {
		m.keys, err = crypto.Open(context.WithoutCancel(ctx), crypto.Config{ // a stop meanwhile is no fault: what runs next ends by it
			Folder: cfg.Data, Pair: pair, SetPair: func(id string) error { return writePair(st, id) }, Secret: sum.Sum(nil), Log: log,
		})
		return err
	}); err != nil {
		return nil, err
	}
	m.login.Device = m.keys.Owner().Device
	return m, nil
}

// reveal reads a secret when it is asked for; nil where none is set.
func reveal(s config.Secret) func() (string, error) {
	if s.IsZero() {
		return nil
	}
	return s.Reveal
}

// pairs holds the pair id of the keys in the shared bucket "matrix".
var pairs = store.SharedBucket("matrix")

const pairKey = "pair"

func readPair(st *store.Store) (pair string, err error) {
	err = st.View(func(tx *store.Tx) error {
		pair = string(tx.Get(pairs, pairKey))
		return nil
	})
	return pair, err
}

// writePair is called only while nothing else writes to the store.
func writePair(st *store.Store, pair string) error {
	return st.Commit(time.Now(), func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			if pair == "" {
				tx.Delete(pairs, pairKey)
				return nil
			}
			tx.Put(pairs, pairKey, []byte(pair))
			return nil
		})
	})
}

// showGrant shows whoever started the program where to let the bot in.
func (a *app) showGrant(g account.Grant) {
	fmt.Fprintf(a.errs, "To let the bot in, log in as its account at %s and type the code %s", clean(g.Page), clean(g.Code))
	if g.Link != "" {
		fmt.Fprintf(a.errs, ", or follow %s", clean(g.Link))
	}
	fmt.Fprintf(a.errs, ". The bot waits until %s.\n", when(g.Until))
}

// adapter is the adapter of the account. It logs in when it runs.
func (m *matrixAccount) adapter(st *store.Store) protocol.Adapter {
	return matrix.New(matrix.Config{Connect: m.session, Rooms: record.Matrix{Store: st}, Waiting: record.Matrix{Store: st}, Enforce: m.enforce, Log: m.log})
}

// session logs in and makes the keys ready.
func (m *matrixAccount) session(ctx context.Context) (*matrix.Session, error) {
	acc, machine, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &matrix.Session{Client: acc.Client}
	if machine != nil {
		s.Encryption, s.Close = machine, machine.Close
	}
	return s, nil
}

// connect logs in and makes the keys ready. It waits while the server cannot be reached.
func (m *matrixAccount) connect(ctx context.Context) (*account.Account, *crypto.Machine, error) {
	acc, err := account.Open(ctx, m.login)
	if err != nil || m.keys == nil {
		return acc, nil, err
	}
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		machine, err := m.keys.Connect(ctx, acc.Client, m.c)
		var fault *account.Fault
		switch {
		case err == nil:
			return acc, machine, nil
		case ctx.Err() != nil, errors.Is(err, crypto.ErrBroken), errors.As(err, &fault):
			return nil, nil, err
		}
		if fault = acc.Fault(err); fault != nil {
			return nil, nil, fault
		}
		m.log.Warn("the keys could not be made ready; the bot tries again", "network", matrix.Network, "again", pause, "err", err)
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (m *matrixAccount) close() error {
	if m == nil || m.keys == nil {
		return nil
	}
	return m.keys.Close()
}
