package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"moot/cluster/channel"
	"moot/cluster/fleet"
	"moot/cluster/settings"
	"moot/cluster/web"
	"moot/internal/site"
)

// ErrNoPage is the error of Link where there is nothing that a link leads to.
var ErrNoPage = errors.New("no launcher with a page runs on this channel")

var errEnding = errors.New("the launcher ends")

// Link makes a link to the page of the launcher that runs, for one use within some minutes. Of its secret, Redis has the hash.
func Link(ctx context.Context, s settings.Settings) (string, error) {
	c, err := channel.Open(ctx, s.Redis, s.Channel, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer c.Close()
	address, err := c.Page(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("look for the launcher in Redis: %w", err)
	case address == "":
		return "", ErrNoPage
	}
	secret := site.NewSecret()
	if err := c.PutLink(ctx, hexOf(site.HashOf(secret)), site.LinkLasts); err != nil {
		return "", fmt.Errorf("leave a link in Redis: %w", err)
	}
	return "http://" + address + site.LoginPath(secret), nil
}

func hexOf(h site.Hash) string { return hex.EncodeToString(h[:]) }

// serve serves the page, unless the settings want none.
func (l *launcher) serve(ctx context.Context, work *sync.WaitGroup) error {
	if l.Settings.UseCustomWebUI || l.Settings.Moot.Listen == "" {
		return l.channel.SetPage(ctx, "")
	}
	listener, err := net.Listen("tcp", l.Settings.Moot.Listen)
	if err != nil {
		return fmt.Errorf("serve the page; moot.listen says where: %w", err)
	}
	if err := l.channel.SetPage(ctx, listener.Addr().String()); err != nil {
		return errors.Join(err, listener.Close())
	}
	page := web.New(web.Config{
		Version: "moot " + l.Version, Channel: l.Settings.Channel, Folder: l.folder, Started: l.now(), Reshard: l.Settings.Reshards(),
		View: func() fleet.View { return *l.view.Load() }, Command: l.command, Actions: l.channel.Actions, Publish: l.channel.Publish,
		Take: func(ctx context.Context, h site.Hash) bool { return l.channel.TakeLink(ctx, hexOf(h)) }, Now: l.now, Log: l.Log,
	})
	l.Log.Info("the clusters have a page", "address", listener.Addr().String())
	work.Go(func() {
		if err := page.Serve(ctx, listener); err != nil {
			l.Log.Error("the page cannot be served any more", "err", err)
		}
	})
	return nil
}

// command has a command of the page done.
func (l *launcher) command(ctx context.Context, a fleet.Action, id int) (string, error) {
	o := order{fleet.Command{Action: a, ID: id, CommandID: "page-" + rand.Text()}, make(chan any, 1)}
	select {
	case l.orders <- o:
	case <-l.done:
		return "", errEnding
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case out := <-o.answer:
		return fmt.Sprint(out), nil
	case <-l.done:
		return "", errEnding
	}
}
