package extending

import (
	"embed"

	"moot/commands"
	"moot/internal/say"
)

//go:embed *.toml
var files embed.FS

// catalogue has the sentences, in every language.
var catalogue = say.New(files)

// Roll is a command: !moot roll 2 6. What it says of itself, and what it answers, is in the catalogue.
func Roll() *commands.Command {
	return &commands.Command{
		Name:  "roll",
		Words: catalogue,
		Params: []commands.Param{
			{Name: "dice", Kind: commands.Integer, Min: 1, Max: 20},
			{Name: "sides", Kind: commands.Integer, Min: 2, Max: 100, Optional: true},
		},
		Examples: []string{"roll 2", "roll 1 20"},
		Run: func(c *commands.Call) error {
			sides := int64(6)
			if c.Has("sides") {
				sides = c.Integer("sides")
			}
			sum := int64(0)
			for range c.Integer("dice") {
				sum += 1 + c.Chance().Int64N(sides)
			}
			return c.Answer(catalogue.In(c.Language()).Say("rolled", say.Number("Sum", sum), say.Count("Dice", int(c.Integer("dice")))))
		},
	}
}
