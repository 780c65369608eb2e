package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"moot/commands"
	"moot/internal/config"
	"moot/internal/pause"
	"moot/internal/record"
	"moot/internal/say"
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
	// name and avatar are those of the configuration, zero where it leaves them.
	name, avatar string
	// described is whether rooms are told the commands.
	described bool
	// noReactions is whether reactions in encrypted rooms count for nothing.
	noReactions bool
}

// openAccount opens what is kept of the account of the configuration. The caller holds the lock on the data folder.
func (a *app) openAccount(ctx context.Context, cfg config.Config, st *store.Store, over http.RoundTripper, log *slog.Logger) (*matrixAccount, error) {
	m := &matrixAccount{
		login: accountOf(cfg),
		c:     crypto.ConnectConfig{Rooms: record.Matrix{Store: st}, RecoveryKey: reveal(cfg.Matrix.RecoveryKey, config.Secret.Key), Password: reveal(cfg.Matrix.Password, config.Secret.Reveal)},
		log:   log, enforce: cfg.Matrix.Enforcement != "off", noReactions: !cfg.Matrix.ReactionBallots,
		name: cfg.Matrix.Name, avatar: cfg.Matrix.Avatar, described: cfg.Matrix.DescribeCommands,
	}
	m.login.Show, m.login.Patient, m.login.Transport, m.login.Log = a.showGrant, true, over, log
	if !crypto.Able {
		log.Warn("encrypted rooms will be refused: this program was built without encryption", "network", matrix.Network, "do", "build it with -tags goolm, for example: go run -tags goolm ./cmd/bot")
		return m, nil
	}
	_, secret, err := st.Instance()
	if err != nil {
		return nil, err
	}
	sum := hmac.New(sha256.New, secret)
	sum.Write([]byte("the keys of Matrix"))
	if err := whenThereIsSpace(ctx, log, func() (err error) {
		m.keys, err = crypto.Open(context.WithoutCancel(ctx), crypto.Config{ // a stop meanwhile is no fault: what runs next ends by it
			Folder: cfg.Data, Store: st, Secret: sum.Sum(nil), Log: log,
		})
		return err
	}); err != nil {
		return nil, err
	}
	m.login.Device = m.keys.Owner().Device
	return m, nil
}

// accountOf is the account of the configuration.
func accountOf(cfg config.Config) account.Config {
	return account.Config{
		User: cfg.Matrix.User, Homeserver: cfg.Matrix.Homeserver,
		AccessToken: reveal(cfg.Matrix.AccessToken, config.Secret.Token), Password: reveal(cfg.Matrix.Password, config.Secret.Reveal),
		Folder: cfg.Data, DeviceName: cfg.Name,
	}
}

// reveal reads a secret when it is asked for; nil where none is set.
func reveal(s config.Secret, as func(config.Secret) (string, error)) func() (string, error) {
	if s.IsZero() {
		return nil
	}
	return func() (string, error) { return as(s) }
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
func (m *matrixAccount) adapter(st *store.Store, tree *commands.Commands) protocol.Adapter {
	reads := record.Matrix{Store: st}
	var described map[string][]matrix.Command
	if m.described {
		described = map[string][]matrix.Command{}
		for _, l := range say.Languages() {
			described[string(l)] = matrixCommands(tree, l)
		}
	}
	return matrix.New(matrix.Config{
		Commands: described,
		Connect:  m.session, Rooms: reads, Waiting: reads, Enforce: m.enforce, NoReactions: m.noReactions,
		Name: m.name, Avatar: m.avatar, Log: m.log,
	})
}

// matrixCommands describes the command tree for rooms of a language: what is given by position, of what everybody may give there.
func matrixCommands(tree *commands.Commands, l say.Language) (list []matrix.Command) {
	hidden := map[string]bool{}
	for n := range tree.Walk() {
		parent := (&commands.Node{Path: n.Path[:len(n.Path)-1]}).Title()
		if hidden[parent] || n.Hidden || n.Where == commands.PrivateOnly || n.Who == commands.Operator {
			hidden[n.Title()] = true
			continue
		}
		if len(n.Subs()) > 0 {
			continue
		}
		c := matrix.Command{Path: n.Path, Summary: sentence(n.SummaryIn(l))}
		for i := range n.Params {
			p := &n.Params[i]
			if p.ByName() || p.Hidden {
				continue
			}
			param := matrix.CommandParam{Name: p.Name, Summary: sentence(n.ParamSummaryIn(l, p)), Required: p.Required()}
			switch {
			case p.Kind == commands.Choice:
				param.Choices = p.Choices
			case p.Kind == commands.Integer:
				param.Kind = matrix.ParamNumber
			case p.Kind == commands.Person:
				param.Kind = matrix.ParamPerson
			case p.Kind == commands.Text:
				param.Kind = matrix.ParamText
			}
			if p.Repeat > 1 {
				param.Kind, param.Choices = matrix.ParamMany, nil
			}
			c.Params = append(c.Params, param)
		}
		list = append(list, c)
	}
	return list
}

// session logs in and makes the keys ready.
func (m *matrixAccount) session(ctx context.Context) (*matrix.Session, error) {
	acc, machine, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &matrix.Session{Client: acc.Client, Fault: func(err error) error {
		if fault := acc.Fault(err); fault != nil {
			return fault
		}
		return err
	}}
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
	again := pause.Backoff{First: time.Second, Most: time.Minute}
	for failures := 0; ; failures++ {
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
		wait := again.After(failures)
		m.log.Warn("the keys could not be prepared; the bot tries again", "network", matrix.Network, "again", wait, "err", err)
		if err := pause.Sleep(ctx, wait); err != nil {
			return nil, nil, err
		}
	}
}

func (m *matrixAccount) close() error {
	if m == nil || m.keys == nil {
		return nil
	}
	return m.keys.Close()
}
