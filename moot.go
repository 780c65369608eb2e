// Package moot carries the configuration that the program is shipped with. Everything else is in the packages below;
// ARCHITECTURE.md says which is for what.
package moot

import _ "embed"

// DefaultConfig is the text of config.toml: the manual of the configuration, and what holds where nobody says otherwise.
//
//go:embed config.toml
var DefaultConfig []byte
