//go:build man

package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The command `moot man DIR` is only in the program that .ci/release makes the manual pages with.
func init() {
	special = append(special, func(*app) *cobra.Command {
		return &cobra.Command{
			Use: "man DIR", Short: "Write the manual pages", Args: exactly("DIR"), Hidden: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				root := cmd.Root()
				root.DisableAutoGenTag = true
				return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "moot " + version(), Manual: "moot"}, args[0])
			},
		}
	})
}
