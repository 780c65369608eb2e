//go:build wasip1

// Filter looks for words that a room does without, and answers who has written one. It is built for WebAssembly:
//
//	GOOS=wasip1 GOARCH=wasm go build -o filter.wasm filter.go
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode"
)

var words = []string{"darn", "heck"}

func main() {
	var job struct{ Text, Name string }
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	results := map[string]string{}
	for word := range strings.FieldsFuncSeq(strings.ToLower(job.Text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		for _, w := range words {
			if word == w {
				results["answer"] = job.Name + ", we do without that word here."
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		os.Exit(1)
	}
}
