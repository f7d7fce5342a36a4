// Package migrate moves mail: it plans what to fetch from a maildrop, transfers
// it, settles it in sinks and ledger, marks what may go and audits that it went.
//
// The path of one message:
//
//	plan      UIDL, LIST, STAT × ledger: fetch, known, skip
//	transfer  RETR: unstuff, digest, spool; no termination line, no message
//	settle    every sink that lacks it stores it and vouches for it;
//	          then the ledger holds that, durably
//	mark      the ledger holds "marking", durably; DELE; QUIT read to its end
//	audit     a new session's listing lacks it: gone; still there: marked again
//
// [Maildrop] does that for one session on one maildrop and knows nothing of
// who calls it; [Run] calls it for all maildrops of a job on this machine.
// The package never prints and knows no wire syntax.
package migrate
