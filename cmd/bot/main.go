// Command bot is moot: the bot itself, and the means to look into it. It alone knows all packages; wire.go puts them
// together.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
)

func main() {
	if os.Getenv("GOGC") == "" {
		// The bot keeps little and throws away much: with a thousand servers of a hundred members it has 29 MB of memory of its
		// own instead of 42 MB.
		debug.SetGCPercent(50)
	}
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signals := make(chan os.Signal)
	go func() { // until the process ends
		for stops := 0; stops < 2; {
			s := <-caught
			if signals <- s; s != syscall.SIGHUP {
				stops++
			}
		}
		signal.Stop(caught) // the third one kills
	}()
	os.Exit(run(context.Background(), signals, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it could not be done, and one sentence on stderr says why
	exitUsage  = 2 // it was asked for in a way that is not understood
	// exitPerson is that of a bot that cannot run until a person has done something: to start it again is of no use.
	exitPerson = 78 // EX_CONFIG of sysexits.h
)

// run does what the arguments say and returns the exit code. The first signal is the wish that it ends in good order, the
// second that it does not wait any more; SIGHUP is none to a bot without a terminal, which then reads [log] again. Nothing of it runs when it returns.
func run(ctx context.Context, signals <-chan os.Signal, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a := &app{in: stdin, out: stdout, errs: stderr, hurry: make(chan struct{})}
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for orders := []func(){stop, func() { close(a.hurry) }}; len(orders) > 0; {
			select {
			case s := <-signals:
				if reload := a.reload.Load(); s == syscall.SIGHUP && reload != nil {
					(*reload)()
					continue
				}
				orders[0]()
				orders = orders[1:]
			case <-done:
				return
			}
		}
	})
	err := a.execute(ctx, args)
	close(done)
	watch.Wait()
	return a.report(err)
}
