package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
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
	short := flags.Bool("smoke", false,
		"a short form: does each engine admit each event exactly once? It draws and measures nothing of worth")
	long := flags.Int("long", 10_000_000, "how many stored events the growth is measured up to")
	only := flags.String("only", "", "only engines whose names begin with one of these, separated by commas")
	svg := flags.String("svg", "../docs/benchmarks.svg", "where the picture is drawn; empty means nowhere")
	doc := flags.String("doc", "../docs/benchmarks.md",
		"the page into which the tables are written; empty means nowhere")
	readme := flags.String("readme", "../README.md", "the page into which the ratios are written; empty means nowhere")
	batches := flags.String("batches", "", "only these sizes of batches, separated by commas")
	folder := flags.String("dir", ".",
		"where the files are made meanwhile; it should be on the disk that is to be measured")
	before := flags.String("before", "",
		"the path of another moot, such as one from before the log of commits: the whole way there is compared")
	parts := flags.String("parts", "",
		"what is measured of race, single, restart, sweep, growth, way and members; empty means all")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := full
	s.long = *long
	if *short {
		s = smoke
	}
	if *batches != "" {
		s.batches = nil
		for _, size := range strings.Split(*batches, ",") {
			n, err := strconv.Atoi(size)
			if err != nil || s.events[n] == 0 {
				return fmt.Errorf("there are no batches of %q", size)
			}
			s.batches = append(s.batches, n)
		}
	}
	if *short || *parts != "" || *only != "" || *batches != "" {
		*svg, *doc, *readme = "", "", ""
	}
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
		if *parts = "race,single,restart,sweep,growth,way,members"; *short {
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
		case "growth":
			more, err = growth(dir, s, tell)
		case "way":
			wayText, more, err = way(s, *before)
		case "members":
			more, err = members()
		default:
			err = fmt.Errorf("there is no part %q", part)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
		targets = append(targets, more...)
		tell("%-28s %-20s %6.1fs", part, "", time.Since(began).Seconds())
	}
	var out strings.Builder
	out.WriteString(where)
	if racers != nil {
		out.WriteString("\n" + raceTable(racers, s))
		if !*short {
			out.WriteString("\n" + ratioTable(racers, s))
		}
	}
	if wayText != "" {
		out.WriteString("\n" + wayText)
	}
	if !*short {
		out.WriteString("\n" + targetTable(targets))
	}
	fmt.Print(out.String())
	if *svg != "" {
		if err := os.WriteFile(*svg, []byte(picture(racers, s)), 0o644); err != nil {
			return err
		}
	}
	if *doc != "" {
		if err := writeDown(*doc, out.String()); err != nil {
			return err
		}
	}
	if *readme != "" {
		text := "In the run of " + time.Now().UTC().Format(time.DateOnly) + " moot had so many times the events a second of\n\n"
		if err := writeDown(*readme, text+ratioTable(racers, s)); err != nil {
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
