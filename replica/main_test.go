package replica_test

import (
	"flag"
	"os"
	"testing"

	"moot/internal/effort"
)

// TestMain has fewer histories played than usual: each opens and syncs files some dozen times.
func TestMain(m *testing.M) {
	flag.Parse()
	effort.Checks(8, 20)
	os.Exit(m.Run())
}
