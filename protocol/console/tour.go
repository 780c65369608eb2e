package console

import "errors"

// tourSteps are the lines of the tour, which are done one after another as if a person had typed them. What begins with #
// is told to the one who watches.
var tourSteps = []string{
	"# Six people live here, and moot, the bot. Watch what they do for a minute.",
	"/in lobby",
	"/as cleo",
	"There is soup tonight, for everybody.",
	"/as finn",
	"BUY SCREWS! BUY SCREWS! BUY SCREWS!",
	"BUY SCREWS! BUY SCREWS! BUY SCREWS!",
	"/as ben",
	"finn, please stop.",
	"# Nobody here is the boss of the bot. Ben asks the room to challenge finn, who then cannot use it.",
	"!moot vote challenge finn floods the lobby",
	"# A vote is open. A ballot is a reaction, a key, or a command.",
	"/as ann",
	"!moot vote cast yes",
	"/as cleo",
	"!moot vote cast yes",
	"/as dan",
	"!moot vote cast yes",
	"/as eve",
	"!moot vote cast no",
	"# A challenge runs for a day. Here time can be moved.",
	"/wait 25h",
	"# It has passed. What does the bot say to finn now? It tells him alone: see what is private.",
	"/as finn",
	"!moot vote motion screws for everybody",
	"# Finn is refused, and can appeal: the same people decide again.",
	"!moot vote appeal I am sorry, no more screws",
	"/as ben",
	"!moot vote cast yes",
	"/as cleo",
	"!moot vote cast yes",
	"/as dan",
	"!moot vote cast yes",
	"/wait 25h",
	"/as ann",
	"# That was all done by lines that you can type: /as ben speaks as ben, /wait moves time, !moot help asks the bot.",
	"# /inside shows what the bot did with a message. /crash kills the bot in the middle of one, and you watch it come back.",
}

func (t *Terminal) tour([]string) error {
	if t.w.real {
		return errors.New("the tour moves time, and other networks run beside the console; start the bot without a network for it")
	}
	t.steps = append([]string{}, tourSteps...)
	return nil
}

func (t *Terminal) crash(args []string) error {
	if t.cfg.Crash == nil {
		return errors.New("the bot runs within this process here; in a terminal, without a network, it has one of its own that can be killed")
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
		return errors.New("the bot cannot be looked into here")
	}
	for _, line := range t.cfg.Inside(ref) {
		t.note("  " + line)
	}
	return nil
}
