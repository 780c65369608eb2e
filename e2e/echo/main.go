//go:build goolm

// Command echo is the bot that the benchmark compares with: mautrix as its examples use it, with its crypto helper and its
// database, that answers each message beginning with "!echo" with a reply, remembers nothing and promises nothing.
//
//	echo HOMESERVER USER TOKEN DEVICE FOLDER
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
	_ "modernc.org/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 5 {
		return errors.New("echo HOMESERVER USER TOKEN DEVICE FOLDER")
	}
	cli, err := mautrix.NewClient(args[0], id.UserID(args[1]), args[2])
	if err != nil {
		return err
	}
	cli.DeviceID = id.DeviceID(args[3])
	dsn := "file:" + filepath.Join(args[4], "echo.db") + "?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)"
	raw, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		return err
	}
	helper, err := cryptohelper.NewCryptoHelper(cli, []byte("echo"), db)
	if err != nil {
		return err
	}
	syncer := cli.Syncer.(*mautrix.DefaultSyncer)
	syncer.OnEventType(event.StateMember, func(ctx context.Context, ev *event.Event) {
		if ev.GetStateKey() == cli.UserID.String() && ev.Content.AsMember().Membership == event.MembershipInvite {
			if _, err := cli.JoinRoomByID(ctx, ev.RoomID); err != nil {
				fmt.Fprintln(os.Stderr, "join:", err)
			}
		}
	})
	syncer.OnEventType(event.EventMessage, func(ctx context.Context, ev *event.Event) {
		m := ev.Content.AsMessage()
		if ev.Sender == cli.UserID || !strings.HasPrefix(m.Body, "!echo") {
			return
		}
		answer := &event.MessageEventContent{MsgType: event.MsgNotice, Body: "pong", RelatesTo: (&event.RelatesTo{}).SetReplyTo(ev.ID)}
		if _, err := cli.SendMessageEvent(ctx, ev.RoomID, event.EventMessage, answer); err != nil {
			fmt.Fprintln(os.Stderr, "answer:", err)
		}
	})
	if err := helper.Init(ctx); err != nil {
		return err
	}
	cli.Crypto = helper
	return errors.Join(cli.SyncWithContext(ctx), helper.Close())
}
