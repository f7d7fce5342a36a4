package migrate

import (
	"io"

	"popmigrate/pop3"
)

// octetsMost bounds a message by its listed octets, so that one without end
// does not fill the disk of the whole run. Listed octets are often wrong, by
// half or twofold, seldom by more and never by that much.
func (v *visit) octetsMost(e Entry) int64 {
	most := v.job.Limits.WithDefaults().MessageOctets
	if e.Octets < 0 {
		return unlistedFactor * most
	}
	return max(most, 4*min(e.Octets, 1<<60))
}

// unlistedFactor is how much larger a message may be if nothing was listed.
const unlistedFactor = 16

// bounded passes on so many octets and no more.
type bounded struct {
	io.Writer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, &pop3.ProtocolError{Command: "RETR or TOP", Problem: "message has far more octets than were listed, and no end is in sight"}
	}
	return b.Writer.Write(p)
}
