package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"strings"

	"popmigrate/checkpoint"
	"popmigrate/pop2"
	"popmigrate/pop3"
	"popmigrate/pop3/auth"
)

// POP2Source says how to reach one maildrop over POP2 (RFC 937) and how to log
// in to it. It implements Connector. The protocol knows no TLS: password and
// mail travel in clear text.
type POP2Source struct {
	Server   string // host:port
	User     string
	Password func(context.Context) (string, error)
	Folder   string // "" means the default folder
	Timeouts pop3.Timeouts

	// Dial opens the connection; nil means a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

var (
	_ Session   = (*pop2Session)(nil)
	_ Connector = (*POP2Source)(nil)
)

// Connect dials, reads the greeting, logs in and opens the folder. Its errors
// are *ConnectError.
func (s *POP2Source) Connect(ctx context.Context) (Session, *Facts, error) {
	facts := &Facts{Server: s.Server, Mode: TLSNone}
	conn, err := dialServer(ctx, s.Dial, s.Timeouts, facts)
	if err != nil {
		return nil, facts, err
	}
	session := &pop2Session{client: pop2.NewClient(conn, s.Timeouts), print: newFingerprint(), read: map[pop3.Number]identity{}}
	if err := s.open(ctx, session, facts); err != nil {
		session.Close()
		return nil, facts, err
	}
	return session, facts, nil
}

// open goes from the greeting to the folder.
func (s *POP2Source) open(ctx context.Context, session *pop2Session, facts *Facts) error {
	var err error
	if facts.Greeting, err = session.client.Greeting(ctx); err != nil {
		return connectError("greeting", s.Server, err)
	}
	password, err := s.Password(ctx)
	if err != nil {
		e := connectError("password", s.Server, err)
		e.Class = ClassLocal
		return e
	}
	facts.Mechanism = "HELO"
	session.messages, _, err = session.client.Hello(ctx, s.User, password)
	if err != nil {
		return pop2LoginError(s.Server, err, session.client.Broken() == nil)
	}
	if s.Folder == "" {
		return nil
	}
	text := ""
	session.messages, text, err = session.client.Fold(ctx, s.Folder)
	if err == nil && session.messages > 0 && !strings.Contains(strings.ToLower(text), strings.ToLower(s.Folder)) {
		err = fmt.Errorf("FOLD: server speaks of another folder: %q", text)
	}
	if err != nil {
		e := connectError("folder", s.Server, err)
		e.Class, e.Hint = ClassServer, "the folder may be missing: servers of this kind then go on with the one before"
		return e
	}
	return nil
}

// pop2LoginError sorts a refused HELO as a refused PASS.
func pop2LoginError(server string, err error, sound bool) *ConnectError {
	var refused *pop2.Error
	if !errors.As(err, &refused) {
		return loginError(server, err, sound)
	}
	reply := &pop3.ReplyError{Command: refused.Command, Text: refused.Text}
	meaning := auth.Explain(reply, false)
	e := connectError("login", server, err)
	e.Class, e.After, e.Hint = verdictClasses[meaning.Verdict], meaning.After, cmp.Or(meaning.Hint, e.Hint)
	return e
}

// pop2Session is a Session over POP2.
type pop2Session struct {
	client   *pop2.Client
	messages int64        // as HELO or FOLD said
	print    *fingerprint // of the message under way
	read     map[pop3.Number]identity
}

// identity tells a message that was read to its end from others.
type identity struct{ digest, stable checkpoint.Digest }

// deletedLength is the length up to which a message counts as deleted: 0 by the
// RFC, 2 with UW ipop2d, which adds a line end to nothing. RETR would end the
// session there.
const deletedLength = 2

// List reads each message's length: the protocol has no listing. Lengths are
// not certain to be the octets that another protocol would count.
func (s *pop2Session) List(ctx context.Context) (*Listing, error) {
	listing := &Listing{DropCount: -1, DropOctets: -1}
	for n := pop3.Number(1); int64(n) <= s.messages; n++ {
		length, err := s.client.Read(ctx, n)
		if err != nil {
			return nil, err
		}
		if length > deletedLength {
			listing.Entries = append(listing.Entries, Entry{Number: n, Octets: length})
		}
	}
	return listing, nil
}

// Retrieve reads messages one by one. The end of a body is only believed once
// the server has answered ACKS: then both sides counted alike.
func (s *pop2Session) Retrieve(ctx context.Context, numbers iter.Seq[pop3.Number]) iter.Seq2[*Retrieved, error] {
	return func(yield func(*Retrieved, error) bool) {
		for n := range numbers {
			message, err := s.fetch(ctx, n)
			if refusedOne(err) {
				if !yield(&Retrieved{Number: n}, err) {
					return
				}
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			body := &pop2Body{session: s, ctx: ctx, number: n, message: message}
			s.print.reset()
			if !yield(&Retrieved{Number: n, Body: body}, nil) {
				return
			}
		}
	}
}

// fetch sends READ and RETR.
func (s *pop2Session) fetch(ctx context.Context, n pop3.Number) (*pop2.Message, error) {
	length, err := s.client.Read(ctx, n)
	if err != nil {
		return nil, err
	}
	if length <= deletedLength {
		return nil, &pop3.ReplyError{Command: fmt.Sprintf("READ %d", n), Text: "the message is deleted or missing"}
	}
	return s.client.Retrieve(ctx, length)
}

// pop2Body is a message on the wire until it is acknowledged.
type pop2Body struct {
	session *pop2Session
	ctx     context.Context
	number  pop3.Number
	message *pop2.Message
	err     error // what every further Read returns
}

// Read implements [io.Reader].
func (b *pop2Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.message.Read(p)
	b.session.print.Write(p[:n])
	if err == io.EOF {
		if refused := b.session.client.Keep(b.ctx); refused != nil {
			err = refused
		} else {
			b.session.read[b.number] = b.session.identity()
		}
	}
	b.err = err
	return n, err
}

// WriteTo implements [io.WriterTo].
func (b *pop2Body) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{b})
}

