package replica_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain has fewer histories played unless somebody asks for a number: each opens and syncs files some dozen times.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("20"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
