package migrate

import "errors"

// explained is an error that knows by itself what helps against it, as those of
// Kerberos do: they tell a wrong clock from a KDC that is down.
type explained interface {
	error
	Class() string // the word of a Class
	Hint() string
}

// explain takes over what the cause knows of itself.
func (e *ConnectError) explain() {
	var known explained
	if !errors.As(e.Err, &known) {
		return
	}
	if class := Class(known.Class()); class != ClassNone {
		e.Class = class
	}
	if hint := known.Hint(); hint != "" {
		e.Hint = hint
	}
}
