//go:build !failpoints

package failpoint

// Enabled is whether the program was built with the tag.
const Enabled = false

// Hit does nothing, and is compiled away.
func Hit(Point) {}
