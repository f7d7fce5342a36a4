// Package torture holds the tests that crash popmigrate everywhere.
//
// The real engine, sinks and ledger run on a file system that forgets what was
// not synced, against a server that lies, half obeys and hangs up, over lines
// that break at any octet. Each run is killed where its plan says, restarted
// on what the crash left, and in the end allowed to finish; then the promises
// of docs/safety.md are checked against what was delivered to the server.
//
// Time is that of testing/synctest: nobody waits for a time-out.
package torture