// Mark deletes messages: each is read once more, and only one that still has
// the octets that were kept is acknowledged with ACKD. A header field that the
// server itself keeps (Status) may have changed.
func (s *pop2Session) Mark(ctx context.Context, numbers iter.Seq[pop3.Number]) iter.Seq2[Reply, error] {
	return func(yield func(Reply, error) bool) {
		for n := range numbers {
			text, err := s.delete(ctx, n)
			if !yield(Reply{n, text}, err) || err != nil && !refusedOne(err) {
				return
			}
		}
	}
}

func (s *pop2Session) delete(ctx context.Context, n pop3.Number) (string, error) {
	command := fmt.Sprintf("ACKD %d", n)
	kept, ok := s.read[n]
	if !ok {
		return "", &pop3.ReplyError{Command: command, Text: "not sent: the message was not read in this session"}
	}
	message, err := s.fetch(ctx, n)
	if err != nil {
		return "", err
	}
	s.print.reset()
	if _, err := io.Copy(s.print, message); err != nil {
		return "", err
	}
	if now := s.identity(); now.digest != kept.digest && now.stable != kept.stable {
		if err := s.client.Keep(ctx); err != nil {
			return "", err
		}
		return "", &pop3.ReplyError{Command: command, Text: "not sent: the message has other octets now than those that were kept"}
	}
	if err := s.client.Delete(ctx); err != nil {
		return "", err
	}
	return "ACKD", nil
}

func (s *pop2Session) identity() identity {
	p := s.print.finish(false)
	return identity{p.digest, p.stable}
}

func (s *pop2Session) Quit(ctx context.Context) (string, error) { return s.client.Quit(ctx) }

func (s *pop2Session) Close() error { return s.client.Close() }
