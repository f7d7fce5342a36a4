package auth

import "context"

// APOP (RFC 1939 section 7): a digest of the greeting's timestamp and the
// password. MD5 protects little (CVE-2007-1558), and a timestamp does not
// prove that the server knows APOP: only a job that names it gets it.
var apop = mechanism{name: APOP, proves: password, exposes: guesses, named: true,
	log: func(ctx context.Context, l *login, secret string) error {
		if l.client.Timestamp() == "" {
			return &unableError{"is not possible, for the server's greeting has no timestamp" + forgotten}
		}
		return l.client.APOP(ctx, l.credentials.User, secret)
	}}

const forgotten = " (behind STLS it counts no more)"
