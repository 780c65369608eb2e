// Package client is a Matrix client for tests: an account with a device, real end-to-end encryption, and everything that it
// has seen, which tests wait on.
//
// # Promises
//
//   - Nothing is waited for by sleeping: the methods that wait return when the client has seen what they wait for, and fail the
//     test when it has not within [Patience], with what it has seen instead.
//   - What is sent to an encrypted room is encrypted to everybody there, and what comes decrypted is marked as such.
//   - A client ends with its test.
//
// It needs the build tag goolm, as everything here that encrypts.
package client
