package main

import (
	"testing"

	"moot/internal/config"
	"moot/votes"
)

// The rules of votes that the shipped file names are those that the package documents.
func TestVoteRulesOfTheShippedFile(t *testing.T) {
	v := config.Default().Votes
	if got, want := voteRules(v), votes.DefaultRules(); got != want {
		t.Errorf("config.toml gives %+v, the package %+v", got, want)
	}
	for name, is := range map[string]bool{
		"shortest_duration": v.ShortestDuration == votes.DefaultShortestVote,
		"edits":             v.Edits == votes.DefaultEdits && v.EditsDiscord == votes.DefaultDiscordEdits,
		"reading":           v.Reading == votes.DefaultReading,
		"outage and void":   v.Outage == votes.DefaultOutage && v.Void == votes.DefaultVoid,
		"poll":              v.PollShortest == votes.DefaultShortest && v.PollLongest == votes.DefaultLongest && v.PollDuration == votes.DefaultRuns,
	} {
		if !is {
			t.Errorf("%s in config.toml is not what the package documents", name)
		}
	}
}
