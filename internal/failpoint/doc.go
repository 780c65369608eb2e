// Package failpoint names the places at which the proof kills the bot: between any two steps of which one is durable and
// the next is not yet. [Hit] stands in the code at each of them.
//
// A bot as it ships has none of it: without the build tag "failpoints" Hit is empty and is compiled away. With the tag it
// looks at the environment when the process starts:
//
//	MOOT_FAILPOINT=NAME:N   the process kills itself with SIGKILL when it comes to the place for the Nth time
//	                        (counted from 1, over all goroutines). Nothing is flushed, deferred or told to anybody.
//	MOOT_FAILPOINT_LOG=FILE each hit is appended to the file as a line with the name, before the process may die of it.
//
// Both may be set; a dry run sets the second alone and so learns which places there are, and how often each is come by.
// Whatever is wrong with the first ends the process with a panic: a test that never strikes would prove nothing.
package failpoint
