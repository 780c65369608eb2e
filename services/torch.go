package services

import (
	"encoding/json"
	"errors"
	"fmt"

	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
)

// errTorch is the error of a text that cannot be read as a command; it is for people.
var errTorch = errors.New("it is no command of the service")

// torches returns the commands of a service by which its torches read texts; nil where it has none.
func torches(s *Spec) (*commands.Commands, error) {
	var own []*commands.Command
	for _, t := range s.Tasks {
		for _, name := range t.Torch {
			if own == nil {
				for _, c := range s.Commands {
					own = append(own, &commands.Command{
						Name: c.Name, Summary: c.Summary, Detail: c.Detail, Examples: c.Examples, Params: c.Params,
						Run: func(*commands.Call) error { return errTorch }, // it is read, and never run
					})
				}
			}
			if err := canTorch(s, name); err != nil {
				return nil, fmt.Errorf("services: %s: %w", s.Name, err)
			}
		}
	}
	if own == nil {
		return nil, nil
	}
	return commands.New(commands.Config{Prefixes: []string{"!"}}, own...)
}

// canTorch returns why a text cannot be read as a command of that name; nil where it can.
func canTorch(s *Spec, name string) error {
	for _, c := range s.Commands {
		if c.Name != name {
			continue
		}
		for _, p := range c.Params {
			if p.Kind == commands.Person || p.Kind == commands.Room {
				return fmt.Errorf("a text cannot be read as %s: %s is a person", name, p.Name)
			}
		}
		return nil
	}
	return fmt.Errorf("it has no command %s", name)
}

// read reads the text of a job as one of the commands that a torch allows: what pattern has found in its first group, or all of it.
// Otherwise it returns what is wrong with the text, for who wrote it, in the language.
func read(l say.Language, tree *commands.Commands, allowed []string, in *Input) protocol.Text {
	text := in.Text
	if len(in.Groups) > 1 {
		text = in.Groups[1]
	}
	call, m := tree.Read(l, text, allowed)
	if m != nil {
		return m.Text
	}
	in.Command, in.Args = call.Command.Name, map[string]any{}
	for _, p := range call.Command.Params {
		if call.Has(p.Name) {
			in.Args[p.Name] = argument(call, p)
		}
	}
	return nil
}

// refuse makes what is wrong with the text of a job all that came of it, for the collector that has found it.
func refuse(j *Job, sorry protocol.Text) error {
	words, err := json.Marshal(sorry.Plain())
	if err != nil {
		return fmt.Errorf("encode what a torch refuses: %w", err)
	}
	j.Results = map[string]json.RawMessage{"answer": words, "refused": json.RawMessage("true")}
	return nil
}

// Torch does for whoever tries a service without a bot what a task that is a torch does: it reads the text of the input as a command,
// and says what is wrong with it otherwise.
func Torch(l say.Language, s Spec, t Task, in *Input) (protocol.Text, error) {
	tree, err := torches(&s)
	if err != nil {
		return nil, err
	}
	return read(l, tree, t.Torch, in), nil
}
