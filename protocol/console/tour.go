package console

import "moot/internal/say"

// tourSteps are the lines of the tour, which are done one after another as if a person had typed them. What begins with #
// is told to the one who watches.
func tourSteps(speak say.Speaker) []string {
	tell := func(id string) string { return "# " + speak.Plain(id) }
	return []string{
		tell("tour-begins"),
		"/in lobby",
		"/as cleo",
		speak.Plain("tour-soup"),
		"/as finn",
		speak.Plain("tour-screws"),
		speak.Plain("tour-screws"),
		"/as ben",
		speak.Plain("tour-stop"),
		tell("tour-challenge"),
		"!moot vote challenge finn " + speak.Plain("tour-floods"),
		tell("tour-open"),
		"/as ann",
		"!moot vote cast yes",
		"/as cleo",
		"!moot vote cast yes",
		"/as dan",
		"!moot vote cast yes",
		"/as eve",
		"!moot vote cast no",
		tell("tour-day"),
		"/wait 25h",
		tell("tour-passed"),
		"/as finn",
		"!moot vote motion " + speak.Plain("tour-motion"),
		tell("tour-appeal"),
		"!moot vote appeal " + speak.Plain("tour-sorry"),
		"/as ben",
		"!moot vote cast yes",
		"/as cleo",
		"!moot vote cast yes",
		"/as dan",
		"!moot vote cast yes",
		"/wait 25h",
		"/as ann",
		tell("tour-typed"),
		tell("tour-ends"),
	}
}

func (t *Terminal) tour([]string) error {
	if t.w.real {
		return sorry(t.speak, ErrForbidden, "tour-real")
	}
	t.steps = tourSteps(t.speak)
	return nil
}

func (t *Terminal) crash(args []string) error {
	if t.cfg.Crash == nil {
		return sorry(t.speak, ErrForbidden, "crash-within")
	}
	says, err := t.cfg.Crash(args[0])
	for _, line := range says {
		t.note(line)
	}
	return err
}

func (t *Terminal) inside(args []string) error {
	ref, err := t.findMessage(args[0])
	if err != nil {
		return err
	}
	if t.cfg.Inside == nil {
		return sorry(t.speak, ErrForbidden, "inside-not")
	}
	for _, line := range t.cfg.Inside(ref) {
		t.note("  " + line)
	}
	return nil
}
