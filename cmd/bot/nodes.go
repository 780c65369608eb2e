package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/commands"
	"moot/internal/config"
	"moot/internal/record"
	"moot/internal/watch"
	"moot/protocol/discord/node"
	"moot/protocol/remote"
	"moot/store"
)

// openNodes makes the adapter for a Discord whose shards are in other processes. It listens when it runs.
func openNodes(cfg config.Config, st *store.Store, tree *commands.Commands, log *slog.Logger) (*remote.Hub, error) {
	var secure *tls.Config
	if !strings.HasPrefix(cfg.Nodes.Listen, "unix:") {
		var err error
		if secure, err = certificates(cfg.Nodes); err != nil {
			return nil, err
		}
	}
	return node.NewWriter(node.WriterConfig{
		Listen: func() (net.Listener, error) {
			l, err := watch.Listen(cfg.Nodes.Listen)
			if err == nil && secure != nil {
				l = tls.NewListener(l, secure)
			}
			return l, err
		},
		Commands: discordCommands(tree), State: record.Discord{Store: st}, Completer: discordCompleter{st, tree}, Log: log,
	}), nil
}

// certificates is how the processes of a bot know one another over an address: each shows a certificate of one authority, and
// takes no connection without.
func certificates(c config.Nodes) (*tls.Config, error) {
	if c.Certificate == "" || c.Key == "" || c.Authority == "" {
		return nil, errors.New("certificate, key and authority in [nodes] are needed for an address")
	}
	own, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate in [nodes]: %w", err)
	}
	text, err := os.ReadFile(c.Authority)
	if err != nil {
		return nil, fmt.Errorf("authority in [nodes]: %w", err)
	}
	authority := x509.NewCertPool()
	if !authority.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("authority in [nodes]: there is no certificate in %s", c.Authority)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{own}, RootCAs: authority, ClientCAs: authority,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}, nil
}

// dialer returns what connects a node with its writer. Of several machines it tries the next one each time: only the one that leads
// answers.
func dialer(c config.Nodes) (func(context.Context) (io.ReadWriteCloser, error), error) {
	var secure *tls.Config
	all := c.At()
	if slices.ContainsFunc(all, func(at string) bool { return !strings.HasPrefix(at, "unix:") }) {
		var err error
		if secure, err = certificates(c); err != nil {
			return nil, err
		}
	}
	dial := func(ctx context.Context, at string) (io.ReadWriteCloser, error) {
		if path, ok := strings.CutPrefix(at, "unix:"); ok {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		return (&tls.Dialer{Config: secure}).DialContext(ctx, "tcp", at)
	}
	if len(all) == 1 {
		return func(ctx context.Context) (io.ReadWriteCloser, error) { return dial(ctx, all[0]) }, nil
	}
	next := 0 // a node has one connection at a time
	return func(ctx context.Context) (io.ReadWriteCloser, error) {
		var failed []error
		for range all {
			at := all[next%len(all)]
			next++
			one, cancel := context.WithTimeout(ctx, severalPatience/2) // a machine that is away does not say so
			conn, err := dial(one, at)
			cancel()
			if err == nil {
				return conn, nil
			}
			failed = append(failed, err)
		}
		return nil, errors.Join(failed...)
	}, nil
}

// severalPatience is after how long a node turns to another machine when nothing is heard from the one that leads, which says something
// four times a second.
const severalPatience = 5 * time.Second

// patienceOf returns after how long a node turns to another machine; zero where there is one.
func patienceOf(c config.Nodes) time.Duration {
	if len(c.At()) > 1 {
		return severalPatience
	}
	return 0
}

// maxShards is how many shards there may be, as in [discord].
const maxShards = 1000

// parseShards reads which shards a node has: "0-3/16", "0,2,5/16", "7/16".
func parseShards(text string) (own []int, count int, err error) {
	list, of, ok := strings.Cut(text, "/")
	if count, err = strconv.Atoi(of); !ok || err != nil || count < 1 || count > maxShards {
		return nil, 0, errShards
	}
	for part := range strings.SplitSeq(list, ",") {
		first, last, is := strings.Cut(part, "-")
		if !is {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 0 || to < from || to >= count {
			return nil, 0, errShards
		}
		for k := from; k <= to; k++ {
			own = append(own, k)
		}
	}
	return own, count, nil
}

var errShards = errors.New("write which shards, counted from 0, and of how many, such as 0-3/16")
