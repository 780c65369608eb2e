package console_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"moot/protocol"
	"moot/protocol/console"
)

// A world, the adapter that connects a bot to it, and a terminal. A bot takes its time from the clock of the world.
func Example() {
	world, err := console.Open(console.Config{Frozen: true, Start: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	adapter := console.NewAdapter(world)
	bot := newToy(adapter)
	terminal, err := console.NewTerminal(console.TerminalConfig{
		World: world, Adapter: adapter, Settle: bot.settle,
		In: strings.NewReader("!moot ping\n/as ben\n/kick moot\n/dm\nwhat is new?\n"), Out: os.Stdout,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- adapter.Run(ctx, bot) }()
	if err := terminal.Run(ctx); err != nil {
		fmt.Println(err)
	}
	cancel()
	if err := <-ran; err != nil {
		fmt.Println(err)
	}
	// Output:
	//  14 lobby     ann:   !moot ping
	//  15 lobby     moot:  pong
	// > /as ben
	// you are ben in lobby
	// > /kick moot
	// ! ben is no moderator of lobby; ann or eve can do that
	// > /dm
	// ben now talks with moot alone; /dm goes back
	//   1 dm ben    ben:   what is new?
	//   2 dm ben    moot:  you said what is new?
	// line 3 of the script: ben is no moderator of lobby; ann or eve can do that
}

var _ protocol.Adapter = (*console.Adapter)(nil)
var _ protocol.Adapter = (*console.Pipe)(nil)
