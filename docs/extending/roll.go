package extending

import (
	"moot/commands"
)

// Roll is a command: !moot roll 2 6.
func Roll() *commands.Command {
	return &commands.Command{
		Name:    "roll",
		Summary: "rolls dice",
		Params: []commands.Param{
			{Name: "dice", Kind: commands.Integer, Min: 1, Max: 20, Summary: "how many"},
			{Name: "sides", Kind: commands.Integer, Min: 2, Max: 100, Optional: true, Summary: "how many sides each has; 6 if you leave it out"},
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
			return c.Answerf("🎲 %d", sum)
		},
	}
}
