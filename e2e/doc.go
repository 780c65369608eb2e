// Package e2e tests moot from one end to the other: the real program, configured by a file, against a real homeserver, with
// people who use real Matrix clients, in clear and encrypted.
//
//	cd e2e && go test ./...
//
// is all. The first run builds the homeserver (Dendrite, in a few minutes) and installs the library of the foreign
// witness (matrix-js-sdk, for which Node.js 20 or newer is needed), both once, into the user's cache folder.
//
//	homeserver   a Dendrite for a test
//	process      the bot as a process
//	client       people: mautrix with real encryption; what happens is waited for, nothing is slept for
//	witness      a person on matrix-js-sdk with its Rust crypto, who shares no code with the bot
//	node         the process of Node.js of such a witness
//	echo         the bot that the benchmark compares with
//	dendrite     the module that pins the homeserver, and the script that builds it once
//	js           the lock file that pins the witness's library, the script that installs it once, and the witness
//	browser      the page of operators in a real browser, with a program that looks for barriers
//	elect        elections, counted once more by others (@node-core/caritat)
//	discord      the bot at a foreign Discord (discord-digital-twin), as a witness of its interactions
//
// Everything that encrypts needs the build tag goolm; where it is missing, the tests start themselves again with it.
package e2e
