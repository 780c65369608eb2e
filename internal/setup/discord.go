package setup

import (
	"context"
	"regexp"
	"strings"

	"moot/internal/finding"
	"moot/protocol/discord"
)

// snowflake is an id on Discord.
var snowflake = regexp.MustCompile(`^[1-9][0-9]{14,19}$`)

// onDiscord finds out whose token it is, and who runs the bot.
func (s *setup) onDiscord(ctx context.Context) error {
	app, err := s.application(ctx)
	if err != nil {
		return err
	}
	s.done.Invite = app.Invite
	s.say("To add the bot to a server, open %s", app.Invite)
	return s.discordOperator(ctx, app)
}

func (s *setup) client() discord.Config {
	return discord.Config{Token: s.token, APIURL: s.APIURL, Version: s.Version, Transport: s.Transport}
}

// application asks for the token until Discord knows it, and until the intents are switched on.
func (s *setup) application(ctx context.Context) (*discord.Application, error) {
	token := question{
		title: "The token of the bot on Discord", secret: true,
		help: "At https://discord.com/developers/applications make an application; under Bot, switch on the Server Members Intent, and press Reset Token.",
	}
	on := question{title: "Press Enter when it is switched on", help: "The bot cannot connect before."}
	for {
		answer, err := s.ask(ctx, token)
		if err != nil {
			return nil, err
		}
		token.again = true
		s.token = strings.TrimPrefix(answer, "Bot ")
		if s.token == "" || strings.ContainsAny(s.token, " \t\r\n") {
			s.say("That is no token: it is one word, with two dots in it.")
			continue
		}
		for {
			short, cancel := context.WithTimeout(ctx, patience)
			app, found := discord.Identify(short, s.client())
			cancel()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			wrong := false
			for _, f := range found {
				if f.Status == finding.Fail {
					wrong = true
				}
				if f.Status != finding.OK || f.What == "discord" {
					s.refuse(f.Text)
				}
				if f.Do != "" {
					s.say("→ %s", f.Do)
				}
			}
			if app != nil && !wrong {
				return app, nil
			}
			if app == nil {
				break // another token
			}
			if _, err := s.ask(ctx, on); err != nil {
				return nil, err
			}
			on.again = true
		}
	}
}

// discordOperator asks who runs the bot, and Discord who that is.
func (s *setup) discordOperator(ctx context.Context, app *discord.Application) error {
	q := question{
		title: "Your own id on Discord", preset: app.Owner,
		help: "A number: in the settings of Discord switch on Advanced, Developer Mode; then right-click yourself, Copy User ID.",
	}
	if app.Owner != "" {
		q.help += " The one in brackets is who owns the application."
	}
	for ; ; q.again = true {
		answer, err := s.ask(ctx, q)
		if err != nil {
			return err
		}
		if !snowflake.MatchString(answer) {
			s.say("That is no id: it is a number of 15 to 20 digits, such as 80351110224678912.")
			continue
		}
		short, cancel := context.WithTimeout(ctx, patience)
		name, err := discord.Who(short, s.client(), answer)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			s.say("Discord does not say who that is: %v. Try again in a moment.", err)
			continue
		case name == "":
			s.say("Discord knows nobody with that id. Copy it once more.")
			continue
		}
		s.say("%s will run the bot.", name)
		s.operators = append(s.operators, "discord:"+answer)
		return nil
	}
}
