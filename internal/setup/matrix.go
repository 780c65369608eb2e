package setup

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"moot/internal/config"
	"moot/protocol"
	"moot/protocol/matrix/account"
)

// patience is how long a server may take to answer a question of a setup.
const patience = 30 * time.Second

// accountForm is an account on Matrix (specification, appendix "User Identifiers").
var accountForm = regexp.MustCompile(`^@[^:\s/"]+:[A-Za-z0-9.:\[\]-]+$`)

// onMatrix logs the bot in, and asks who runs it.
func (s *setup) onMatrix(ctx context.Context) error {
	home, err := s.home(ctx)
	if err != nil {
		return err
	}
	release, err := s.Hold(s.data)
	if err != nil {
		return err
	}
	acc, err := s.logIn(ctx, home)
	if err := errors.Join(err, release()); err != nil {
		return err
	}
	s.done.Account = s.matrix.user
	return s.matrixOperator(ctx, acc)
}

// login is what is known so far.
func (s *setup) login() account.Config {
	return account.Config{
		User: s.matrix.user, Homeserver: s.matrix.homeserver, Folder: s.data, DeviceName: config.Default().Name, Transport: s.Transport,
	}
}

// home asks for the account of the bot until its homeserver is found.
func (s *setup) home(ctx context.Context) (account.Home, error) {
	q := question{title: "The account of the bot on Matrix", help: "Make one for it first, as for a person, on the homeserver of your choice. It looks like @moot:example.org"}
	for ; ; q.again = true {
		answer, err := s.ask(ctx, q)
		if err != nil {
			return account.Home{}, err
		}
		if !accountForm.MatchString(answer) {
			s.say("That is no account on Matrix: write it with the sign @, the name, a colon and the server, such as @moot:example.org.")
			continue
		}
		s.matrix.user = answer
		break
	}
	q = question{title: "The address of its homeserver", help: "Its server does not tell where the homeserver is. The address begins with https://, such as https://matrix.example.org"}
	for first := true; ; first = false {
		short, cancel := context.WithTimeout(ctx, patience)
		home, err := account.Find(short, s.login())
		cancel()
		var fault *account.Fault
		switch {
		case err == nil:
			s.say("Found: %s is a homeserver.", home.Address)
			return home, nil
		case ctx.Err() != nil:
			return home, ctx.Err()
		case errors.As(err, &fault):
			s.refuse(fault.What)
		default:
			s.say("The homeserver does not answer: %v.", err)
		}
		q.again = !first
		if s.matrix.homeserver, err = s.ask(ctx, q); err != nil {
			return home, err
		}
	}
}

// logIn makes a login that is kept in the data folder.
func (s *setup) logIn(ctx context.Context, home account.Home) (*account.Account, error) {
	c := s.login()
	if look, err := account.Look(ctx, c); err == nil {
		s.say("The bot is logged in already, as %s.", look.Client.UserID)
		return look, nil
	}
	c.Show = func(g account.Grant) {
		s.say("Log in as the account of the bot at %s and type the code %s. This waits until %s.", g.Page, g.Code, g.Until.Format(time.TimeOnly))
		if g.Link != "" {
			s.say("Or follow this link: %s", g.Link)
		}
	}
	q := question{title: "Its password", help: "It goes into a file that nobody else can read, for a server that asks for it once more.", secret: true}
	for ; ; q.again = true {
		if home.Password {
			password, err := s.ask(ctx, q)
			if err != nil {
				return nil, err
			}
			s.matrix.password = password
			c.Password = func() (string, error) { return password, nil }
		}
		acc, err := account.Open(ctx, c)
		var fault *account.Fault
		switch {
		case err == nil:
			s.say("Logged in: the homeserver says that this is %s, on the device %s.", acc.Client.UserID, acc.Client.DeviceID)
			return acc, nil
		case ctx.Err() != nil, !errors.As(err, &fault), !home.Password:
			return nil, err
		}
		s.refuse(fault.What)
	}
}

// matrixOperator asks who runs the bot, and the homeserver whether there is such an account.
func (s *setup) matrixOperator(ctx context.Context, acc *account.Account) error {
	q := question{title: "Your own account on Matrix", help: "It may give the bot every command. It looks like @you:example.org"}
	for ; ; q.again = true {
		answer, err := s.ask(ctx, q)
		if err != nil {
			return err
		}
		_, server, _ := strings.Cut(s.matrix.user, ":")
		if answer != "" && !strings.Contains(answer, ":") {
			answer = "@" + strings.TrimPrefix(answer, "@") + ":" + server
		}
		switch {
		case !accountForm.MatchString(answer):
			s.say("That is no account on Matrix: write it with the sign @, the name, a colon and the server, such as @you:example.org.")
			continue
		case answer == s.matrix.user:
			s.say("That is the account of the bot. Write the one that you write from yourself.")
			continue
		}
		short, cancel := context.WithTimeout(ctx, patience)
		known, err := acc.Knows(short, answer)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			s.say("Whether there is %s could not be found out: %s. It is taken as you wrote it.", answer, protocol.OneLine(err.Error()))
		case !known:
			s.say("The homeserver knows nobody called %s. Check the spelling.", answer)
			continue
		default:
			s.say("%s will run the bot.", answer)
		}
		s.operators = append(s.operators, "matrix:"+answer)
		return nil
	}
}
