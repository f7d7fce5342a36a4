// Package personalities holds the tests that run whole jobs against every
// server that pop3test impersonates.
//
// The real engine, sinks and ledger copy, are interrupted, resume, delete and
// audit; then every message must be in every sink once, octet for octet as the
// server sent it, and nothing may have been deleted that was not kept. Where a
// server makes that impossible, the table in expect_test.go says what comes
// instead, and that is held to as well.
package personalities
