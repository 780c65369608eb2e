package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	short := flags.Bool("smoke", false, "a short form: does each engine admit each event exactly once? It draws and measures nothing of worth")
	long := flags.Int("long", 0, "also measure the growth up to so many stored events (10000000 takes some minutes)")
	only := flags.String("only", "", "only these engines, separated by commas")
	svg := flags.String("svg", "../docs/benchmarks.svg", "where the picture is drawn; empty means nowhere")
	folder := flags.String("dir", ".", "where the files are made meanwhile; it should be on the disk that is to be measured")
	plain := flags.String("plain", "", "the path of a moot from before the journal, with this cmd/bot/way_test.go in it: the whole way there is compared")
	parts := flags.String("parts", "", "what is measured of race, single, restart, sweep and way; empty means all")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := full
	if *short {
		s, *svg = smoke, ""
	}
	s.long = *long
	dir, err := os.MkdirTemp(*folder, "data-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tell := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	where := machine()
	var names []string
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	var racers []*racer
	var targets []target
	if *parts == "" {
		if *parts = "race,single,restart,sweep,way"; *short {
			*parts = "race,single,restart,sweep"
		}
	}
	wayText := ""
	for _, part := range strings.Split(*parts, ",") {
		began := time.Now()
		var more []target
		switch part {
		case "race":
			racers = race(dir, s, names, tell)
			more = compared(racers)
		case "single":
			more, err = single(dir, s)
		case "restart":
			more, err = restart(dir, s)
		case "sweep":
			more, err = sweepAndSize(dir, s)
		case "way":
			wayText, more, err = way(s, *plain)
		default:
			err = fmt.Errorf("there is no part %q", part)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
		targets = append(targets, more...)
		tell("%-28s %-20s %6.1fs", part, "", time.Since(began).Seconds())
	}
	if s.long > 0 {
		more, err := growth(dir, s, tell)
		if err != nil {
			return fmt.Errorf("growth: %w", err)
		}
		targets = append(targets, more...)
	}
	fmt.Println(where)
	if racers != nil {
		fmt.Println(raceTable(racers, s))
	}
	if wayText != "" {
		fmt.Println(wayText)
	}
	if !*short {
		fmt.Println(targetTable(targets))
	}
	if *svg != "" && racers != nil {
		if err := os.WriteFile(*svg, []byte(picture(racers, s)), 0o644); err != nil {
			return err
		}
	}
	for _, r := range racers {
		if r.fault != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", r.name, r.fault))
		}
	}
	return err
}
